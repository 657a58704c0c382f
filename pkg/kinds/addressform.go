package kinds

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/plumbnet/plumb/pkg/file"
	"github.com/plumbnet/plumb/pkg/object"
)

// AddressText is an interface's address with its prefix length.
type AddressText struct{ netip.Prefix }

// Parse implements [file.Parser].
func (a *AddressText) Parse(_, s string) error {
	p, err := netip.ParsePrefix(s)
	if err != nil {
		return notPrefix(s)
	}
	if f := unfit(s, p); f.Message != "" {
		return f
	}
	a.Prefix = p
	return nil
}

// Text implements [file.Described].
func (*AddressText) Text() file.Text { return file.Text{Words: "address with prefix length"} }

// AddressEntry is an entry of an interface's list of addresses.
type AddressEntry struct {
	Address AddressText `file:"address,required,short" missing:"as \"address: 10.0.0.1/24\"" doc:"with prefix length"`
	Label   string      `file:"label" doc:"name of an IPv4 address, for old programs, as eth0:1; 15 bytes at most"`
	Scope   string      `file:"scope,enum=global|site|link|host" doc:"how far IPv4 is valid; left out, by the address"`
	// NoPrefixRoute is for those who make the route to the network themselves, or want none.
	NoPrefixRoute bool       `file:"noprefixroute" doc:"the kernel makes no route to the network"`
	Peer          netip.Addr `file:"peer" doc:"address of the other end of a point-to-point link"`
}

// scopes are RT_SCOPE_* of linux/rtnetlink.h.
var scopes = map[string]uint8{"global": 0, "site": 200, "link": 253, "host": scopeHost}

// address is the entry as an object. A label that is the link's name is what an address without one has.
func (a AddressEntry) address(ns, dev string) Address {
	o := NewAddress(ns, dev, a.Address.Prefix)
	o.Peer, o.NoPrefixRoute = a.Peer, a.NoPrefixRoute
	if a.Label != dev {
		o.Label = a.Label
	}
	if scope, given := scopes[a.Scope]; given {
		o.Scope = scope
	}
	return o
}

// unfit is what is wrong with an address that is well-formed.
func unfit(s string, p netip.Prefix) file.Flaw {
	a := p.Addr()
	near := func(a netip.Addr) string { return file.DidYouMean(netip.PrefixFrom(a, p.Bits()).String()) }
	switch {
	case a.Is4In6():
		return file.Flaw{Message: file.Quote(s) + " is an IPv4 address in IPv6 form", Hint: "write " + a.Unmap().String()}
	case a.IsUnspecified():
		return file.Flawf("%s is the address of no interface", file.Quote(s))
	case a.IsMulticast():
		return file.Flawf("%s is a multicast address", file.Quote(s))
	case a == netip.AddrFrom4([4]byte{255, 255, 255, 255}):
		return file.Flawf("%s is the broadcast address", file.Quote(s))
	case a.Is4() && p.Bits() < 31 && a == p.Masked().Addr():
		return file.Flaw{Message: file.Quote(s) + " is the network, not an address in it", Hint: near(a.Next())}
	case a.Is4() && p.Bits() < 31 && a == broadcast(p):
		return file.Flaw{Message: file.Quote(s) + " is the broadcast address of its network", Hint: near(a.Prev())}
	}
	return file.Flaw{}
}

// notPrefix is what is wrong with an address that has no valid form.
func notPrefix(s string) file.Flaw {
	if strings.ContainsRune(s, '%') {
		return file.Flaw{Message: file.Quote(s) + " has a zone", Hint: "leave out what follows the %: the interface is known"}
	}
	if a, err := netip.ParseAddr(s); err == nil {
		bits := "/24"
		if a.Is6() {
			bits = "/64"
		}
		return file.Flaw{Message: file.Quote(s) + " has no prefix length", Hint: file.DidYouMean(s + bits)}
	}
	return file.Flaw{
		Message: file.Quote(s) + " is not an address with a prefix length",
		Hint:    "as 192.168.10.1/24 or fd00:10::1/64",
	}
}

// broadcast is the last address of an IPv4 network.
func broadcast(p netip.Prefix) netip.Addr {
	a := p.Addr().As4()
	for i := range 32 {
		if i >= p.Bits() {
			a[i/8] |= 0x80 >> (i % 8)
		}
	}
	return netip.AddrFrom4(a)
}

// addressForm is how the addresses of a link stand in it.
func addressForm() object.Form {
	return object.Form{
		On: object.OnLink,
		Part: file.Part{
			Key: "addresses", Item: "an address", Doc: "addresses, the preferred one of a network first",
			Also: "address|ip|ips|ip-address|ipv4|ipv6|inet|cidr; gateway|gw=" + defaultRouteWords + " beside interfaces",
			New:  func() any { return new([]AddressEntry) },
		},
		Enter: enterAddresses, Check: checkAddresses, Across: addressesAcross, Expand: expandAddresses, Ordered: true,
	}
}

// enterAddresses lists the addresses of a link that could be read, and keeps the texts of the others.
func enterAddresses(at *object.At) {
	list := *at.Form.(*[]AddressEntry)
	at.Unread(at.Spots.Unread())
	at.Link.Addresses = make([]file.Value[netip.Prefix], 0, len(list))
	for i, spot := range at.Spots.Items() {
		if at.Unread(spot.Unread("address")); spot.Good("address") {
			a := list[i].address(at.Name, at.Link.Name)
			at.Link.Addresses = append(at.Link.Addresses, file.ValueAt(a.Prefix, spot.In("address")))
			at.Link.Networks = append(at.Link.Networks, a.network())
		}
	}
}

// expandAddresses adds the addresses of a link in the order in which the kernel takes them, so that it ends with that
// of the file: it lists IPv4 primaries before all secondaries, and puts the newest IPv6 address first.
func expandAddresses(at *object.At, x *object.Expansion) {
	type placed struct {
		Address
		at file.Span
	}
	var primary, secondary, six []placed
	seen := map[netip.Prefix]bool{}
	for i, spot := range at.Spots.Items() {
		a := placed{(*at.Form.(*[]AddressEntry))[i].address(at.Name, at.Link.Name), spot.At("address")}
		subnet := a.subnet()
		switch {
		case a.Prefix.Addr().Is6():
			six = append(six, a)
		case seen[subnet]:
			secondary = append(secondary, a)
		default:
			primary = append(primary, a)
		}
		seen[subnet] = true
	}
	slices.Reverse(six)
	for _, a := range slices.Concat(primary, secondary, six) {
		x.Add(a.Address, a.at)
	}
}
