package snapshot

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// lines tell what a section is like, one each, sorted: what changes by itself, and what only a hand changes.
func (s *Section) lines(all []*Section) (quick, rest []string) {
	p := &printer{s: s, all: all, nsid: -1}
	for _, l := range s.Links {
		p.linkLines(l)
	}
	p.addressLines()
	p.routeLines()
	quick, p.lines = p.lines, nil
	p.ruleLines()
	p.neighbourLines()
	p.forwardingLines()
	p.otherLines()
	p.rulesetLines()
	p.wireguardLines()
	p.featureLines()
	for _, line := range s.sysctls {
		p.begin(line)
		p.end()
	}
	slices.Sort(quick)
	slices.Sort(p.lines)
	return quick, p.lines
}

func (p *printer) begin(head string) { p.out = append(p.out[:0], head...) }

func (p *printer) add(what string) { p.out = append(append(p.out, ' '), what...) }

func (p *printer) end() { p.lines = append(p.lines, string(p.out)) }

// link names one by its index, in the namespace that the printer's nsid is for.
func (p *printer) link(index int) string {
	s, place := p.s, ""
	if p.nsid >= 0 {
		name, known := p.s.nsids[p.nsid]
		i := slices.IndexFunc(p.all, func(s *Section) bool { return s.Name == name })
		if !known || i < 0 {
			return "in a namespace without a name"
		}
		s, place = p.all[i], name+"/"
	}
	if l := s.byIndex(index); l != nil {
		return place + l.Name
	}
	if index == 0 {
		return place + "none"
	}
	return place + "?"
}

// flagNames are the flags of links, IFF_* of linux/if.h, but those that follow the carrier: RUNNING, LOWER_UP and
// DORMANT.
var flagNames = []struct {
	flag uint32
	name string
}{
	{unix.IFF_UP, "UP"}, {unix.IFF_BROADCAST, "BROADCAST"}, {unix.IFF_DEBUG, "DEBUG"}, {unix.IFF_LOOPBACK, "LOOPBACK"},
	{unix.IFF_POINTOPOINT, "POINTOPOINT"}, {unix.IFF_NOTRAILERS, "NOTRAILERS"}, {unix.IFF_NOARP, "NOARP"},
	{unix.IFF_PROMISC, "PROMISC"}, {unix.IFF_ALLMULTI, "ALLMULTI"}, {unix.IFF_MASTER, "MASTER"}, {unix.IFF_SLAVE, "SLAVE"},
	{unix.IFF_MULTICAST, "MULTICAST"}, {unix.IFF_PORTSEL, "PORTSEL"}, {unix.IFF_AUTOMEDIA, "AUTOMEDIA"},
	{unix.IFF_DYNAMIC, "DYNAMIC"}, {unix.IFF_ECHO, "ECHO"},
}

func (p *printer) linkLines(l *Link) {
	head := "link " + l.Name + " "
	p.begin(head + "flags")
	for _, f := range flagNames {
		if l.has(f.flag) {
			p.add(f.name)
		}
	}
	p.end()
	p.begin(head + "type " + strconv.Itoa(int(l.kind)))
	p.end()
	if l.peer >= 0 {
		p.nsid = l.nsid
		peer := l.peer
		if l.info == "vxlan" && l.nsid >= 0 {
			peer = 0 // it is the link's own index, whatever has that in the other namespace
		}
		p.begin(head + "peer " + p.link(peer))
		p.nsid = -1
		p.end()
	}
	p.leaves(l, head, linkAttrs, l.body)
	var data, slave attrs
	for kind, value := range each(find(l.body, unix.IFLA_LINKINFO)) {
		switch kind {
		case unix.IFLA_INFO_KIND:
			data = linkData[text(value)]
			p.begin(head + "info kind " + text(value))
			p.end()
		case unix.IFLA_INFO_DATA:
			p.nsid = l.nsid
			p.leaves(l, head+"info data ", data, value)
			p.nsid = -1
		case unix.IFLA_INFO_SLAVE_KIND:
			slave = slaveData[text(value)]
			p.begin(head + "info slave kind " + text(value))
			p.end()
		case unix.IFLA_INFO_SLAVE_DATA:
			p.leaves(l, head+"info slave ", slave, value)
		}
	}
}

// leaves writes a line for each attribute of a link that is no list.
func (p *printer) leaves(l *Link, head string, known attrs, b []byte) {
	for kind, value := range each(b) {
		a, ok := known[kind]
		p.begin(head)
		p.name(a, ok, kind)
		switch {
		case a.skip || l.leavesOut(string(p.out[len("link ")+len(l.Name)+1:])):
		case a.kids != nil:
			p.leaves(l, string(p.out)+" ", a.kids, value)
		default:
			p.out = append(p.out, ' ')
			p.value(a, value)
			p.end()
		}
	}
}

func (l *Link) leavesOut(line string) bool {
	for _, o := range leftOutAtTimes {
		if o.line == line && o.when(l) {
			return true
		}
	}
	return false
}

// ifaProto is IFA_PROTO of linux/if_addr.h.
const ifaProto = 11

// addressLines number the addresses of each link: their order matters. Left out is what the kernel derives from the
// MAC, where it may be there or not, what it derives from something else, and what it makes at random.
func (p *printer) addressLines() {
	count := make(map[string]int)
	for _, a := range p.s.locals {
		const byKernel = 3 // IFAPROT_KERNEL_LL
		if a.link.isRandom() && number(find(a.body[unix.SizeofIfAddrmsg:], ifaProto)) == byKernel {
			continue
		}
		if a.link.waiting() && !a.link.isBridge() && a.addr == a.link.linkLocal() || a.link.chose(a.addr) {
			continue
		}
		family := "inet6"
		if a.addr.Is4() {
			family = "inet"
		}
		head := "address " + a.link.Name + " " + family
		count[head]++
		prefix := netip.PrefixFrom(a.addr, int(a.body[1]))
		p.begin(fmt.Sprintf("%s %d: %s scope %d flags %#x", head, count[head], prefix, a.body[3], a.shownFlags()))
		p.tree(addressAttrs, a.body[unix.SizeofIfAddrmsg:])
		p.end()
	}
}

// shownFlags are those that do not change while the kernel looks for duplicates.
func (a local) shownFlags() uint32 {
	flags := a.flags &^ (unix.IFA_F_TENTATIVE | unix.IFA_F_OPTIMISTIC)
	if number(find(a.body[unix.SizeofIfAddrmsg:], addrProto)) == addrKernelLL {
		flags &^= unix.IFA_F_NODAD // the kernel's own looks for duplicates
	}
	return flags
}

// lifetimes tells whether an address expires, by struct ifa_cacheinfo.
func lifetimes(p *printer, b []byte) {
	for i, what := range []string{"preferred", "valid"} {
		if len(b) >= 8 && native.Uint32(b[4*i:]) != 0xffffffff {
			p.out = append(p.out, (what + " for a time ")...)
		} else {
			p.out = append(p.out, (what + " forever ")...)
		}
	}
	p.out = p.out[:len(p.out)-1]
}

func family(f byte) string {
	switch f {
	case unix.AF_INET:
		return "inet"
	case unix.AF_INET6:
		return "inet6"
	}
	return "family " + strconv.Itoa(int(f))
}

// neighbourLines tell of neighbours that somebody has set: others come and go.
func (p *printer) neighbourLines() {
	for what, list := range map[string]string{"neighbour": "neighbours", "proxy": "proxies"} {
		for _, m := range p.s.lists[list] {
			if len(m.body) < unix.SizeofNdMsg || what == "neighbour" && native.Uint16(m.body[8:])&unix.NUD_PERMANENT == 0 {
				continue
			}
			h, b := m.body[:unix.SizeofNdMsg], m.body[unix.SizeofNdMsg:]
			ip, _ := netip.AddrFromSlice(find(b, unix.NDA_DST))
			p.begin(fmt.Sprintf("%s %s dev %s: flags %#x type %d", what, ip, p.link(int(native.Uint32(h[4:]))), h[10], h[11]))
			p.tree(neighbourAttrs, b)
			p.end()
		}
	}
}

// forwardingLines tell of the MACs that bridges and tunnels know for good. Not shown are those learned, and groups
// that links have joined: the kernel joins some by itself.
func (p *printer) forwardingLines() {
	for _, m := range p.s.lists["fdb"] {
		if len(m.body) < unix.SizeofNdMsg {
			continue
		}
		h, b := m.body[:unix.SizeofNdMsg], m.body[unix.SizeofNdMsg:]
		state, flags, lladdr := native.Uint16(h[8:]), h[10], find(b, unix.NDA_LLADDR)
		joined := flags&ntfSelf != 0 && len(lladdr) > 0 && lladdr[0]&1 != 0
		if state&(unix.NUD_PERMANENT|unix.NUD_NOARP) == 0 || joined {
			continue
		}
		p.begin(fmt.Sprintf("fdb dev %s state %#x flags %#x", p.link(int(native.Uint32(h[4:]))), state, flags))
		if there := find(b, unix.NDA_LINK_NETNSID); there != nil {
			p.nsid = int(int32(number(there))) // where the tunnel's packets leave
		}
		p.tree(neighbourAttrs, b)
		p.nsid = -1
		p.end()
	}
	for _, m := range p.s.lists["vlans"] {
		const header = 8 // struct br_vlan_msg
		if len(m.body) < header {
			continue
		}
		for kind, entry := range each(m.body[header:]) {
			p.begin("vlan dev " + p.link(int(native.Uint32(m.body[4:]))))
			p.tree(vlanAttrs[kind].kids, entry)
			p.end()
		}
	}
}

// otherLines tell of next hops and queueing disciplines.
func (p *printer) otherLines() {
	for _, m := range p.s.lists["nexthops"] {
		if len(m.body) >= 8 {
			p.begin(fmt.Sprintf("nexthop %s: scope %d proto %d flags %#x", family(m.body[0]), m.body[1], m.body[2],
				native.Uint32(m.body[4:])&^hopLinkDown))
			p.tree(nexthopAttrs, m.body[8:])
			p.end()
		}
	}
	for _, m := range p.s.lists["qdiscs"] {
		if len(m.body) >= 20 {
			p.begin(fmt.Sprintf("qdisc dev %s handle %s parent %s", p.link(int(native.Uint32(m.body[4:]))),
				handle(native.Uint32(m.body[8:])), handle(native.Uint32(m.body[12:]))))
			known, ok := qdiscOptions[text(find(m.body[20:], unix.TCA_KIND))]
			if !ok {
				known = qdiscAttrs
			}
			p.tree(known, m.body[20:])
			p.end()
		}
	}
}

// handle writes one of traffic control. The kernel gives numbers from 8001: on by itself.
func handle(n uint32) string {
	if major := n >> 16; major > 0x8000 && major < 0xffff {
		return fmt.Sprintf("auto:%x", n&0xffff)
	}
	return fmt.Sprintf("%x:%x", n>>16, n&0xffff)
}

func number1248(p *printer, b []byte) {
	switch len(b) {
	case 0, 1, 2, 4, 8:
		num(p, b)
	default:
		hexadecimal(p, b)
	}
}

// portRange is a pair of numbers in the network's order.
func portRange(p *printer, b []byte) {
	if len(b) != 4 {
		hexadecimal(p, b)
		return
	}
	big(p, b[:2])
	p.out = append(p.out, '-')
	big(p, b[2:])
}

// Difference lists what only one of two texts has, before each line "- " or "+ ".
func Difference(before, after string) string {
	if before == after {
		return ""
	}
	if before, after = unheard(before, after), unheard(after, before); before == after {
		return ""
	}
	count := make(map[string]int)
	for line := range strings.Lines(after) {
		count[line]++
	}
	var b strings.Builder
	for line := range strings.Lines(before) {
		if count[line]--; count[line] < 0 {
			b.WriteString("- " + line)
		}
	}
	for line := range strings.Lines(after) {
		if count[line] > 0 {
			count[line]--
			b.WriteString("+ " + line)
		}
	}
	if b.Len() == 0 {
		return "the same lines in another order\n"
	}
	return b.String()
}
