package snapshot

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// prefix writes an address with its length, as "default" where that is 0.
func prefix(b []byte, length byte) string {
	a, ok := netip.AddrFromSlice(b)
	switch {
	case length == 0:
		return "default"
	case !ok:
		return fmt.Sprintf("%#x/%d", b, length)
	}
	return netip.PrefixFrom(a, int(length)).String()
}

func tableName(n uint32) string {
	switch n {
	case unix.RT_TABLE_DEFAULT:
		return "default"
	case unix.RT_TABLE_MAIN:
		return "main"
	case unix.RT_TABLE_LOCAL:
		return "local"
	}
	return strconv.FormatUint(uint64(n), 10)
}

func table(p *printer, b []byte) { p.out = append(p.out, tableName(uint32(number(b)))...) }

// routeLines number the routes of one destination, table and metric: the first counts. Those of the kernel stand in
// an order that tells of the links' history.
func (p *printer) routeLines() {
	count := make(map[string]int)
	for _, m := range p.s.lists["routes"] {
		if len(m.body) < unix.SizeofRtMsg {
			continue
		}
		h, b := m.body[:unix.SizeofRtMsg], m.body[unix.SizeofRtMsg:]
		if p.s.passing(h, b) {
			continue
		}
		head := fmt.Sprintf("route %s %s table %s metric %d", family(h[0]), prefix(find(b, unix.RTA_DST), h[1]),
			tableName(uint32(number(find(b, unix.RTA_TABLE)))), number(find(b, unix.RTA_PRIORITY)))
		if h[3] != 0 {
			head += fmt.Sprintf(" tos %d", h[3])
		}
		if h[5] != protoKernel {
			count[head]++
		}
		p.begin(fmt.Sprintf("%s %d: %s proto %d scope %d src_len %d flags %#x", head, count[head], routeType(h[7]), h[5],
			h[6], h[2], native.Uint32(h[8:])&^hopLinkDown))
		p.tree(routeAttrs, b)
		p.end()
	}
}

func routeType(n byte) string {
	names := strings.Fields("unspecified unicast local broadcast anycast multicast blackhole unreachable prohibit")
	if int(n) < len(names) {
		return names[n]
	}
	return "type " + strconv.Itoa(int(n))
}

// passing says that a route is one of the kernel's that comes by itself, some time after the address or the carrier
// of its link, or that it is a copy of another's in use. Those of link-local addresses wait for the search for
// duplicates.
func (s *Section) passing(h, b []byte) bool {
	if native.Uint32(h[8:])&routeCloned != 0 {
		return true
	}
	l := s.byIndex(int(number(find(b, unix.RTA_OIF))))
	dst, ok := netip.AddrFromSlice(find(b, unix.RTA_DST))
	if l == nil || !ok || h[0] != unix.AF_INET6 || h[5] != protoKernel {
		return false
	}
	if h[rtmType] == unix.RTN_ANYCAST && !s.joins(l, dst) {
		return true
	}
	switch h[1] {
	case 128:
		return dst.IsLinkLocalUnicast()
	case 64:
		return l.waiting() && dst == netip.AddrFrom16([16]byte{0xfe, 0x80})
	case 8:
		return l.waiting() && dst == netip.AddrFrom16([16]byte{0xff})
	}
	return false
}

// joins says whether a link has a reason to be at the anycast address of a subnet: it is a router, and has an address
// there. The kernel joins once more each time that arp is switched on a router's link, and leaves once when that is a
// router no longer, or its address goes; nobody can make it leave again (net/ipv6/addrconf.c: addrconf_dad_run,
// addrconf_leave_anycast).
func (s *Section) joins(l *Link, subnet netip.Addr) bool {
	values := find(l.body, unix.IFLA_AF_SPEC, familyIPv6, inet6Conf) // forwarding is the first
	return number(values[:min(4, len(values))]) != 0 && slices.ContainsFunc(s.locals, func(a local) bool {
		return a.link == l && netip.PrefixFrom(a.addr, int(a.body[1])).Masked().Addr() == subnet
	})
}

// via writes an address with its family, struct rtvia.
func via(p *printer, b []byte) {
	if len(b) >= 2 {
		address(p, b[2:])
	}
}

// ways writes the next hops of a route, a list of struct rtnexthop. That a link has no carrier is noted there some
// time later.
func ways(p *printer, b []byte) {
	kin := p.kin
	for len(b) >= unix.SizeofRtNexthop {
		length := int(native.Uint16(b))
		if length < unix.SizeofRtNexthop || length > len(b) {
			break
		}
		dev := p.link(int(native.Uint32(b[4:])))
		p.out = fmt.Appendf(p.out, "{ weight %d flags %#x dev %s", int(b[3])+1, b[2]&^hopLinkDown, dev)
		p.tree(kin, b[unix.SizeofRtNexthop:length])
		p.out = append(p.out, " }"...)
		b = b[min(align(length), len(b)):]
	}
}

// nexthopGroup writes a list of struct nexthop_grp.
func nexthopGroup(p *printer, b []byte) {
	for ; len(b) >= 8; b = b[8:] {
		p.out = fmt.Appendf(p.out, "{ id %d weight %d }", native.Uint32(b), 1+int(b[4]))
	}
}

// ruleLines number the rules of one priority, in each family.
func (p *printer) ruleLines() {
	count := make(map[string]int)
	for _, m := range p.s.lists["rules"] {
		if len(m.body) < unix.SizeofRtMsg {
			continue
		}
		h, b := m.body[:unix.SizeofRtMsg], m.body[unix.SizeofRtMsg:]
		head := fmt.Sprintf("rule %s %d", family(h[0]), number(find(b, unix.FRA_PRIORITY)))
		count[head]++
		p.begin(fmt.Sprintf("%s %d: to_len %d from_len %d tos %d action %d flags %#x", head, count[head],
			h[1], h[2], h[3], h[7], native.Uint32(h[8:])))
		p.tree(ruleAttrs, b)
		p.end()
	}
}
