package kinds

import (
	"net/netip"
	"strings"

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
	// Rule is the entry's rule in the words of nft(8).
	Rule string `plan:"rule"`
}

// Masquerade is the entry that gives packets from subnet, on their way out, the address of the interface that they
// leave by. Without out, that is any but the interfaces in except, which hold the subnet.
func Masquerade(ns string, subnet netip.Prefix, out string, except []string) NAT {
	n := NAT{NS: ns, Entry: "masquerade " + subnet.String(), Subnet: subnet, Out: out}
	if out != "" {
		n.Entry += " out " + out
	} else {
		n.Except = strings.Join(except, " ")
	}
	n.Rule = ruleText(n.encode())
	return n
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

// undoNAT wants back the entry as the file would declare it, whatever its rule was; not a rule made by hand, whose
// words alone are known.
func undoNAT(h plan.Have) (plan.Object, bool) {
	n, ok := h.Object.(NAT)
	if !ok || !n.Subnet.IsValid() {
		return nil, false
	}
	n.Rule = ruleText(n.encode())
	return n, true
}
