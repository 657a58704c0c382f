package reconcile_test

import (
	"os"
	"strings"
	"testing"

	"github.com/plumbnet/plumb/pkg/battery/host"
)

// TestFallbackTunnels makes tunnels in namespaces into which the modules of tunnels put links of their own: plumb leaves
// those alone, and says nothing of them.
func TestFallbackTunnels(t *testing.T) {
	if os.Getenv("TEST_INIT_NET") == "" {
		t.Skip("changes the initial namespace: runs in a virtual machine, with TEST_INIT_NET=1")
	}
	configure(t, []string{"net.core.fb_tunnels_only_for_init_net=0"})
	l := newLab(t)
	topo := l.load(`
name: fallbacks
namespaces:
  ns1:
    interfaces:
      eth0: {peer: ns2/eth0, addresses: [192.0.2.1/24]}
      t0: {gre: {local: 192.0.2.1, remote: 192.0.2.2}, addresses: [10.0.0.1/30]}
      t1: {sit: {local: 192.0.2.1, remote: 192.0.2.2}}
      t2: {ip6tnl: {local: "2001:db8::1", remote: "2001:db8::2"}}
  ns2:
    interfaces:
      eth0: {addresses: [192.0.2.2/24]}
      t0: {gre: {local: 192.0.2.2, remote: 192.0.2.1}, addresses: [10.0.0.2/30]}
`)
	empty := l.settle()
	l.apply(topo)
	l.settle()
	l.converged(topo)
	l.ping("ns1", "10.0.0.2")
	err := host.Inside("ns1", func() error {
		for _, name := range []string{"gre0", "gretap0", "sit0", "ip6tnl0", "tunl0"} {
			if err := host.Run("ip", "link", "show", name); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	report := l.destroy(topo.Name)
	if text := planText(report.Plan); strings.Contains(text, "0:") && strings.Contains(text, "takes with it") {
		t.Errorf("the plan tells of what the modules made:\n%s", text)
	}
	l.restored("after destroy", empty)
}
