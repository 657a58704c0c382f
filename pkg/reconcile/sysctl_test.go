package reconcile_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/plumbnet/plumb/pkg/reconcile"
)

// unsettable are sysctls that can't be set, by section, each with what is said of it.
var unsettable = []struct{ in, sysctl, problem string }{
	{"", "net.ipv4.ip_forwrd", `net.ipv4.ip_forwrd: no such parameter: did you mean "net.ipv4.ip_forward"?`},
	{"", "net.ipv4.cnof.fv0.rp_fliter", `no such parameter: did you mean "net.ipv4.conf.fv0.rp_filter"?`},
	{"", "net.ipv4.nonsense", "net.ipv4.nonsense: no such parameter"},
	{"", "net.ipv4.tcp_rmem.x", "net.ipv4.tcp_rmem.x: no such parameter"},
	{"", "net.ipv4.conf.fw0.rp_filter", `no such interface: fw0 is not there: did you mean "fv0"?`},
	{"", "net.ipv6.neigh.other9.mcast_solicit", "no such interface: other9 is not there"},
	{"", "net.ipv6.conf.small0.accept_ra", "small0 has no IPv6: that needs an MTU of at least 1280, and its MTU is 1000"},
	{"", "net.ipv4.conf", "is a group of parameters"},
	{"", "net.ipv4.conf.all.mc_forwarding", "is read-only"},
	{"", "net.ipv4.route.flush", "can only be written"},
	{"", "net.mpls.no_such", "modprobe mpls_router"},
	{"ns1", "net.core.rmem_max", "exists only on the host"},
	{"ns1", "net.core.somaxcon", `did you mean "net.core.somaxconn"?`},
	{"ns1", "net.ipv4.conf.eth0.rp_fliter", `did you mean "net.ipv4.conf.eth0.rp_filter"?`},
	{"ns1", "net.ipv6.conf.default.acept_ra", `did you mean "net.ipv6.conf.default.accept_ra"?`},
}

// unsettableIn is a topology with a sysctl in a section.
func unsettableIn(in, sysctl string) string {
	host, ns := "", sysctl+": 1"
	if in == "" {
		host, ns = ns, ""
	}
	return fmt.Sprintf("name: x\nsysctls: {%s}\n"+
		"namespaces: {ns1: {interfaces: {eth0: {peer: host/x0}}, sysctls: {%s}}}\n", host, ns)
}

// A sysctl that can't be set is reported with its place before anything is changed, by diff too; where the namespace is
// still to be made, and where it is there.
func TestMistypedSysctl(t *testing.T) {
	l := newLab(t)
	l.foreign()
	l.script("ip link add small0 mtu 1000 type veth peer name small1")
	l.fixture(func() { l.sh("ip", "link", "del", "small0") })
	for _, made := range []bool{false, true} {
		if made {
			l.apply(l.load(unsettableIn("", "net.ipv4.ip_forward")))
		}
		before := l.settle()
		for _, u := range unsettable {
			topo, line := l.load(unsettableIn(u.in, u.sysctl)), "test.yaml:2: "
			if u.in != "" {
				line = "test.yaml:3: "
			}
			h := l.open()
			_, diff := h.Diff(context.Background(), topo)
			_, apply := h.Apply(context.Background(), topo)
			for verb, err := range map[string]error{"diff": diff, "apply": errors.Join(apply, h.Close())} {
				if !errors.Is(err, reconcile.ErrNotRun) || !strings.Contains(fmt.Sprint(err), u.problem) ||
					!strings.Contains(fmt.Sprint(err), line+"sysctl ") {
					t.Errorf("%s of %s in %q: %v, want %s%s", verb, u.sysctl, u.in, err, line, u.problem)
				}
			}
		}
		l.same("after sysctls that can't be set", before, l.settle())
	}
}

// All that can't be set are told at once, and a link that goes has no parameter left to set.
func TestSysctlOfLinkThatGoes(t *testing.T) {
	l := newLab(t)
	l.apply(l.load("name: x\nbridges: {br7: {}}\n"))
	_, err := l.tryApply(l.load("name: x\nsysctls: {net.ipv4.conf.br7.rp_filter: 1, net.ipv4.ip_forwrd: 1}\n"))
	for _, want := range []string{"interface br7 goes: the file no longer declares it", "net.ipv4.ip_forwrd: no such"} {
		if !errors.Is(err, reconcile.ErrNotRun) || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want ErrNotRun with %q", err, want)
		}
	}
}

// otherwise are values that the kernel writes otherwise, and what it makes of them.
var otherwise = []struct{ sysctl, written, read, drift string }{
	{"net.ipv4.ip_local_reserved_ports", "8080,9000-9005,8081", "8080-8081,9000-9005", "8080"},
	{"net.ipv4.conf.all.log_martians", "0x1", "1", "0"},
	{"net.ipv4.conf.fv0.rp_filter", "02", "2", "0"},
	{"net.core.somaxconn", "010", "8", "4096"},
	{"net.ipv4.ping_group_range", "0 0x10", "0 16", "1 0"},
	{"net.ipv6.conf.all.accept_ra", "0x2", "2", "1"},
}

// A value that the kernel writes otherwise is written once. What the kernel made of it is compared from then on, and it
// is healed and given back as any other.
func TestSysctlWrittenOtherwise(t *testing.T) {
	for _, in := range []string{"host", "ns1"} {
		for _, v := range otherwise {
			t.Run(in+" "+v.sysctl, func(t *testing.T) {
				l := newLab(t)
				l.foreign()
				before := l.settle()
				set := "sysctls: {" + v.sysctl + ": \"" + v.written + "\"}"
				yaml, sysctl := "name: x\n"+set+"\n", v.sysctl
				enter := []string{}
				if in == "ns1" {
					sysctl = strings.Replace(sysctl, "fv0", "lo", 1)
					yaml = "name: x\nnamespaces: {ns1: {" + strings.Replace(set, "fv0", "lo", 1) + "}}\n"
					enter = []string{"nsenter", "--net=/run/netns/ns1"}
				}
				run := func(args ...string) string {
					l.Helper()
					args = append(slices.Clone(enter), args...)
					return strings.Join(strings.Fields(l.sh(args[0], args[1:]...)), " ")
				}
				topo := l.load(yaml)
				l.apply(topo)
				if got := run("sysctl", "-n", sysctl); got != v.read {
					t.Errorf("the kernel made %q of %q, want %q", got, v.written, v.read)
				}
				l.converged(topo)
				run("sysctl", "-qw", sysctl+"="+v.drift)
				if p := l.diff(topo); len(p.Steps) != 1 {
					t.Errorf("after a change by hand diff says:\n%s", planText(p))
				}
				l.apply(topo)
				l.converged(topo)
				l.destroy("x")
				l.restored("after destroy", before)
			})
		}
	}
}

// Without a record one more write is made, and not another one after that.
func TestSysctlWrittenOtherwiseWithoutRecord(t *testing.T) {
	l := newLab(t)
	topo := l.load("name: x\nnamespaces: {ns1: {sysctls: {net.ipv4.conf.all.log_martians: 0x1}}}\n")
	l.apply(topo)
	l.sh("sh", "-c", "rm /run/plumb/*/host.json")
	if p := l.diff(topo); len(p.Steps) != 1 {
		t.Errorf("without a record diff says:\n%s", planText(p))
	}
	l.apply(topo)
	l.converged(topo)
}

// A failing change from one such value to another leads back to the first, and two topologies may write one value in
// two ways when the kernel is known to make the same of them.
func TestSysctlWrittenOtherwiseRollback(t *testing.T) {
	l := newLab(t)
	const one = "name: x\nsysctls: {net.ipv4.ip_local_reserved_ports: \"8080,8081\", net.core.somaxconn: 0x10}\n"
	topo := l.load(one)
	l.apply(topo)
	before := l.settle()
	_, err := l.tryApply(l.load(strings.Replace(one, "8080,", "80,79,", 1) +
		"namespaces: {ns1: {sysctls: {net.ipv4.tcp_congestion_control: nonsense}}}\n"))
	if !errors.Is(err, reconcile.ErrRolledBack) || !strings.Contains(err.Error(), `refuses the value "nonsense"`) {
		t.Errorf("the error is %v, want ErrRolledBack that names the value", err)
	}
	l.same("after the rollback", before, l.settle())
	l.converged(topo)
	other := l.load("name: y\nsysctls: {net.core.somaxconn: 16}\n")
	l.apply(other)
	l.converged(other)
	l.converged(topo)
}

// A value that the kernel refuses is named, and its parameter.
func TestSysctlRefusedValue(t *testing.T) {
	l := newLab(t)
	for _, v := range [][2]string{
		{"net.ipv4.tcp_congestion_control", "nonsense"}, {"net.core.somaxconn", "many"},
		{"net.ipv4.conf.all.rp_filter", "1x"}, {"net.ipv4.ip_local_reserved_ports", "80-"},
		{"net.ipv4.ip_default_ttl", "256"},
	} {
		_, err := l.tryApply(l.load("name: x\nsysctls: {" + v[0] + ": \"" + v[1] + "\"}\n"))
		want := "sysctl " + v[0] + ": "
		if !errors.Is(err, reconcile.ErrRolledBack) || !strings.Contains(err.Error(), want) ||
			!strings.Contains(err.Error(), fmt.Sprintf("the kernel refuses the value %q", v[1])) {
			t.Errorf("%s = %s: %v", v[0], v[1], err)
		}
	}
}
