package topology

import (
	"net/netip"
	"strings"
)

// address is a parser of an interface's address with its prefix length.
func address(s string) (netip.Prefix, error) {
	p, err := netip.ParsePrefix(s)
	if err != nil {
		return netip.Prefix{}, notPrefix(s)
	}
	a := p.Addr()
	switch host := p.Masked().Addr(); {
	case a.Is4In6():
		return p, flaw{quote(s) + " is an IPv4 address in IPv6 form", "write " + a.Unmap().String()}
	case a.IsUnspecified():
		return p, flawf("%s is the address of no interface", quote(s))
	case a.IsMulticast():
		return p, flawf("%s is a multicast address", quote(s))
	case a.Is4() && a == netip.AddrFrom4([4]byte{255, 255, 255, 255}):
		return p, flawf("%s is the broadcast address", quote(s))
	case a.Is4() && p.Bits() < 31 && a == host:
		return p, flaw{quote(s) + " is the network, not an address in it", didYouMean(netip.PrefixFrom(a.Next(), p.Bits()).String())}
	case a.Is4() && p.Bits() < 31 && a == broadcast(p):
		return p, flaw{quote(s) + " is the broadcast address of its network", didYouMean(netip.PrefixFrom(a.Prev(), p.Bits()).String())}
	}
	return p, nil
}

// notPrefix says what is wrong with an address that has no valid form.
func notPrefix(s string) flaw {
	if strings.ContainsRune(s, '%') {
		return flaw{quote(s) + " has a zone", "leave out what follows the %: the interface is known"}
	}
	if a, err := netip.ParseAddr(s); err == nil {
		bits := "/24"
		if a.Is6() {
			bits = "/64"
		}
		return flaw{quote(s) + " has no prefix length", didYouMean(s + bits)}
	}
	return flaw{quote(s) + " is not an address with a prefix length", "as 192.168.10.1/24 or fd00:10::1/64"}
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

// network is a parser of a network; what names it in messages.
func network(what string) func(string) (netip.Prefix, error) {
	return func(s string) (netip.Prefix, error) {
		p, err := netip.ParsePrefix(s)
		if a, aerr := netip.ParseAddr(s); err != nil && aerr == nil && a.Zone() == "" {
			return p, flaw{what + " " + quote(s) + " has no prefix length", didYouMean(netip.PrefixFrom(a, a.BitLen()).String())}
		}
		switch {
		case err != nil:
			return p, flaw{what + " " + quote(s) + " is not a network", "as 192.168.10.0/24 or fd00:10::/64"}
		case p.Addr().Is4In6():
			return p, flawf("%s %s is IPv4 in IPv6 form", what, quote(s))
		case p != p.Masked():
			return p, flaw{what + " " + quote(s) + " has host bits set", didYouMean(p.Masked().String())}
		}
		return p, nil
	}
}

// gateway is a parser of an address that a route names: the router, or the route's own source.
func gateway(what string) func(string) (netip.Addr, error) {
	return func(s string) (netip.Addr, error) {
		a, err := netip.ParseAddr(s)
		p, perr := netip.ParsePrefix(s)
		switch {
		case err != nil && perr == nil:
			return a, flaw{what + " " + quote(s) + " has a prefix length", didYouMean(p.Addr().String())}
		case err != nil:
			return a, flawf("%s %s is not an IP address", what, quote(s))
		case a.Zone() != "":
			return a, flaw{what + " " + quote(s) + " has a zone", "name the interface with dev"}
		case a.Is4In6(), a.IsUnspecified(), a.IsMulticast():
			return a, flawf("%s %s is the address of no host", what, quote(s))
		}
		return a, nil
	}
}

func didYouMean(s string) string { return "did you mean " + quote(s) + "?" }
