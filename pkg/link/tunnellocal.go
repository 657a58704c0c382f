package link

import (
	"net/netip"

	"golang.org/x/sys/unix"

	"github.com/plumbnet/plumb/pkg/object"
)

// moveLinkLocals has the IPv6 link-local addresses of a tunnel follow its local address. The kernel derives them from
// that when the link comes up, and then no more: the last four bytes are that address, whichever rule the type has
// (net/ipv6/addrconf.c: addrconf_addr_gen, add_v4_addrs).
func moveLinkLocals(s *object.Section, index int, l Link, have Spec) error {
	w, h := l.Spec.(tunnel).flow().local, have.(tunnel).flow().local
	if w == h || !w.Is4() || !h.Is4() {
		return nil
	}
	addresses, err := object.ListAddresses(s.NS)
	if err != nil {
		return err
	}
	place := s.LinkName(index)
	for _, a := range addresses {
		moved, ok := linkLocalOver(a.Prefix.Addr(), h, w)
		if a.Index != index || !ok || a.Proto == object.Protocol {
			continue
		}
		next := a
		next.Prefix, next.Derived = netip.PrefixFrom(moved, a.Prefix.Bits()), a.Flags&unix.IFA_F_NODAD == 0
		if err := next.Renew(s.NS, place); err != nil {
			return err
		}
		if err := object.IgnoreGone(a.Write(s.NS, "delete", unix.RTM_DELADDR, 0, place)); err != nil {
			return err
		}
	}
	return nil
}

// linkLocalOver is the link-local address that the kernel would have derived from another local address; ok is false
// for one that it has not derived from was.
func linkLocalOver(a, was, now netip.Addr) (moved netip.Addr, ok bool) {
	b, four, next := a.As16(), was.As4(), now.As4()
	if !a.Is6() || !a.IsLinkLocalUnicast() || [4]byte(b[12:]) != four {
		return a, false
	}
	copy(b[12:], next[:])
	if b[10] == 0x5e && b[11] == 0xfe { // ISATAP (RFC 5214): a bit says whether the address is unique
		b[8] &^= universal
		if unique(now) {
			b[8] |= universal
		}
	}
	return netip.AddrFrom16(b), true
}

// universal is the bit of an interface identifier that it is unique by.
const universal = 2

// unique says whether nobody else has an address, as __ipv6_isatap_ifid of net/ipv6/addrconf.c sees it.
func unique(a netip.Addr) bool {
	for _, p := range []string{
		"0.0.0.0/8", "10.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.2.0/24", "192.88.99.0/24",
		"192.168.0.0/16", "198.18.0.0/15", "224.0.0.0/4", "255.255.255.255/32",
	} {
		if netip.MustParsePrefix(p).Contains(a) {
			return false
		}
	}
	return true
}
