package reconcile_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/plumbnet/plumb/pkg/reconcile"
)

const uplinkBridge = `
name: office
bridges: {br0: {addresses: [192.0.2.2/24], mtu: 1400}}
namespaces:
  isp: {interfaces: {eth0: {bridge: br0, addresses: [192.0.2.1/24]}}}
routes: [{to: default, via: 192.0.2.1}]
`

func guarded(o *reconcile.Options) { o.AllowDisconnect = false }

// refusedFor says that apply of a topology is refused for a reason, that diff says the same, and nothing is written.
func (l *lab) refusedFor(yaml, reason string) {
	l.Helper()
	topo := l.load(yaml)
	before := l.settle()
	_, err := l.tryApply(topo, guarded)
	if !errors.Is(err, reconcile.ErrRefused) || !strings.Contains(err.Error(), reason) {
		l.Errorf("apply: %v, want a refusal for: %s", err, reason)
	}
	if p := l.diff(topo, guarded); !p.Refused() || !strings.Contains(planText(p), reason) {
		l.Errorf("diff does not refuse for: %s\n%s", reason, planText(p))
	}
	l.same("after the refusal", before, l.settle())
}

// TestLockout refuses what takes the host's default route, its uplink or an address of that, until it is allowed. The
// host's are those that plumb has not made.
func TestLockout(t *testing.T) {
	l := newLab(t)
	const bridge = `
name: office
bridges: {br0: {addresses: [192.0.2.2/24], mtu: 1400}}
namespaces:
  isp: {interfaces: {eth0: {bridge: br0, addresses: [192.0.2.1/24]}}}
`
	l.apply(l.load(bridge), guarded)
	l.sh("ip", "route", "add", "default", "via", "192.0.2.1", "proto", "dhcp")
	l.refusedFor(strings.ReplaceAll(bridge, "192.0.2.2/24", "192.0.2.3/24"), "would take an address of br0, the host's uplink")
	l.refusedFor(strings.ReplaceAll(bridge, "mtu: 1400", `mac: "02:00:00:00:00:01"`), "would cut br0, the host's uplink")
	h := l.open(guarded)
	_, err := h.Destroy(context.Background(), "office")
	if !errors.Is(err, reconcile.ErrRefused) || !strings.Contains(err.Error(), "--allow-disconnect") {
		t.Errorf("destroy: %v, want a refusal with its remedy", err)
	}
	l.apply(l.load(strings.ReplaceAll(bridge, "mtu: 1400", "mtu: 1300")), guarded) // harmless
	adopting := func(o *reconcile.Options) { o.AllowDisconnect, o.Adopt = false, true }
	route := "routes: [{to: default, via: 192.0.2.9}]\n"
	if _, err := l.tryApply(l.load(bridge+route), adopting); !errors.Is(err, reconcile.ErrRefused) {
		t.Errorf("adopting the default route and leading it elsewhere: %v, want a refusal", err)
	}
	l.apply(l.load(strings.ReplaceAll(bridge, "192.0.2.2/24", "192.0.2.3/24"))) // allowed by the lab
}

// TestLockoutOwn does not count what plumb itself has made: destroy leads back to a host that was not connected.
func TestLockoutOwn(t *testing.T) {
	l := newLab(t)
	topo := l.load(uplinkBridge)
	l.apply(topo, guarded)
	l.sh("ip", "route", "replace", "default", "via", "192.0.2.9")
	l.apply(topo, guarded)
	h := l.open(guarded)
	if _, err := h.Destroy(context.Background(), "office"); err != nil {
		t.Error(err)
	}
}

// TestLockoutSSH knows the session by what sshd told the process.
func TestLockoutSSH(t *testing.T) {
	l := newLab(t)
	l.apply(l.load(strings.Replace(uplinkBridge, "routes: [{to: default, via: 192.0.2.1}]", "", 1)), guarded)
	t.Setenv("SSH_CONNECTION", "192.0.2.1 50000 192.0.2.2 22")
	l.refusedFor(`{name: office}`, "the current SSH session")
}
