package reconcile_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/plumbnet/plumb/pkg/kernel"
	"github.com/plumbnet/plumb/pkg/plan"
	"github.com/plumbnet/plumb/pkg/reconcile"
)

// What stands beside a topology on the same host: other topologies, other defaults, and hands that swap names.

// TestOthersRoutes leaves a route of another topology alone that leads over our link.
func TestOthersRoutes(t *testing.T) {
	l := newLab(t)
	ours, other := l.load(l.example("docker0.yaml")),
		l.load("{name: other, routes: [{to: 10.77.0.0/16, via: 192.168.10.11}]}")
	l.apply(ours)
	l.apply(other)
	l.converged(ours)
	l.converged(other)
}

// TestLinkOfAnother refuses a wish for a link that another topology decides about.
func TestLinkOfAnother(t *testing.T) {
	l := newLab(t)
	l.apply(l.load(l.example("docker0.yaml")))
	_, err := l.tryApply(l.load("{name: other, sysctls: {net.ipv4.conf.br0.forwarding: 0}}"))
	if !errors.Is(err, reconcile.ErrRefused) || !strings.Contains(err.Error(), "belongs to topology docker0") {
		t.Errorf("%v, want a refusal", err)
	}
}

// TestNamespaceJustDeleted makes a namespace again at once after a hand has deleted it, while its links are still
// there: what they hold outside of it is not free yet.
func TestNamespaceJustDeleted(t *testing.T) {
	l := newLab(t)
	topo := l.load(`
name: again
bridges: {br0: {addresses: [10.0.0.1/24]}}
namespaces:
  n1:
    interfaces:
      m0: {macvlan: {parent: host/br0}, addresses: [10.0.0.2/24]}
      v0: {vxlan: {id: 7, remote: 192.0.2.7, underlay: host}}
      eth0: {bridge: br0, port-name: port0}
`)
	l.apply(topo)
	before := l.settle()
	for range 10 {
		l.sh("ip", "netns", "del", "n1")
		if _, err := l.tryApply(topo); err != nil {
			t.Fatal(err)
		}
	}
	l.inSync(topo)
	l.restored("after it was made again", before)
}

// TestHostWithoutLinkLocals and TestHostWithoutIPv6 apply on hosts whose new links are told to be otherwise.
func TestHostWithoutLinkLocals(t *testing.T) {
	l := newLab(t)
	l.sysctl("ipv6/conf/default/addr_gen_mode", "1")
	for _, example := range []string{"docker0.yaml", "docker0-dual.yaml"} {
		topo := l.load(l.example(example))
		l.apply(topo)
		l.converged(topo)
		l.destroy(topo.Name)
	}
}

func TestHostWithoutIPv6(t *testing.T) {
	l := newLab(t)
	l.sysctl("ipv6/conf/default/disable_ipv6", "1")
	for _, example := range []string{"docker0.yaml", "docker0-dual.yaml"} {
		topo := l.load(l.example(example))
		l.apply(topo)
		l.converged(topo)
		l.destroy(topo.Name)
	}
}

// TestNamespaceDefaults makes links in new namespaces whose own parameters tell new links to be otherwise, and writes
// no parameter of a link that has its value already.
func TestNamespaceDefaults(t *testing.T) {
	for _, sysctl := range []string{"net.ipv6.conf.default.forwarding", "net.ipv6.conf.all.forwarding"} {
		for _, ns := range []string{"ns1", "ns2"} { // at each end of the cable
			l := newLab(t)
			topo := l.load(strings.Replace(`
name: two
namespaces:
  ns1: {sysctls: {}, interfaces: {eth0: {peer: ns2/eth0, addresses: ["fd00::1/64"]}}}
  ns2: {sysctls: {}, interfaces: {eth0: {addresses: ["fd00::2/64"]}}}
`, ns+": {sysctls: {", ns+": {sysctls: {"+sysctl+": 1", 1))
			l.apply(topo, through(&kernel.Seam{Around: func(w kernel.Write, write func() error) error {
				if strings.Contains(w.What, "/conf/eth0/") {
					t.Errorf("with %s in %s: %v", sysctl, ns, w)
				}
				return write()
			}}))
			l.converged(topo)
			l.destroy(topo.Name)
		}
	}
}

// TestMended undoes changes by hand that need more than one attribute.
func TestMended(t *testing.T) {
	for name, do := range map[string]string{
		"ipv6 off on a link":       "sysctl -q -w net.ipv6.conf.br0.disable_ipv6=1",
		"ipv6 off in a namespace":  "ip netns exec ns1 sysctl -q -w net.ipv6.conf.eth0.disable_ipv6=1",
		"no link-local by itself":  "sysctl -q -w net.ipv6.conf.br0.addr_gen_mode=1\nip -6 address flush dev br0",
		"arp off":                  "ip -n ns1 link set eth0 arp off",
		"arp off and an address":   "ip -n ns1 link set eth0 arp off\nip -n ns1 address add 192.168.10.9/24 dev eth0",
		"bridge and port, renamed": "ip link set br0 name x0\nip link set br0.1 name br0",
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t)
			topo := l.load(l.example("docker0-dual.yaml"))
			l.apply(topo)
			before := l.settle()
			l.script(do)
			if p := l.diff(topo); len(p.Steps) == 0 {
				t.Error("not seen")
			}
			l.apply(topo)
			l.restored("after it was mended", before)
		})
	}
}

// TestNamesSwapped gives names back that a hand has swapped.
func TestNamesSwapped(t *testing.T) {
	l := newLab(t)
	topo := l.load("{name: two, bridges: {x0: {addresses: [10.0.0.1/24]}, y0: {}}}")
	l.apply(topo)
	before := l.settle()
	l.script("ip link set x0 name z0\nip link set y0 name x0\nip link set z0 name y0")
	l.apply(topo)
	l.restored("after the swap was undone", before)
}

// TestNameTaken refuses to choose between a link that bears the stamp and one that has taken its name.
func TestNameTaken(t *testing.T) {
	l := newLab(t)
	topo := l.load(l.example("docker0.yaml"))
	l.apply(topo)
	l.script("ip link set br0 name brx\nip link add br0 type bridge")
	_, err := l.tryApply(topo)
	if !errors.Is(err, reconcile.ErrRefused) ||
		!strings.Contains(err.Error(), "both br0 (by stamp) and brx (by name) match it") &&
			!strings.Contains(err.Error(), "both brx (by stamp) and br0 (by name) match it") {
		t.Errorf("%v, want a refusal", err)
	}
	l.sh("ip", "link", "delete", "br0")
	l.apply(topo)
}

// TestForeignPort names the foreign links that a plan takes down or frees.
func TestForeignPort(t *testing.T) {
	l := newLab(t)
	topo := l.load("{name: two, bridges: {x0: {}}}")
	l.apply(topo)
	l.script("ip link add fp type veth peer name fq\nip link set fp master x0")
	p := l.diff(l.load("{name: two}"))
	if len(p.Steps) != 1 || p.Steps[0].Action != plan.Delete || !strings.Contains(p.Steps[0].Reason, "detaches link fp") {
		t.Errorf("the plan does not name the port:\n%s", planText(p))
	}
	l.sh("ip", "link", "delete", "fp")
}
