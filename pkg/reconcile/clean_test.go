package reconcile_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/plumbnet/plumb/pkg/plan"
	"github.com/plumbnet/plumb/pkg/topology"
)

// sysctlOf reads a parameter of the host.
func (l *lab) sysctlOf(path string) string {
	l.Helper()
	b, err := os.ReadFile(filepath.Join("/proc/sys/net", path))
	if err != nil {
		l.Fatal(err)
	}
	return strings.TrimSpace(string(b))
}

// wants says what value a parameter of the host must have.
func (l *lab) wants(when, path, value string) {
	l.Helper()
	if have := l.sysctlOf(path); have != value {
		l.Errorf("%s %s is %s, want %s", when, path, have, value)
	}
}

// seed gives the host, with what [lab.around] puts there, values that a switch of forwarding would overwrite, and that
// differ from link to link.
func (l *lab) seed() {
	l.Helper()
	for _, s := range []struct{ path, value string }{
		{"ipv4/conf/all/accept_redirects", "0"},
		{"ipv4/conf/fv0/accept_redirects", "0"},
		{"ipv4/conf/fv0/forwarding", "1"},
		{"ipv4/conf/fbr0/rp_filter", "2"},
		{"ipv6/conf/fv0/forwarding", "1"},
		{"ipv6/conf/fv2/accept_ra", "2"},
		{"ipv6/conf/fbr0/accept_redirects", "0"},
		{"ipv4/conf/default/forwarding", "1"},
		{"ipv6/conf/default/forwarding", "1"},
		{"ipv4/conf/default/promote_secondaries", "1"},
	} {
		l.sysctl(s.path, s.value)
	}
	// As if a router had announced itself: with forwarding on, up0 must accept that still.
	l.sh("ip", "-6", "route", "add", "default", "via", world6, "dev", "up0", "proto", "ra", "metric", "2048")
	l.fixture(func() { l.sh("ip", "-6", "route", "del", "default", "proto", "ra", "metric", "2048") })
}

func TestDestroyRestores(t *testing.T) {
	for _, name := range examples(t) {
		t.Run(name, func(t *testing.T) {
			l := newLab(t)
			yaml := l.example(name)
			l.around(yaml)
			l.seed()
			before := l.settle()
			topo := l.load(yaml)
			l.apply(topo)
			l.converged(topo)
			l.destroy(topo.Name)
			l.restored("after destroy", before)
		})
	}
}

// A host that forwards already has nothing to restore.
func TestDestroyOnRouter(t *testing.T) {
	l := newLab(t)
	yaml := l.example("docker0-dual.yaml")
	l.around(yaml)
	l.sysctl("ipv4/ip_forward", "1")
	l.sysctl("ipv6/conf/all/forwarding", "1")
	l.sysctl("ipv4/conf/fv0/forwarding", "0")
	before := l.settle()
	topo := l.load(yaml)
	l.apply(topo)
	l.wants("while applied", "ipv4/conf/fv0/forwarding", "0")
	l.converged(topo)
	l.destroy(topo.Name)
	l.restored("after destroy", before)
}

func TestAcceptRA(t *testing.T) {
	l := newLab(t)
	yaml := l.example("docker0-dual.yaml")
	l.around(yaml)
	l.seed()
	l.wants("before", "ipv6/conf/up0/accept_ra", "1")
	topo := l.load(yaml)
	seen := false
	for _, s := range l.apply(topo).Plan.Steps {
		seen = seen || s.Key().Name == "net.ipv6.conf.up0.accept_ra"
	}
	if !seen {
		t.Error("the plan does not show accept_ra of the uplink")
	}
	l.wants("while applied", "ipv6/conf/up0/accept_ra", "2")
	l.wants("while applied", "ipv6/conf/fv0/accept_ra", "2")
	l.converged(topo)
	l.destroy(topo.Name)
	l.wants("after destroy", "ipv6/conf/up0/accept_ra", "1")
}

// router is a topology that needs forwarding of the host, on a subnet of its own.
func router(name, n string) string {
	return strings.NewReplacer("NAME", name, "N", n).Replace(`
name: NAME
bridges: {NAME-br: {addresses: [10.20N.0.1/24, "fd00:20N::1/64"]}}
namespaces:
  NAME-ns:
    interfaces: {eth0: {bridge: NAME-br, addresses: [10.20N.0.2/24]}}
nat:
  - {masquerade: 10.20N.0.0/24}
  - {masquerade: "fd00:20N::/64"}
`)
}

// Two topologies share the switch: it goes back when the last one leaves, whichever that is.
func TestSharedForwarding(t *testing.T) {
	for _, order := range [][]string{{"a", "b"}, {"b", "a"}} {
		t.Run(strings.Join(order, " leaves before "), func(t *testing.T) {
			l := newLab(t)
			l.foreign()
			l.uplink()
			l.seed()
			before := l.settle()
			a, b := l.load(router("a", "1")), l.load(router("b", "2"))
			l.apply(a)
			withA := l.settle()
			l.apply(b)
			l.converged(a)
			l.converged(b)
			l.destroy(order[0])
			l.wants("with one left", "ipv4/ip_forward", "1")
			l.wants("with one left", "ipv6/conf/all/forwarding", "1")
			if order[0] == "b" {
				l.restored("with b gone again", withA)
			}
			for _, topo := range order[1:] {
				l.converged(map[string]*topology.Topology{"a": a, "b": b}[topo])
				l.destroy(topo)
			}
			l.restored("after both left", before)
		})
	}
}

// An interface that was born while the host forwarded gets what new ones got before.
func TestInterfaceBornBetween(t *testing.T) {
	for _, original := range []string{"0", "1"} {
		t.Run("default.forwarding "+original, func(t *testing.T) {
			l := newLab(t)
			l.sysctl("ipv4/conf/default/forwarding", original)
			l.sysctl("ipv6/conf/default/forwarding", original)
			l.apply(l.load(router("a", "1")))
			l.script(`
				ip link add born0 address 02:f2:00:00:00:01 type veth peer name born1 address 02:f2:00:00:00:02
				ip link set born0 up`)
			l.wants("when born", "ipv4/conf/born0/forwarding", "1")
			l.wants("when born", "ipv6/conf/born0/accept_ra", "2")
			l.converged(l.load(router("a", "1")))
			l.destroy("a")
			l.wants("after destroy", "ipv6/conf/born0/accept_ra", "1")
			l.wants("after destroy", "ipv6/conf/default/accept_ra", "1")
			for _, family := range []string{"ipv4", "ipv6"} {
				l.wants("after destroy", family+"/conf/born0/forwarding", original)
				l.wants("after destroy", family+"/conf/default/forwarding", original)
			}
			l.sh("ip", "link", "del", "born0")
		})
	}
}

// An interface that went while the host forwarded is nobody's concern.
func TestInterfaceGoneBetween(t *testing.T) {
	l := newLab(t)
	l.script(`ip link add gone0 address 02:f2:00:00:00:01 type veth peer name gone1 address 02:f2:00:00:00:02`)
	l.apply(l.load(router("a", "1")))
	l.sh("ip", "link", "del", "gone0")
	l.destroy("a")
}

func TestSysctlsOfTwoTopologies(t *testing.T) {
	l := newLab(t)
	l.foreign()
	file := func(name, value string) *topology.Topology {
		return l.load("name: " + name + "\nsysctls: {net.ipv4.conf.fv0.rp_filter: " + value +
			", net.ipv4.conf.all.log_martians: 1}\n")
	}
	before := l.settle()
	one, two := file("one", "1"), file("two", "2")
	l.apply(one)
	_, err := l.tryApply(two)
	refused(t, err, "topology one wants 1")
	l.converged(one)
	l.apply(file("two", "1"))
	l.destroy("one")
	l.wants("with two there", "ipv4/conf/fv0/rp_filter", "1")
	l.apply(file("two", "2"))
	l.wants("after a change", "ipv4/conf/fv0/rp_filter", "2")
	l.destroy("two")
	l.restored("after both left", before)
}

// A value that somebody wrote over ours is left alone, with a warning.
func TestSysctlOfSomebodyElse(t *testing.T) {
	l := newLab(t)
	l.foreign()
	topo := l.load("name: one\nsysctls: {net.ipv4.conf.fv0.rp_filter: 1}\n")
	l.apply(topo)
	l.sh("sysctl", "-qw", "net.ipv4.conf.fv0.rp_filter=2")
	if p := l.diff(topo); len(p.Steps) != 1 || p.Steps[0].Action != plan.Update {
		t.Errorf("while declared it is drift, but diff says:\n%s", planText(p))
	}
	l.destroy("one")
	l.wants("after destroy", "ipv4/conf/fv0/rp_filter", "2")
	if !strings.Contains(strings.Join(l.warnings, "\n"), "neither what was written (1) nor what it was before (0)") {
		t.Errorf("warnings: %q", l.warnings)
	}
	l.sh("sysctl", "-qw", "net.ipv4.conf.fv0.rp_filter=0")
}
