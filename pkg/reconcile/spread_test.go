package reconcile_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/plumbnet/plumb/pkg/kernel"
)

// spreading are the parameters of all links that the kernel copies to each.
var spreading = []struct{ key, value, other string }{
	{"disable_ipv6", "1", "1"}, {"addr_gen_mode", "1", "1"}, {"addr_gen_mode", "1", "3"},
	{"ignore_routes_with_linkdown", "1", "1"}, {"force_forwarding", "1", "1"},
}

// What a parameter of all links writes on each is given back link by link; our own links and those of others stay as
// they shall be.
func TestSysctlOfAllLinksIsGivenBackLinkByLink(t *testing.T) {
	for _, s := range spreading {
		t.Run(s.key+" "+s.other, func(t *testing.T) {
			if _, err := os.Stat(filepath.Join("/proc/sys/net/ipv6/conf/all", s.key)); err != nil {
				t.Skip("this kernel has no such parameter")
			}
			l := newLab(t)
			l.foreign()
			l.sysctl("ipv6/conf/fv0/"+s.key, s.other)
			l.sysctl("ipv6/conf/fv2/"+s.key, "0")
			l.apply(l.load("name: y\nbridges: {by: {}}\nnamespaces: {ny: {interfaces: {eth0: {bridge: by}}}}\n"))
			before := l.settle()
			topo := l.load("name: x\nbridges: {bx: {}}\nsysctls: {net.ipv6.conf.all." + s.key + ": " + s.value + "}\n")
			l.apply(topo)
			l.wants("while applied", "ipv6/conf/fv2/"+s.key, s.value)
			l.wants("while applied", "ipv6/conf/by/"+s.key, "0")
			l.converged(topo)
			l.apply(l.load("name: x\nbridges: {bx: {}}\n"))
			l.wants("with the parameter out of the file", "ipv6/conf/bx/"+s.key, "0")
			l.wants("with the parameter out of the file", "ipv6/conf/fv0/"+s.key, s.other)
			l.apply(topo)
			l.destroy("x")
			l.restored("after destroy", before)
		})
	}
}

// What another topology has on its links stays, whichever write fails: the switch of all links takes it for a moment.
// What it has on those of others comes back.
func TestSysctlOfAllLinksBesideAnother(t *testing.T) {
	l := newLab(t)
	l.cards()
	l.script("ip link set card0 up")
	l.mark()
	other := l.load(`
name: y
bridges: {by: {addresses: ["fd00:7::1/64", 10.7.0.1/24]}, bz: {}}
namespaces: {ny: {interfaces: {eth0: {bridge: by, addresses: ["fd00:7::2/64"]}}}}
routes: [{to: "fd00:8::/64", via: "fd00:7::2"}]
neighbors: [{dev: by, address: "fd00:7::9", mac: 02:00:00:00:00:09}]
`)
	third := l.load("name: z\ninterfaces: {card0: {existing: true, addresses: [\"fd00:6::1/64\"]}}\n")
	l.apply(other)
	l.apply(third)
	before := l.settle()
	topo := l.load("name: x\nbridges: {bx: {}}\nsysctls: {net.ipv6.conf.all.disable_ipv6: 1}\n")
	var err error
	for k := 1; k == 1 || err != nil; k++ {
		writes := 0
		_, err = l.tryApply(topo, through(&kernel.Seam{Around: func(_ kernel.Write, write func() error) error {
			if writes++; writes == k {
				return unix.ENOMEM
			}
			return write()
		}}))
		if err != nil {
			l.restored(fmt.Sprintf("after a rollback from write %d", k), before)
		}
	}
	l.apply(topo) // the copy of the document may not have been written
	l.converged(topo)
	l.converged(other)
	l.destroy("x")
	l.restored("after destroy", before)
	l.converged(other)
	l.converged(third)
}

// In a namespace that was adopted what others put there keeps its values.
func TestSysctlOfAllLinksInAdoptedNamespace(t *testing.T) {
	l := newLab(t)
	l.script(`
		ip netns add ns1
		ip -n ns1 link add sp0 type veth peer name sp1
		ip netns exec ns1 sysctl -qw net.ipv6.conf.sp0.disable_ipv6=1`)
	const yaml = "name: x\nnamespaces: {ns1: {SYSCTLS}}\n"
	sysctls := "sysctls: {net.ipv6.conf.all.disable_ipv6: 1}"
	l.apply(l.load(strings.Replace(yaml, "SYSCTLS", sysctls, 1)), adopt)
	l.apply(l.load(strings.Replace(yaml, "SYSCTLS", "", 1)))
	for link, value := range map[string]string{"sp0": "1", "sp1": "0", "default": "0"} {
		got := strings.TrimSpace(l.sh("ip", "netns", "exec", "ns1", "sysctl", "-n", "net.ipv6.conf."+link+".disable_ipv6"))
		if got != value {
			t.Errorf("%s has disable_ipv6 %s, want %s", link, got, value)
		}
	}
}

// A link's value is claimed while a default, or a value of all links, is on it: what it was before those goes back.
func TestSysctlOfLinkClaimedLater(t *testing.T) {
	l := newLab(t)
	l.foreign()
	before := l.settle()
	for _, all := range []string{"net.ipv4.conf.default.log_martians", "net.ipv6.conf.all.ignore_routes_with_linkdown"} {
		one := strings.NewReplacer("default", "fv0", "all", "fv0").Replace(all)
		l.apply(l.load("name: x\nsysctls: {" + all + ": 1}\n"))
		topo := l.load("name: x\nsysctls: {" + all + ": 1, " + one + ": 1}\n")
		l.apply(topo)
		l.converged(topo)
		l.destroy("x")
		l.restored(all+" and then of fv0", before)
	}
}

// The switch of forwarding is given back while the topology's links, which were there when it was first written,
// forward because the default for new links says so.
func TestSwitchGoesWhereLinksForward(t *testing.T) {
	l := newLab(t)
	before := l.settle()
	for _, sysctls := range []string{"", "net.ipv4.ip_forward: 1", "net.ipv4.conf.default.forwarding: 1"} {
		topo := l.load("name: x\nbridges: {br0: {}}\nsysctls: {" + sysctls + "}\n")
		l.apply(topo)
		l.converged(topo)
	}
	l.destroy("x")
	l.restored("the switch", before)
}
