package reconcile_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/plumbnet/plumb/pkg/battery/host"
	"github.com/plumbnet/plumb/pkg/battery/snapshot"
	"github.com/plumbnet/plumb/pkg/plan"
)

// drifting has an object of each kind, and of each form that a hand can do something else to.
const drifting = `
name: drift
bridges:
  br0: {addresses: [192.168.10.1/24, 192.168.10.2/24, 192.168.10.3/24, "fd00:10::1/64", "fd00:10::2/64"]}
  br1: {}
interfaces:
  lo: {addresses: [10.255.255.1/32]}
namespaces:
  ns1:
    interfaces:
      lo: {addresses: [10.255.0.1/32]}
      eth0:
        bridge: br0
        port-name: port1
        addresses: [192.168.10.11/24, 172.16.0.1/16, 192.168.10.12/24, "fd00:10::11/64"]
      eth1: {peer: ns2/eth1, addresses: [10.0.0.1/30, "fd00:12::1/64"]}
    routes:
      - {to: default, via: 192.168.10.1}
      - {to: default, via: "fd00:10::1"}
      - {to: 10.9.0.0/16, via: 192.168.10.1, metric: 7}
      - {to: 10.8.0.0/16, type: blackhole}
      - {to: 10.7.0.0/16, via: 10.0.0.2, src: 10.255.0.1}
      - {to: 10.6.0.0/16, nexthops: [{via: 192.168.10.1, weight: 2}, {via: 10.0.0.2}]}
      - {to: "fd99:6::/48", nexthops: [{via: "fd00:10::1"}, {via: "fd00:12::2"}]}
  ns2:
    interfaces:
      eth1: {addresses: [10.0.0.2/30, "fd00:12::2/64"]}
    sysctls: {net.ipv4.ip_forward: 1, net.ipv4.conf.eth1.rp_filter: 2, net.ipv4.conf.default.log_martians: 1}
routes:
  - {to: 10.0.0.0/30, via: 192.168.10.11}
nat:
  - {masquerade: 192.168.10.0/24}
`

// drift is one change by hand.
type drift struct {
	name string
	do   string // commands of sh(1), one a line; "rest" waits until the kernel is done with those before it
	// plan are some of the steps that undo it: "action label", and what else the line begins with.
	plan []string
	// gone are links that the change itself deletes, or whose cable it breaks: they are made anew.
	gone []string
	// until is a command that succeeds when the kernel is done with the change.
	until string
	// passes says that the kernel would undo the change by itself before long, and so a rollback need not bring it back.
	passes bool
}

// TestDrift holds that any one change by hand is seen by diff, which writes nothing, and undone by apply, by just the
// steps that diff showed, without re-creating a link that is still there.
func TestDrift(t *testing.T) {
	if host.InParts(t) {
		return
	}
	l := newLab(t)
	topo := l.load(drifting)
	l.apply(topo)
	before, links := l.settle(), l.indexes()
	for _, d := range host.Share(t, slices.Concat(linkDrifts, addressDrifts, routeDrifts, otherDrifts)) {
		ok := t.Run(d.name, func(t *testing.T) {
			sub := *l
			sub.TB = t
			sub.drift(d)
			for tries := 0; d.passes && sub.rest() == before && tries < 5; tries++ {
				sub.drift(d) // the kernel was faster, as it can be where that is emulated
			}
			heal(&sub, d, before, links)
		})
		if !ok { // begin anew for those that follow
			_, _ = l.tryDestroy(topo.Name)
			_, _ = l.tryApply(topo)
			before = l.settle()
		}
		links = l.indexes()
	}
}

// drift makes the change and waits until it is made.
func (l *lab) drift(d drift) {
	l.Helper()
	for line := range strings.Lines(d.do) {
		if line = strings.TrimSpace(line); line == "rest" {
			l.rest()
			continue
		}
		l.sh("sh", "-c", line)
	}
	d.wait(l)
	l.rest()
}

// wait waits until the kernel is done with the change.
func (d drift) wait(l *lab) {
	const limit = 20 * time.Second
	for deadline := time.Now().Add(limit); d.until != "" &&
		host.Run("sh", "-c", d.until) != nil; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			l.Fatalf("after %s the kernel does not come to: %s", limit, d.until)
		}
	}
}

func heal(l *lab, d drift, before, links string) {
	l.Helper()
	topo := l.load(drifting)
	writes, drifted := l.seam.Count(), l.rest()
	if drifted == before {
		l.Error("the snapshot does not see the change")
	}
	p := l.diff(topo)
	if len(p.Steps) == 0 {
		l.Error("diff does not see the change")
	}
	if n := l.seam.Count() - writes; n != 0 {
		l.Errorf("diff made %d writes", n)
	}
	l.same("after diff", drifted, l.rest())
	r := l.apply(topo)
	var done plan.Plan
	for _, o := range r.Outcomes {
		done.Steps = append(done.Steps, o.Step)
	}
	if shown, did := planText(p), planText(done); shown != did {
		l.Errorf("diff showed\n%sapply did\n%s", shown, did)
	}
	for _, want := range d.plan {
		if !strings.Contains("\n"+planText(p), "\n"+want) {
			l.Errorf("the plan lacks %q:\n%s", want, planText(p))
		}
	}
	l.restored("after the change was undone", before)
	if was, is := keep(links, d.gone), keep(l.indexes(), d.gone); was != is {
		l.Errorf("links were re-created:\n%s", snapshot.Difference(was, is))
	}
	if l.Failed() {
		l.Logf("the plan was\n%s", planText(p))
	}
}

// keep leaves out the lines about some links.
func keep(lines string, without []string) string {
	var kept []string
	for line := range strings.Lines(lines) {
		name, _, _ := strings.Cut(line, " ")
		if !slices.Contains(without, name) {
			kept = append(kept, line)
		}
	}
	return strings.Join(kept, "")
}

// TestUntouched lists what is left as it is in what we own: what other programs make there.
func TestUntouched(t *testing.T) {
	if host.InParts(t) {
		return
	}
	for _, d := range host.Share(t, []drift{
		{name: "a link in a namespace", do: "ip -n ns1 link add foreign0 type bridge\nip -n ns1 link set foreign0 up"},
		{name: "a route of bird", do: "ip -n ns1 route add 10.66.0.0/16 via 192.168.10.1 proto bird"},
		{name: "a route of zebra", do: "ip -n ns1 route add 10.66.0.0/16 via 192.168.10.1 proto zebra metric 20"},
		{name: "an IPv6 route of bird", do: "ip -n ns1 -6 route add fd66::/32 via fd00:10::1 proto bird"},
		{name: "an address of DHCP", do: "ip -n ns1 address add 10.55.0.9/24 dev eth0 valid_lft 3600 preferred_lft 3600"},
		{name: "an address of DHCP in a subnet of ours",
			do: "ip -n ns1 address add 192.168.10.90/24 dev eth0 valid_lft 3600 preferred_lft 3600"},
		{name: "a link-local address", do: "ip -n ns1 address add fe80::99/64 dev eth0 nodad"},
		{name: "a table of nftables", do: "ip netns exec ns1 nft add table inet foreign"},
		{name: "a learned neighbour", do: "ip -n ns1 neighbor add 192.168.10.77 lladdr 02:00:00:00:00:77 dev eth0 nud stale"},
	}) {
		t.Run(d.name, func(t *testing.T) {
			l := newLab(t)
			topo := l.load(drifting)
			l.apply(topo)
			l.settle()
			l.drift(d)
			before := l.rest()
			if p := l.diff(topo); len(p.Steps) > 0 {
				t.Errorf("diff would\n%s", planText(p))
			}
			l.apply(topo)
			l.same("after apply", before, l.rest())
		})
	}
}

// An address that is made anew does not take the routes of its link with it while another's is there.
func TestRoutesStayWithAnAddressOfDHCP(t *testing.T) {
	l := newLab(t)
	topo := l.load(drifting)
	l.apply(topo)
	before := l.settle()
	l.drift(drift{do: `ip -n ns2 address add 10.55.0.9/24 dev eth1 valid_lft 3600 preferred_lft 3600
		ip -n ns2 address del 10.0.0.2/30 dev eth1
		ip -n ns2 address add 10.0.0.2/30 broadcast 10.0.0.3 dev eth1`})
	l.apply(topo)
	l.sh("ip", "-n", "ns2", "address", "del", "10.55.0.9/24", "dev", "eth1")
	l.restored("after the address of DHCP went", before)
}

// A link of the host without its stamp is not ours any more; --adopt takes it back, in place.
func TestStampRemoved(t *testing.T) {
	l := newLab(t)
	topo := l.load(drifting)
	l.apply(topo)
	before, links := l.settle(), l.indexes()
	l.drift(drift{do: "ip link set br1 group 0 alias ''"})
	bare := l.rest()
	if p := l.diff(topo); !p.Refused() {
		t.Errorf("diff does not refuse:\n%s", planText(p))
	}
	_, err := l.tryApply(topo)
	refused(t, err, "--adopt")
	l.same("after the refusal", bare, l.rest())
	l.apply(topo, adopt)
	l.restored("after --adopt", before)
	if d := snapshot.Difference(links, l.indexes()); d != "" {
		t.Errorf("links were re-created:\n%s", d)
	}
}
