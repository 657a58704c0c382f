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
			New: func() any { return new([]AddressText) },
		},
		Enter: enterAddresses, Check: checkAddresses, Across: addressesAcross, Expand: expandAddresses, Ordered: true,
	}
}

// enterAddresses lists the addresses of a link that could be read, and keeps the texts of the others.
func enterAddresses(at *object.At) {
	list := *at.Form.(*[]AddressText)
	at.Unread(at.Spots.Unread())
	at.Link.Addresses = make([]file.Value[netip.Prefix], 0, len(list))
	for i, spot := range at.Spots.Items() {
		if at.Unread(spot.Unread()); spot.Good() {
			at.Link.Addresses = append(at.Link.Addresses, file.ValueAt(list[i].Prefix, spot))
		}
	}
}

// expandAddresses adds the addresses of a link in the order in which the kernel takes them, so that it ends with that
// of the file: it lists IPv4 primaries before all secondaries, and puts the newest IPv6 address first.
func expandAddresses(at *object.At, x *object.Expansion) {
	var primary, secondary, six []file.Value[netip.Prefix]
	seen := map[netip.Prefix]bool{}
	for _, a := range at.Link.Addresses {
		subnet := a.V.Masked()
		switch {
		case a.V.Addr().Is6():
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
		x.Add(NewAddress(at.Name, at.Link.Name, a.V), a.At)
	}
}
