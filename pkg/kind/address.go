package kind

import (
	"net/netip"

	"github.com/plumbnet/plumb/pkg/plan"
)

// KindAddress is an IP address of a link.
const KindAddress = "address"

// Address is the wanted or live state of an IP address with its prefix length. The same address with another prefix
// length is another address.
type Address struct {
	NS, Dev string
	Prefix  netip.Prefix

	// Peer is the far end of a point-to-point address.
	Peer      netip.Addr `plan:"peer,fixed"`
	Broadcast netip.Addr `plan:"broadcast,fixed"`
	// Scope is that of an IPv4 address; IPv6 addresses have theirs by what they are.
	Scope         uint8  `plan:"scope,fixed"`
	Label         string `plan:"label,fixed"`
	NoPrefixRoute bool   `plan:"noprefixroute,fixed"`
	// DADFailed says that another station on the link has the address.
	DADFailed bool `plan:"dadfailed,fixed"`
	// Finite says that the address expires, as a DHCP client's does.
	Finite bool `plan:"expires"`
	// Metric is that of the connected route; 0 is the kernel's default.
	Metric uint32 `plan:"metric"`
	Proto  uint8  `plan:"proto,quiet"`
}

// AddressKey is the key of an address.
func AddressKey(ns, dev string, p netip.Prefix) plan.Key {
	return plan.Key{NS: ns, Kind: KindAddress, Name: dev + " " + p.String()}
}

// NewAddress is an address as plumb makes it.
func NewAddress(ns, dev string, p netip.Prefix) Address {
	a := Address{NS: ns, Dev: dev, Prefix: p, Proto: Protocol}
	if p.Addr().Is4() && p.Addr().IsLoopback() {
		a.Scope = scopeHost // as ip-address(8) does
	}
	return a
}

// scopeHost is RT_SCOPE_HOST of rtnetlink.h.
const scopeHost = 254

// Key implements [plan.Object].
func (a Address) Key() plan.Key { return AddressKey(a.NS, a.Dev, a.Prefix) }

// Needs implements [plan.Object].
func (a Address) Needs() []plan.Key { return linkNeeds(a.NS, a.Dev) }

// linkNeeds is what anything on a link needs: the link, or for lo, which comes with its namespace, that.
func linkNeeds(ns, dev string) []plan.Key {
	if dev == "lo" && ns != "" {
		return []plan.Key{NamespaceKey(ns)}
	}
	return []plan.Key{LinkKey(ns, dev)}
}

// Describe implements [plan.Object].
func (a Address) Describe() string { return "" }

// Sequence implements [plan.Sequenced]: the kernel prefers the first address of a subnet as source. It sorts IPv6
// addresses by scope first.
func (a Address) Sequence() string {
	addr := a.Prefix.Addr()
	family := "inet6"
	switch {
	case addr.Is4():
		family = "inet"
	case addr.IsLinkLocalUnicast():
		family = "inet6 link"
	case addr.IsLoopback():
		family = "inet6 host"
	}
	return a.NS + "/" + a.Dev + " " + family
}

// On implements [plan.Dependent].
func (a Address) On() []plan.Key { return linkNeeds(a.NS, a.Dev) }

// After implements [plan.Dependent]: an address goes with its link, and IPv6 goes when the MTU is too small for it.
func (a Address) After(old, now plan.Object, _ plan.World) (plan.Object, bool) {
	if now == nil {
		return a, old.Key() != LinkKey(a.NS, a.Dev) && old.Key() != NamespaceKey(a.NS)
	}
	if l, ok := now.(Link); ok && !a.Prefix.Addr().Is4() && (l.MTU < MinIPv6MTU || !l.Up) {
		return a, false
	}
	return a, true
}

// Bears implements [plan.Bearer]: with the last IPv4 address of a link go its routes, and with any address those that
// have it as source.
func (a Address) Bears() []plan.Key {
	return []plan.Key{LinkKey(a.NS, a.Dev), sourceKey(a.NS, a.Prefix.Addr())}
}
