package reconcile_test

import (
	"testing"
	"time"

	"github.com/plumbnet/plumb/pkg/battery/host"
	"github.com/plumbnet/plumb/pkg/plan"
	"github.com/plumbnet/plumb/pkg/reconcile"
	"github.com/plumbnet/plumb/pkg/topology"
)

// adoption is something that is there, and a topology that takes it over.
type adoption struct {
	name, do, undo string // commands of sh(1), one a line
	other          string // another topology that is applied before, if any
	file           string
	takes          []string // what is adopted, as "link lan"
}

var adoptions = []adoption{
	{
		name: "a bridge",
		do: `ip link add lan mtu 1400 group 7 type bridge stp_state 1
			ip link set lan alias mine
			ip link set lan up
			ip address add 10.9.9.9/24 dev lan
			ip address add 10.9.9.8/24 dev lan valid_lft 1000 preferred_lft 900
			ip address add fd09::9/64 dev lan nodad
			ip route add 10.99.0.0/16 via 10.9.9.1 dev lan initcwnd 12 onlink`,
		undo:  "ip link del lan",
		file:  "bridges: {lan: {addresses: [10.9.9.9/24, 10.9.8.1/24]}}\nroutes: [{to: 10.99.0.0/16, via: 10.9.9.2}]",
		takes: []string{"link lan"},
	},
	{
		name: "a bridge that is up, without a link-local address", do: `ip link add lan type bridge
			sysctl -q -w net.ipv6.conf.lan.addr_gen_mode=1
			ip link set lan up`,
		undo: "ip link del lan", file: `bridges: {lan: {addresses: ["fd09::9/64"]}}`, takes: []string{"link lan"},
	},
	{
		name: "a bridge without IPv6", do: `ip link add lan type bridge
			sysctl -q -w net.ipv6.conf.lan.disable_ipv6=1
			sysctl -q -w net.ipv4.conf.lan.promote_secondaries=0
			sysctl -q -w net.ipv4.conf.lan.forwarding=1
			ip link set lan up`,
		undo: "ip link del lan", file: `bridges: {lan: {addresses: ["fd09::9/64"]}}`, takes: []string{"link lan"},
	},
	{
		name: "a bridge with ports", do: `ip link add lan up address 02:00:00:00:00:08 type bridge
			ip link add p0 up type veth peer name p1
			ip link set p1 up
			ip link set p0 master lan`,
		undo:  "ip link del lan\nip link del p0",
		file:  "bridges: {lan: {addresses: [10.9.9.9/24]}}\nnamespaces: {n1: {interfaces: {eth0: {bridge: lan}}}}",
		takes: []string{"link lan"},
	},
	{
		name: "a cable", do: "ip link add a0 type veth peer name a1\nip link set a1 up", undo: "ip link del a0",
		file: "interfaces: {a0: {peer: a1, addresses: [10.9.7.1/24]}}", takes: []string{"link a0", "link a1"},
	},
	{
		name: "a tunnel", do: "ip link add vx type vxlan id 7 dstport 4789 remote 192.0.2.7", undo: "ip link del vx",
		file: "interfaces: {vx: {vxlan: {id: 7, remote: 192.0.2.9}}}", takes: []string{"link vx"},
	},
	{
		name: "a macvlan", do: "ip link add lan up type bridge\nip link add mv link lan type macvlan mode vepa",
		undo: "ip link del lan", file: "interfaces: {mv: {macvlan: {parent: lan, mode: private}}}",
		takes: []string{"link mv"},
	},
	{
		name: "an ifb", do: "ip link add ib txqueuelen 7 address 02:00:00:00:00:07 type ifb", undo: "ip link del ib",
		file: "interfaces: {ib: {mac: \"02:00:00:00:00:07\", mtu: 1400, ifb: {}}}", takes: []string{"link ib"},
	},
	{
		name: "a new namespace", do: "ip netns add n1", undo: "ip netns del n1", file: "namespaces: {n1: {}}",
		takes: []string{"namespace n1"},
	},
	{
		name: "a namespace that somebody has set up", do: `ip netns add n1
			ip -n n1 link set lo up group 9 alias mine
			ip -n n1 address add 10.9.9.9/32 dev lo
			ip netns exec n1 sysctl -q -w net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
			ip -n n1 link add eth0 type bridge
			ip -n n1 link add eth1 up type bridge
			ip netns exec n1 sysctl -q -w net.ipv4.conf.eth1.forwarding=0 net.ipv4.conf.all.accept_redirects=1
			ip netns exec n1 sysctl -q -w net.ipv6.conf.eth1.forwarding=0
			ip -n n1 address add 10.9.8.1/24 dev eth1
			ip -n n1 route add default via 10.9.8.2
			ip netns exec n1 nft add table inet mine`,
		undo: "ip netns del n1", file: "namespaces: {n1: {bridges: {eth0: {addresses: [10.9.7.1/24]}}}}",
		takes: []string{"namespace n1"},
	},
	{
		name: "a route of the host", do: `ip link add lan up type bridge
			ip address add 10.9.9.9/24 dev lan
			ip route add 10.99.0.0/16 via 10.9.9.1 proto static metric 5 initcwnd 12
			ip route append 10.99.0.0/16 via 10.9.9.2 metric 5
			ip -6 route add blackhole fd99::/64`,
		undo:  "ip -6 route del blackhole fd99::/64\nip link del lan",
		file:  `routes: [{to: 10.99.0.0/16, via: 10.9.9.3, metric: 5}, {to: "fd99::/64", type: unreachable}]`,
		takes: []string{"route 10.99.0.0/16 metric 5", "route fd99::/64"},
	},
	{
		name: "an address of the host's lo", do: "ip address add 10.9.9.9/32 dev lo valid_lft 1000 preferred_lft 500",
		undo: "ip address del 10.9.9.9/32 dev lo", file: "interfaces: {lo: {addresses: [10.9.9.9/32]}}",
		takes: []string{"address lo 10.9.9.9/32"},
	},
	{
		name: "a rule", do: "ip rule add from 10.9.0.0/16 table 77 priority 100", undo: "ip rule del priority 100",
		file:  "rules: [{priority: 100, from: 10.9.0.0/16, table: 77}]",
		takes: []string{"rule inet 100: from 10.9.0.0/16 lookup 77"},
	},
	{
		name: "a bridge that leads to a route of another topology",
		do:   "ip link add lan up type bridge\nip address add 10.9.9.9/24 dev lan\nip address add 10.9.6.9/24 dev lan",
		undo: "ip link del lan",
		other: "name: other\nroutes: [{to: 10.98.0.0/16, via: 10.9.9.1}, {to: 10.97.0.0/16, via: 10.9.6.1, dev: lan}, " +
			"{to: 10.96.0.0/16, type: blackhole}]\nsysctls: {net.ipv4.conf.lan.rp_filter: 2}\n",
		file: "bridges: {lan: {}}", takes: []string{"link lan"},
	},
}

// An apply with --adopt that fails, or that nobody confirms, gives back what it has taken over, to the byte. Nothing is
// left of it in the host record, and the next diff of each topology is as before.
func TestRollbackGivesBackWhatWasAdopted(t *testing.T) {
	if host.InParts(t) {
		return
	}
	for _, a := range host.Share(t, adoptions) {
		t.Run(a.name, func(t *testing.T) {
			l := newLab(t)
			l.drift(drift{do: a.do})
			l.fixture(func() { l.drift(drift{do: a.undo}) })
			if a.other != "" {
				l.apply(l.load(a.other))
			}
			topo, before := l.load("name: x\n"+a.file+"\n"), l.rest()
			shown := planText(l.diff(topo, adopt))
			l.undone("unconfirmed", topo, before, adopt, unconfirmed)
			r, writes := l.adoptionAs(topo)
			for _, want := range a.takes {
				if !takes(r.Plan, want) {
					t.Errorf("%s is not adopted:\n%s", want, planText(r.Plan))
				}
			}
			for k := int64(2); k <= writes; k++ {
				l.undone("a write failed", topo, before, adopt, unconfirmed, through(at(k, faults["not made"])))
				l.undone("a write that was made failed", topo, before, adopt, unconfirmed,
					through(at(k, faults["made and reported as failed"])))
			}
			if now := planText(l.diff(topo, adopt)); now != shown {
				t.Errorf("the plan was\n%s\nand is\n%s", shown, now)
			}
			if a.other != "" {
				l.inSync(l.load(a.other))
			}
		})
	}
}

// adoptionAs tells what an apply with --adopt does, which nobody confirms, and counts the writes before that.
func (l *lab) adoptionAs(topo *topology.Topology) (r reconcile.Report, writes int64) {
	l.Helper()
	start := l.seam.Count()
	r, _ = l.tryApply(topo, adopt, unconfirmed, func(o *reconcile.Options) {
		o.Waiting = func(time.Duration) { writes = l.seam.Count() - start }
	})
	return r, writes - 1 // without the socket for the confirmation
}

func takes(p plan.Plan, label string) bool {
	for _, s := range p.Steps {
		if s.Action == plan.Adopt && s.Key().Label() == label {
			return true
		}
	}
	return false
}
