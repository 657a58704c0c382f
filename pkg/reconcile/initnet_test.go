package reconcile_test

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/plumbnet/plumb/pkg/reconcile"
)

// TestForwardingHost makes the same namespaces on a host that routes as on one that does not: the kernel gives a new
// namespace the IPv4 parameters of the initial namespace. That one is the machine's own, so the test only runs where it
// may be changed: in a virtual machine that is told so.
func TestForwardingHost(t *testing.T) {
	if os.Getenv("TEST_INIT_NET") == "" {
		t.Skip("changes the initial namespace: runs in a virtual machine, with TEST_INIT_NET=1")
	}
	l := newLab(t)
	topo := l.load(l.example("two-lans.yaml"))
	l.apply(topo)
	calm := l.settle()
	l.destroy(topo.Name)
	settings := []string{
		"net.ipv4.ip_forward=1", "net.ipv4.conf.all.rp_filter=2", "net.ipv4.conf.default.rp_filter=2",
		"net.ipv4.conf.default.accept_redirects=0", "net.ipv4.conf.default.arp_ignore=1",
	}
	configure(t, settings)
	for _, workers := range []int{1, besideWorkers} {
		l.apply(topo, func(o *reconcile.Options) { o.Workers = workers })
		l.restored("made on a host that forwards", calm)
		l.converged(topo)
		l.destroy(topo.Name)
	}
}

// TestInheritingHost makes links in namespaces that have inherited the initial one's IPv6 parameters, which a new link
// copies.
func TestInheritingHost(t *testing.T) {
	if os.Getenv("TEST_INIT_NET") == "" {
		t.Skip("changes the initial namespace: runs in a virtual machine, with TEST_INIT_NET=1")
	}
	configure(t, []string{"net.core.devconf_inherit_init_net=1"})
	for _, setting := range []string{
		"net.ipv6.conf.all.forwarding=1", "net.ipv6.conf.default.forwarding=1", "net.ipv6.conf.default.disable_ipv6=1",
		"net.ipv6.conf.default.addr_gen_mode=1",
	} {
		t.Run(setting, func(t *testing.T) {
			l := newLab(t)
			configure(t, []string{setting})
			for _, example := range []string{"docker0-dual.yaml", "ipv6-only.yaml"} {
				topo := l.load(l.example(example))
				l.apply(topo)
				l.converged(topo)
				l.destroy(topo.Name)
			}
		})
	}
}

// configure sets parameters of the initial namespace for the time of a test.
func configure(t *testing.T, settings []string) {
	t.Helper()
	for _, s := range settings {
		key, _, _ := strings.Cut(s, "=")
		old := strings.TrimSpace(initNet(t, "sysctl", "-n", key))
		initNet(t, "sysctl", "-qw", s)
		t.Cleanup(func() { initNet(t, "sysctl", "-qw", key+"="+old) })
	}
}

// initNet runs a command in the initial network namespace.
func initNet(t *testing.T, args ...string) string {
	t.Helper()
	out, err := exec.Command("nsenter", append([]string{"--net=/proc/1/ns/net"}, args...)...).CombinedOutput()
	if err != nil {
		t.Fatalf("in the initial namespace: %v: %v: %s", args, err, out)
	}
	return string(out)
}
