package reconcile_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/plumbnet/plumb/pkg/reconcile"
)

// uplinkPort has up0 of the private host as a bridge's port, and its addresses and default routes on the bridge.
const uplinkPort = `
name: x
bridges:
  br0:
    addresses: [` + uplink4 + `/24, "` + uplink6 + `/64"]
interfaces:
  up0: {existing: true, master: br0}
routes:
  - {to: default, via: ` + world4 + `}
  - {to: default, via: "` + world6 + `"}
namespaces:
  ns1: {interfaces: {eth0: {bridge: br0, addresses: [198.18.0.7/24]}}}
`

// TestUplinkMoves: the addresses of an uplink that becomes a port go to the bridge that the topology has them on, with
// the routes over it, and come back with destroy.
func TestUplinkMoves(t *testing.T) {
	l := newLab(t)
	l.uplink()
	l.script(`
		ip route add 198.51.100.0/24 via ` + world4 + ` proto static metric 50
		ip route add 203.0.113.0/24 dev up0 scope link
		ip address add 198.18.0.3/24 dev up0 label up0:x`)
	l.mark()
	l.fixture(func() {})
	before := l.settle()
	topo := l.load(uplinkPort)
	if p := l.diff(topo, func(o *reconcile.Options) { o.AllowDisconnect = false }); !p.Refused() {
		t.Errorf("nothing says that the host may be cut off:\n%s", planText(p))
	}
	t.Logf("\n%s", planText(l.diff(topo)))
	l.apply(topo)
	l.converged(topo)
	for _, to := range []string{world4, world6} {
		l.sh("ping", "-n", "-c", "1", "-W", "5", to)
	}
	l.sh("ip", "netns", "exec", "ns1", "ping", "-n", "-c", "1", "-W", "5", world4)
	if out := l.sh("ip", "route", "get", "192.0.2.1"); !strings.Contains(out, "dev br0") {
		t.Errorf("the default route does not lead over the bridge: %s", out)
	}
	t.Logf("\n%s", outcomes(l.destroy("x")))
	l.same("after destroy", before, l.settle())
	if _, err := l.tryApply(l.load(strings.ReplaceAll(uplinkPort, "up0", "up9"))); !errors.Is(err, reconcile.ErrNotRun) ||
		!strings.Contains(err.Error(), `test.yaml:7: link up9: is not there`) {
		t.Errorf("%v", err)
	}
}
