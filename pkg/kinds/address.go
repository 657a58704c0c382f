package kinds

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/plumbnet/plumb/pkg/kernel"
	"github.com/plumbnet/plumb/pkg/link"
	"github.com/plumbnet/plumb/pkg/object"
	"github.com/plumbnet/plumb/pkg/plan"
)

// KindAddress is an IP address of a link.
const KindAddress = "address"

// Address is the wanted or live state of an IP address with its prefix length. In IPv4, the same address with another
// prefix length is another address; an IPv6 address is on a link once.
type Address struct {
	NS, Dev string
	// Prefix is what the address is known by. That of a live IPv6 address has the length that is wanted for it.
	Prefix netip.Prefix

	// Length is that of the prefix. The connected route goes and comes with it.
	Length Length `plan:"prefix length,fixed,swap"`
	// Peer is the far end of a point-to-point address.
	Peer      netip.Addr `plan:"peer"`
	Broadcast netip.Addr `plan:"broadcast,fixed"`
	// Scope is that of an IPv4 address; IPv6 addresses have theirs by what they are.
	Scope         uint8  `plan:"scope,fixed"`
	Label         string `plan:"label,fixed"`
	NoPrefixRoute bool   `plan:"noprefixroute"`
	// DADFailed says that another station on the link has the address.
	DADFailed bool `plan:"dadfailed,fixed"`
	// Tentative says that the kernel does not use an IPv6 address yet, as it looks for another station that has it.
	Tentative bool `plan:"tentative"`
	// Finite says that the address expires, as a DHCP client's does.
	Finite bool `plan:"expires"`
	// Connected says that the kernel's route to the subnet is there, or that the kernel makes none.
	Connected bool `plan:"connected route"`
	// ToPeer says the same of the route to the peer of an IPv6 address; that of IPv4 has no other network.
	ToPeer bool `plan:"route to the peer"`
	// Metric is that of the connected route; 0 is the kernel's default.
	Metric uint32 `plan:"metric"`
	Proto  uint8  `plan:"proto,quiet"`

	// found is the address where it is not as it is wanted.
	found object.Found
	// moves says that it is another's and goes because it is on a link that becomes a port: see [object.Moved].
	moves bool
	// falls says that it is another's, and that the kernel is about to take it.
	falls bool
	// theirs says that it is another's, and stays.
	theirs bool
}

// Claims implements [plan.Exclusive]: a gateway cannot be an address of the section's own, and must have gone as that
// before a route leads to it. IPv6 refuses the route (net/ipv6/route.c: ip6_validate_gw); IPv4 takes it, and sends to
// no gateway, even when the address has gone (net/ipv4/fib_semantics.c: fib_check_nh, by the scope of the next hop).
func (a Address) Claims() []plan.Key {
	if a.theirs {
		return nil
	}
	return []plan.Key{gatewayClaim(a.NS, a.Dev, a.Prefix.Addr())}
}

// Shares implements [plan.Sharing]: an address may come before the route goes.
func (a Address) Shares(plan.Key, plan.Object) bool { return true }

// gatewayClaim is the claim on an address as the section's own, or as a gateway. A link-local one is known by its link.
func gatewayClaim(ns, dev string, a netip.Addr) plan.Key {
	k := plan.Key{NS: ns, Kind: "gateway", Name: a.String()}
	if a.Is6() && a.IsLinkLocalUnicast() {
		k.Name += "%" + dev
	}
	return k
}

// Yields implements [plan.Yielding]: with an address that moves, packets would still leave by its link.
func (a Address) Yields() bool { return a.moves }

// Length is a prefix length.
type Length uint8

func (l Length) String() string { return fmt.Sprintf("/%d", uint8(l)) }

// AddressKey is the key of an address.
func AddressKey(ns, dev string, p netip.Prefix) plan.Key {
	const long = 64 // as an IPv6 prefix and a name of IFNAMSIZ need
	name := append(append(make([]byte, 0, long), dev...), ' ')
	return plan.Key{NS: ns, Kind: KindAddress, Name: string(p.AppendTo(name))}
}

// NewAddress is an address as plumb makes it.
func NewAddress(ns, dev string, p netip.Prefix) Address {
	a := Address{
		NS: ns, Dev: dev, Prefix: p, Length: Length(p.Bits()), Connected: true, ToPeer: true, Proto: object.Protocol,
	}
	if p.Addr().Is4() && p.Addr().IsLoopback() {
		a.Scope = scopeHost // as ip-address(8) does
	}
	return a
}

// actual is the address with the prefix length that it has.
func (a Address) actual() netip.Prefix { return netip.PrefixFrom(a.Prefix.Addr(), int(a.Length)) }

// scopeHost is RT_SCOPE_HOST of rtnetlink.h.
const scopeHost = 254

// Key implements [plan.Object]. An IPv4 address with a peer in another network is another address
// (net/ipv4/devinet.c: find_matching_ifa).
func (a Address) Key() plan.Key {
	k := AddressKey(a.NS, a.Dev, a.Prefix)
	if a.isByPeer() {
		k.Name += " peer " + a.subnet().String()
	}
	return k
}

// isByPeer says whether the peer is a part of what the address is known by.
func (a Address) isByPeer() bool { return a.Peer.Is4() && a.subnet() != a.Prefix.Masked() }

// Needs implements [plan.Object].
func (a Address) Needs() []plan.Key { return []plan.Key{object.LinkNeed(a.NS, a.Dev)} }

// Describe implements [plan.Object]: the peer, where its key does not tell it.
func (a Address) Describe() string {
	if !a.Peer.IsValid() || a.isByPeer() {
		return ""
	}
	return "peer " + a.Peer.String()
}

// Fixed implements [plan.Rigid]: of an IPv4 address the kernel ignores most of what differs, before Linux 6.4 the
// protocol number too (net/ipv4/devinet.c: inet_rtm_newaddr); of IPv6 it ignores that there is no peer any longer
// (net/ipv6/addrconf.c: inet6_addr_modify).
func (a Address) Fixed(plan.Object) []string {
	fixed := []string{"peer", "noprefixroute"}
	switch {
	case a.Prefix.Addr().Is4() && !kernel.Since(6, 4):
		return append(fixed, "proto")
	case a.Prefix.Addr().Is4():
		return fixed
	case !a.Peer.IsValid():
		return fixed[:1]
	}
	return nil
}

// subnet is what the address is in: of IPv4, the network of its peer.
func (a Address) subnet() netip.Prefix {
	if a.Peer.IsValid() && a.Prefix.Addr().Is4() {
		return netip.PrefixFrom(a.Peer, int(a.Length)).Masked()
	}
	return a.actual().Masked()
}

// network is the subnet that is reached over the link because of the address; it is not valid where the kernel makes no
// route.
func (a Address) network() netip.Prefix {
	if a.NoPrefixRoute {
		return netip.Prefix{}
	}
	return a.subnet()
}

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

// Join implements [plan.Sequenced]: IPv4 has all primaries, the first of each subnet, before all secondaries; the
// newest is the last of its part.
func (a Address) Join(members []plan.Object) []plan.Object {
	at := 0
	for i, m := range members {
		if sameSubnet(m, a) {
			return append(members, a)
		}
		if primary(members, i) {
			at = i + 1
		}
	}
	if !a.Prefix.Addr().Is4() {
		at = len(members)
	}
	return slices.Insert(members, at, plan.Object(a))
}

// Leave implements [plan.Sequenced]: when a primary goes, its first secondary becomes the primary. If it does not
// follow at once, it is moved behind the last primary, or, when the one that goes was that, to its place
// (net/ipv4/devinet.c: __inet_del_ifa, as since Linux 6.6 and the stable kernels of that time).
func (a Address) Leave(members []plan.Object) []plan.Object {
	i := slices.Index(members, plan.Object(a))
	if i < 0 {
		return members
	}
	rest := slices.Delete(slices.Clone(members), i, i+1)
	next := slices.IndexFunc(rest, func(m plan.Object) bool { return sameSubnet(m, a) })
	if !a.Prefix.Addr().Is4() || next <= i {
		return rest
	}
	to := i
	for j := i; j < next; j++ {
		if primary(members, j+1) {
			to = j + 1
		}
	}
	promoted := rest[next]
	return slices.Insert(slices.Delete(rest, next, next+1), to, promoted)
}

// primary says whether a member is the first of its subnet.
func primary(members []plan.Object, i int) bool {
	return !slices.ContainsFunc(members[:i], func(m plan.Object) bool { return sameSubnet(m, members[i]) })
}

func sameSubnet(a, b plan.Object) bool {
	x, ok := a.(Address)
	y, also := b.(Address)
	return ok && also && x.Prefix.Addr().Is4() && y.Prefix.Addr().Is4() && x.subnet() == y.subnet()
}

// On implements [plan.Dependent]. A source address is there as long as one link has it.
func (a Address) On() []plan.Key {
	k := []plan.Key{object.LinkNeed(a.NS, a.Dev), sourceKey(a.NS, a.Prefix.Addr())}
	if a.falls && a.Prefix.Addr().Is6() {
		k = append(k, offOnAll(a.NS))
	}
	return k
}

// After implements [plan.Dependent]: an address goes with its link, IPv6 goes when the MTU is too small for it, and
// what is declared beside the link-local address that the kernel derives is made anew after that.
func (a Address) After(old, now plan.Object, _ plan.World) (plan.Object, bool) {
	if old.Key() == offOnAll(a.NS) {
		return a, !cuts6(old, now)
	}
	if now == nil {
		return a, old.Key() != object.LinkKey(a.NS, a.Dev) && old.Key() != object.NamespaceKey(a.NS)
	}
	l, ok := now.(link.Link)
	if !ok || a.Prefix.Addr().Is4() {
		return a, true
	}
	was, changed := old.(link.Link)
	derivesAnew := changed && l.Derives(was)
	restarted := changed && l.Restarted(was)
	return a, l.CarriesIPv6() && !restarted && !(derivesAnew && object.BesideDerived(a.Prefix.Addr(), a.Proto))
}

// Bears implements [plan.Bearer]: with the last IPv4 address of a link go its routes, and with any address those that
// have it as source.
func (a Address) Bears() []plan.Key {
	return []plan.Key{object.LinkKey(a.NS, a.Dev), sourceKey(a.NS, a.Prefix.Addr())}
}

// Gives implements [object.Addressed].
func (a Address) Gives() (plan.Key, netip.Addr) { return object.LinkKey(a.NS, a.Dev), a.Prefix.Addr() }

// cutsAddress says whether a change takes an address that the host is reached by.
func cutsAddress(l *object.Lifelines, s plan.Step, c plan.Change) string {
	old, existed := c.Old.(Address)
	switch {
	case !existed || old.NS != "" || s.Action == plan.Update || s.Action == plan.Adopt:
	case old.Prefix.Addr() == l.SSH:
		return "would take the address of the current SSH session"
	case l.Links[old.Dev] != nil && l.Links[old.Dev].Uplink:
		return fmt.Sprintf("would take an address of %s, the host's uplink", old.Dev)
	}
	return ""
}
