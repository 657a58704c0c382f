package reconcile_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/plumbnet/plumb/pkg/reconcile"
)

// ethernets makes two interfaces of the host with values of their own.
func (l *lab) ethernets() {
	l.Helper()
	l.script(`
		ip link add ea0 address 02:f3:00:00:00:01 type veth peer name pa0
		ip link add eb0 address 02:f3:00:00:00:02 type veth peer name pb0
		ip link set ea0 up
		ip link set eb0 up
		sysctl -qw net.ipv4.conf.ea0.rp_filter=2 net.ipv4.conf.eb0.rp_filter=0
		sysctl -qw net.ipv4.conf.ea0.forwarding=1 net.ipv4.conf.eb0.forwarding=0
		sysctl -qw net.ipv6.conf.ea0.forwarding=0 net.ipv6.conf.eb0.forwarding=1`)
	l.fixture(func() { l.script("ip link del pa0\nip link del pb0") })
}

// swap gives the two links each other's name, as udev does at boot.
func (l *lab) swap() {
	l.Helper()
	l.rename("ea0", "swap0")
	l.rename("eb0", "ea0")
	l.rename("swap0", "eb0")
}

func (l *lab) rename(from, to string) {
	l.Helper()
	l.script("ip link set " + from + " down\nip link set " + from + " name " + to + "\nip link set " + to + " up")
}

const oneFilter = "name: x\nsysctls: {net.ipv4.conf.ea0.rp_filter: 1}\n"

// What an interface was before belongs to it, not to its name: it gets it back when somebody has renamed it.
func TestRenamedInterfaceGetsItsSysctlBack(t *testing.T) {
	l := newLab(t)
	l.ethernets()
	l.apply(l.load(oneFilter))
	l.rename("ea0", "wan0")
	r := l.destroy("x")
	if text := planText(r.Plan); !strings.Contains(text, "net.ipv4.conf.wan0.rp_filter: restored to 2") {
		t.Errorf("the plan does not show the name of now:\n%s", text)
	}
	l.wants("after destroy", "ipv4/conf/wan0/rp_filter", "2")
	l.rename("wan0", "ea0")
}

// The file follows the new name: nothing is to be done, and the original stays known. The old name is no interface.
func TestRenamedInterfaceStaysInSync(t *testing.T) {
	l := newLab(t)
	l.ethernets()
	l.apply(l.load(oneFilter))
	l.rename("ea0", "wan0")
	if _, err := l.tryApply(l.load(oneFilter)); err == nil || !strings.Contains(err.Error(), "it is called wan0 now") {
		t.Errorf("the old name: %v", err)
	}
	topo := l.load(strings.Replace(oneFilter, "ea0", "wan0", 1))
	if r := l.apply(topo); len(r.Plan.Steps) > 0 {
		t.Errorf("with the new name in the file, apply does\n%s", planText(r.Plan))
	}
	l.converged(topo)
	l.destroy("x")
	l.wants("after destroy", "ipv4/conf/wan0/rp_filter", "2")
	l.rename("wan0", "ea0")
}

// Names are swapped: destroy writes the interface that was written. Apply gives back the one, and writes the other.
func TestSwappedInterfaces(t *testing.T) {
	for _, verbs := range []string{"destroy", "apply, destroy"} {
		t.Run(verbs, func(t *testing.T) {
			l := newLab(t)
			l.ethernets()
			topo := l.load(oneFilter)
			l.apply(topo)
			l.swap()
			if strings.HasPrefix(verbs, "apply") {
				l.apply(topo)
				l.wants("after apply", "ipv4/conf/ea0/rp_filter", "1")
				l.wants("after apply", "ipv4/conf/eb0/rp_filter", "2")
				l.converged(topo)
			}
			l.destroy("x")
			l.wants("after destroy", "ipv4/conf/ea0/rp_filter", "0")
			l.wants("after destroy", "ipv4/conf/eb0/rp_filter", "2")
			l.swap()
		})
	}
}

// What a switch writes beside itself, and the accept_ra that it asks for, belong to interfaces too.
func TestSwappedInterfacesUnderForwarding(t *testing.T) {
	l := newLab(t)
	l.ethernets()
	l.sysctl("ipv6/conf/eb0/accept_ra", "2")
	l.sh("ip", "-6", "route", "add", "default", "via", "fe80::1", "dev", "ea0", "proto", "ra", "metric", "2048")
	l.fixture(func() {
		l.sh("sh", "-c", "ip -6 route del default proto ra metric 2048 || true")
	})
	l.apply(l.load("name: x\nsysctls: {net.ipv4.ip_forward: 1, net.ipv6.conf.all.forwarding: 1}\n"))
	l.wants("while applied", "ipv6/conf/ea0/accept_ra", "2")
	l.swap()
	l.destroy("x")
	for path, value := range map[string]string{
		"ipv4/conf/eb0/forwarding": "1", "ipv4/conf/ea0/forwarding": "0",
		"ipv6/conf/eb0/forwarding": "0", "ipv6/conf/ea0/forwarding": "1",
		"ipv6/conf/eb0/accept_ra": "1", "ipv6/conf/ea0/accept_ra": "2",
	} {
		l.wants("after destroy", path, value)
	}
	l.swap()
	l.sh("sh", "-c", "ip -6 route replace default via fe80::1 dev ea0 proto ra metric 2048")
}

// An interface that is gone is told of, once; another of its name keeps what it has.
func TestSysctlOfInterfaceThatIsGone(t *testing.T) {
	l := newLab(t)
	l.script("ip link add go0 type veth peer name go1\nsysctl -qw net.ipv4.conf.go0.rp_filter=2")
	topo := l.load(strings.Replace(oneFilter, "ea0", "go0", 1))
	l.apply(topo)
	l.script("ip link del go0\nip link add go0 type veth peer name go1")
	l.apply(topo)
	l.warned("net.ipv4.conf.go0.rp_filter", "is gone")
	l.converged(topo)
	if len(l.warnings) > 0 {
		t.Errorf("it warns again: %q", l.warnings)
	}
	l.script("ip link del go0\nip link add go0 type veth peer name go1\nsysctl -qw net.ipv4.conf.go0.rp_filter=1")
	l.destroy("x")
	l.warned("net.ipv4.conf.go0.rp_filter", "is gone")
	l.wants("after destroy", "ipv4/conf/go0/rp_filter", "1")
	l.sh("ip", "link", "del", "go0")
}

// An apply that fails after names were swapped leads back to what it found, and destroy to what was before plumb.
func TestSwappedInterfacesRollback(t *testing.T) {
	l := newLab(t)
	l.ethernets()
	l.apply(l.load(oneFilter))
	l.swap()
	before := l.settle()
	_, err := l.tryApply(l.load(oneFilter + "namespaces: {ns1: {sysctls: {net.core.somaxconn: nonsense}}}\n"))
	if !errors.Is(err, reconcile.ErrRolledBack) {
		t.Errorf("the error is %v, want ErrRolledBack", err)
	}
	l.same("after the rollback", before, l.settle())
	l.destroy("x")
	l.wants("after destroy", "ipv4/conf/ea0/rp_filter", "0")
	l.wants("after destroy", "ipv4/conf/eb0/rp_filter", "2")
	l.swap()
}

// Two topologies want a parameter of an interface that is renamed: it is given back when the last one leaves.
func TestRenamedInterfaceOfTwoTopologies(t *testing.T) {
	l := newLab(t)
	l.ethernets()
	l.apply(l.load(oneFilter))
	l.apply(l.load(strings.Replace(oneFilter, "x", "y", 1)))
	l.rename("ea0", "wan0")
	l.destroy("y")
	l.wants("with one left", "ipv4/conf/wan0/rp_filter", "1")
	l.destroy("x")
	l.wants("after destroy", "ipv4/conf/wan0/rp_filter", "2")
	l.rename("wan0", "ea0")
}
