package topology

import (
	"net/netip"
	"strings"

	"github.com/plumbnet/plumb/pkg/file"
)

// Address is an interface's address with its prefix length.
type Address struct{ netip.Prefix }

// Parse implements [file.Parser].
func (a *Address) Parse(_, s string) error {
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
func (*Address) Text() file.Text { return file.Text{Words: "address with prefix length"} }

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
