package reconcile_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/plumbnet/plumb/pkg/kernel"
	"github.com/plumbnet/plumb/pkg/plan"
	"github.com/plumbnet/plumb/pkg/reconcile"
)

// The topology in whose namespace others make links, and use those that say so.
const shared = `
name: x
bridges: {br0: {addresses: [192.168.10.1/24]}}
namespaces:
  ns1:
    interfaces:
      lo: {dynamic: true}
      eth0: {bridge: br0, dynamic: true, addresses: [192.168.10.11/24]}
      eth1: {peer: ns2/eth1, addresses: [10.0.0.1/24]}
    routes: [{to: 10.9.0.0/16, via: 192.168.10.1}]
  ns2: {}
`

// others makes in ns1 what is not plumb's.
func (l *lab) others() {
	l.Helper()
	l.script(`
		ip -n ns1 link add vx0 address 02:f0:00:00:00:01 type vxlan id 7 remote 10.0.0.2 dstport 4789
		ip -n ns1 link set vx0 up
		ip -n ns1 address add 172.20.0.1/24 dev vx0
		ip -n ns1 address add fd20::1/64 dev vx0 nodad
		ip -n ns1 route add 172.21.0.0/16 via 172.20.0.2
		ip -n ns1 -6 route add fd21::/48 via fd20::2
		ip -n ns1 address add 192.168.10.50/24 dev eth0
		ip -n ns1 address add 10.55.0.1/24 dev eth0
		ip -n ns1 route add default via 192.168.10.1
		ip -n ns1 address add 10.255.0.1/32 dev lo`)
}

// theirs are lines of ip(8) that tell of what others made in ns1.
func (l *lab) theirs() string {
	l.Helper()
	var kept []string
	for _, what := range []string{"-4 -o address", "-6 -o address", "-4 route", "-6 route"} {
		for line := range strings.Lines(l.sh("ip", append([]string{"-n", "ns1"}, strings.Fields(what)...)...)) {
			for _, their := range []string{"vx0", "10.50/", "10.55", "default", "10.255"} {
				if strings.Contains(line, their) && !strings.Contains(line, "fe80") {
					kept = append(kept, line)
					break
				}
			}
		}
	}
	return strings.Join(kept, "")
}

// TestOthersSurviveEdits changes a topology, lets changes fail, and heals it, while others have their own links in its
// namespace, and addresses on links that say dynamic.
func TestOthersSurviveEdits(t *testing.T) {
	l := newLab(t)
	l.apply(l.load(shared))
	l.others()
	before, theirs := l.settle(), l.theirs()
	if n := strings.Count(theirs, "\n"); n < 10 {
		t.Fatalf("%d lines tell of what others made:\n%s", n, theirs)
	}
	edited := l.load(strings.NewReplacer("10.0.0.1/24", `10.0.0.1/24, 10.1.0.1/24, "fd01::1/64"`,
		"192.168.10.11/24", "192.168.10.11/24, 192.168.10.12/24", "10.9.0.0/16", "10.8.0.0/16",
		"peer: ns2/eth1", "peer: ns2/eth2").Replace(shared))
	for k := int64(3); ; k++ {
		_, err := l.tryApply(edited, through(at(k, func(kernel.Write, func() error) error { return errInjected })))
		if err == nil {
			break
		}
		if !errors.Is(err, reconcile.ErrRolledBack) {
			t.Errorf("write %d fails: %v", k, err)
		}
		l.restored("after the rollback", before)
	}
	l.same("after the edit", theirs, l.theirs())
	l.converged(edited)
	l.sh("ip", "-n", "ns1", "address", "del", "10.1.0.1/24", "dev", "eth1")
	l.apply(edited)
	l.apply(l.load(shared))
	l.same("after the heal, and back", theirs, l.theirs())
	l.restored("there and back", before)

	strict := l.load(strings.ReplaceAll(shared, "dynamic: true", "dynamic: false"))
	gone := planText(l.apply(strict).Plan)
	for _, want := range []string{
		`delete address ns1/eth0 192.168.10.50/24: made by hand; "dynamic: true" on eth0 would keep it`,
		`delete route ns1 default: made by hand; "dynamic: true" on eth0 would keep it`,
		`delete address ns1/lo 10.255.0.1/32: made by hand; "dynamic: true" on lo would keep it`,
	} {
		if !strings.Contains(gone, want) {
			t.Errorf("the plan lacks %q:\n%s", want, gone)
		}
	}
	l.converged(strict)
}

// TestAdoptKeepsOthers takes a namespace over in which others have a link of their own.
func TestAdoptKeepsOthers(t *testing.T) {
	l := newLab(t)
	topo := l.load(shared)
	l.script(`
		ip netns add ns1
		ip -n ns1 link set lo up
		ip -n ns1 link add vx0 type ifb
		ip -n ns1 link set vx0 up
		ip -n ns1 address add 172.20.0.1/24 dev vx0
		ip -n ns1 route add 172.21.0.0/16 via 172.20.0.2`)
	theirs := l.theirs()
	report := l.apply(topo, adopt)
	for _, s := range report.Plan.Steps {
		if s.Action == plan.Delete {
			t.Errorf("deleted: %s", planText(report.Plan))
		}
	}
	l.same("after the namespace was adopted", theirs, l.theirs())
	l.converged(topo)
}
