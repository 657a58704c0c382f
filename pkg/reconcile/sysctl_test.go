package reconcile_test

import (
	"context"
	"errors"
	"fmt"
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
