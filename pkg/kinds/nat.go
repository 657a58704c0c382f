package kinds

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/plumbnet/plumb/pkg/kernel"
	"github.com/plumbnet/plumb/pkg/object"
	"github.com/plumbnet/plumb/pkg/plan"
)

// KindNAT is one entry of a section's nat list, kept in an nftables table of the topology's own.
const KindNAT = "nat"

// NAT is the wanted or live state of one entry.
type NAT struct {
	NS string
	// Entry is the entry in canonical words: "masquerade 192.168.10.0/24 out eth0". A rule that belongs to no entry is
	// called by its own words.
	Entry string
	// Subnet and Out are what the entry says; Out may be empty.
	Subnet netip.Prefix
	Out    string
	// Except lists, with a space between, the interfaces that hold the subnet.
	Except string
	// Within lists, with a space between, the subnets of links in which packets that stay inside are left alone.
	Within string
	// Rule has the entry's rules in the words of nft(8), with "; " between.
	Rule string `plan:"rule"`

	// found is the table that the entry was found in, where that was not as it is wanted.
	found kernel.NFTImage
}

// Masquerade is the entry that gives packets from subnet, on their way out, the address of the interface that they
// leave by. Without out, that is any but the interfaces in except, which hold the subnet. Within are the networks of
// those links that packets may leave by: what stays inside of one is left alone.
func Masquerade(ns string, subnet netip.Prefix, out string, except []string, within ...netip.Prefix) NAT {
	n := NAT{NS: ns, Entry: "masquerade " + subnet.String(), Subnet: subnet, Out: out, Within: inside(subnet, within)}
	if out != "" {
		n.Entry += " out " + out
	} else {
		n.Except = strings.Join(except, " ")
	}
	n.Rule = n.text()
	return n
}

// inside lists what of a subnet is in one of the networks, sorted. That of a single host is left out: nothing stays
// inside of it.
func inside(subnet netip.Prefix, networks []netip.Prefix) string {
	var list []netip.Prefix
	for _, p := range networks {
		if p = p.Masked(); !p.Overlaps(subnet) {
			continue
		}
		if p.Bits() < subnet.Bits() {
			p = subnet
		}
		if !p.IsSingleIP() {
			list = append(list, p)
		}
	}
	slices.SortFunc(list, netip.Prefix.Compare)
	var words []string
	for _, p := range slices.Compact(list) {
		words = append(words, p.String())
	}
	return strings.Join(words, " ")
}

// within is the reverse of inside.
func (n NAT) within() (list []netip.Prefix) {
	for word := range strings.FieldsSeq(n.Within) {
		if p, err := netip.ParsePrefix(word); err == nil { // written by inside
			list = append(list, p)
		}
	}
	return list
}

// NATKey is the key of an entry.
func NATKey(ns, entry string) plan.Key { return plan.Key{NS: ns, Kind: KindNAT, Name: entry} }

// Key implements [plan.Object].
func (n NAT) Key() plan.Key { return NATKey(n.NS, n.Entry) }

// Needs implements [plan.Object].
func (n NAT) Needs() []plan.Key { return object.SectionNeed(n.NS) }

// On implements [plan.Dependent].
func (n NAT) On() []plan.Key { return n.Needs() }

// After implements [plan.Dependent].
func (n NAT) After(_, now plan.Object, _ plan.World) (plan.Object, bool) { return n, now != nil }

// Describe implements [plan.Object].
func (n NAT) Describe() string { return "" }

// settleNAT adds the networks of links that the file does not declare, as of the host's uplink and of other programs'
// bridges: br_netfilter may run the frames between their ports through the chain.
func settleNAT(e *object.Env, o plan.Object) (plan.Object, error) {
	n, ok := o.(NAT)
	if !ok {
		return o, object.WrongType(KindNAT, o)
	}
	s := e.Sections[n.NS]
	if s == nil {
		return o, nil // a namespace yet to be made holds nothing but what is declared
	}
	networks := n.within()
	for _, l := range undeclaredNetworks(e, s) {
		if n.Out == "" || n.Out == l.dev {
			networks = append(networks, l.Prefix)
		}
	}
	return Masquerade(n.NS, n.Subnet, n.Out, strings.Fields(n.Except), networks...), nil
}

// linkNetwork is a network that a live link is in.
type linkNetwork struct {
	netip.Prefix
	dev string
}

// undeclaredNetworks lists the networks that others have, or get back, on links of a section that plumb did not make.
func undeclaredNetworks(e *object.Env, s *object.Section) (list []linkNetwork) {
	for _, live := range s.Addresses() {
		l := s.At(live.Index)
		if l == nil || l.Class == plan.Ours || l.Type == object.Loopback {
			continue
		}
		if k := object.LinkKey(s.NS.Name, l.Name); e.Wanted(k) && !e.Given(k) {
			continue
		}
		a := addressOf(live, s.NS.Name, l.Known, l.Name)
		if k := a.Key(); !e.Wanted(k) && !e.Record.Holds(k) && !e.MovesAddress(s, l, live) {
			list = append(list, linkNetwork{a.subnet(), l.Name})
		}
	}
	for _, o := range e.WantedHere(s.NS.Name, KindAddress) {
		if a, ok := o.(Address); ok && e.Returned[a.Key()] {
			list = append(list, linkNetwork{a.subnet(), a.Dev})
		}
	}
	return list
}
