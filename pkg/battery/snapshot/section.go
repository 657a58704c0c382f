package snapshot

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"slices"

	"golang.org/x/sys/unix"
)

// Section is one namespace.
type Section struct {
	// Name is what it is called in /run/netns; the host's is empty.
	Name  string
	Links []*Link
	// Cookie is a number that no other namespace has or had.
	Cookie uint64

	// What the kernel lists, as it does, by the name of the list.
	lists map[string][]message
	// elements are those of the sets of nftables, one after the other.
	elements []message
	sysctls  []string
	nsids    map[int]string // the names of other namespaces, by the ids that this one has for them
	locals   []local        // IP addresses
}

// Link is a link of a section.
type Link struct {
	Name  string
	Index int
	// Flags are IFF_* of linux/if.h.
	Flags uint32

	kind     uint16 // ARPHRD_*
	oper     uint8
	mtu      uint64
	mac      []byte
	peer     int    // an index in the namespace nsid, or -1
	nsid     int    // -1 is the section's own
	info     string // its type, as "veth"
	stp      bool
	genMode  uint8
	ipv6     bool // it is not disabled
	master   int
	portOf   *Link
	carried  bool // a port of it has a carrier
	hasLocal bool // the address that the kernel derives from the MAC
	body     []byte
}

// local is an IP address of a link.
type local struct {
	link  *Link
	addr  netip.Addr
	flags uint32
	body  []byte
}

// lists are what the kernel is asked for by rtnetlink: the message, and its body.
var lists = []struct {
	name  string
	kind  uint16
	body  []byte
	light bool // it changes by itself, and is read for a light look too
}{
	{"links", unix.RTM_GETLINK, withoutStats(), true},
	{"addresses", unix.RTM_GETADDR, make([]byte, 8), true},
	{"routes", unix.RTM_GETROUTE, make([]byte, 12), true},
	{"rules", unix.RTM_GETRULE, make([]byte, 12), false},
	{"neighbours", unix.RTM_GETNEIGH, make([]byte, 12), false},
	{"proxies", unix.RTM_GETNEIGH, []byte{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, ntfProxy, 0}, false},
	{"fdb", unix.RTM_GETNEIGH, append([]byte{unix.AF_BRIDGE}, make([]byte, 11)...), false},
	{"vlans", unix.RTM_GETVLAN, append([]byte{unix.AF_BRIDGE}, make([]byte, 7)...), false},
	{"nexthops", unix.RTM_GETNEXTHOP, make([]byte, 8), false},
	{"qdiscs", unix.RTM_GETQDISC, make([]byte, 20), false},
	{"neighbour tables", unix.RTM_GETNEIGHTBL, make([]byte, 4), false},
}

// withoutStats asks for links without their statistics.
func withoutStats() []byte {
	const skipStats = 1 << 3 // RTEXT_FILTER_SKIP_STATS
	b := native.AppendUint16(make([]byte, 16), 8)
	return native.AppendUint32(native.AppendUint16(b, unix.IFLA_EXT_MASK), skipStats)
}

// linkRequest asks for a link by its index.
func linkRequest(index int) []byte {
	return append(native.AppendUint32(make([]byte, 4), uint32(index)), make([]byte, 8)...)
}

// read reads the namespace that the calling thread is in.
func (s *Section) read(whole, keep bool, others []*os.File, names []string) error {
	c, err := dial(unix.NETLINK_ROUTE)
	if err != nil {
		return err
	}
	defer c.close()
	if s.Cookie, err = unix.GetsockoptUint64(c.fd, unix.SOL_SOCKET, unix.SO_NETNS_COOKIE); err != nil {
		return fmt.Errorf("cookie: %w", err)
	}
	// A question about one link waits until whoever changes links is done: the lists show what is half done, too.
	const lo = 1
	if _, err := c.ask(unix.RTM_GETLINK, 0, linkRequest(lo)); err != nil {
		return err
	}
	s.lists = make(map[string][]message)
	for _, l := range lists {
		if !whole && !l.light {
			continue
		}
		if s.lists[l.name], err = c.dump(l.kind, l.body); err != nil {
			return fmt.Errorf("read the %s: %w", l.name, err)
		}
	}
	s.parseLinks()
	s.parseAddresses()
	if err := s.readNSIDs(c, others, names); err != nil {
		return err
	}
	if !whole {
		return nil
	}
	if err := errors.Join(s.readRuleset(), s.readWireGuard(), s.readFeatures()); err != nil {
		return err
	}
	s.sysctls, err = readSysctls(s, keep)
	return err
}

func (s *Section) parseLinks() {
	for _, m := range s.lists["links"] {
		if len(m.body) >= unix.SizeofIfInfomsg {
			s.Links = append(s.Links, newLink(m.body))
		}
	}
	for _, l := range s.Links {
		if l.master != 0 {
			l.portOf = s.byIndex(l.master)
			if l.portOf != nil && l.has(unix.IFF_LOWER_UP) {
				l.portOf.carried = true
			}
		}
	}
}

func newLink(b []byte) *Link {
	l := &Link{kind: native.Uint16(b[2:]), Index: int(native.Uint32(b[4:])), Flags: native.Uint32(b[8:])}
	l.peer, l.nsid = -1, -1
	l.body = b[unix.SizeofIfInfomsg:]
	for kind, v := range each(l.body) {
		switch kind {
		case unix.IFLA_IFNAME:
			l.Name = text(v)
		case unix.IFLA_OPERSTATE:
			l.oper = uint8(number(v))
		case unix.IFLA_MTU:
			l.mtu = number(v)
		case unix.IFLA_ADDRESS:
			l.mac = v
		case unix.IFLA_MASTER:
			l.master = int(number(v))
		case unix.IFLA_LINK:
			l.peer = int(number(v))
		case unix.IFLA_LINK_NETNSID:
			l.nsid = int(int32(number(v)))
		}
	}
	l.info = text(find(l.body, unix.IFLA_LINKINFO, unix.IFLA_INFO_KIND))
	l.stp = l.isBridge() && number(find(l.body, unix.IFLA_LINKINFO, unix.IFLA_INFO_DATA, unix.IFLA_BR_STP_STATE)) == 1
	inet6 := find(l.body, unix.IFLA_AF_SPEC, familyIPv6)
	l.genMode = uint8(number(find(inet6, inet6GenMode)))
	conf := find(inet6, inet6Conf)
	l.ipv6 = len(conf) > 4*confDisableIPv6 && native.Uint32(conf[4*confDisableIPv6:]) == 0
	return l
}

func (s *Section) parseAddresses() {
	for _, m := range s.lists["addresses"] {
		if len(m.body) < unix.SizeofIfAddrmsg {
			continue
		}
		b := m.body[unix.SizeofIfAddrmsg:]
		a := local{link: s.byIndex(int(native.Uint32(m.body[4:]))), flags: uint32(m.body[2]), body: m.body}
		ip := find(b, unix.IFA_LOCAL)
		if ip == nil {
			ip = find(b, unix.IFA_ADDRESS)
		}
		a.addr, _ = netip.AddrFromSlice(ip)
		if f := find(b, unix.IFA_FLAGS); f != nil {
			a.flags = uint32(number(f))
		}
		if a.link == nil {
			continue
		}
		a.link.hasLocal = a.link.hasLocal || a.addr == a.link.linkLocal()
		s.locals = append(s.locals, a)
	}
}

func (s *Section) byIndex(index int) *Link {
	i := slices.IndexFunc(s.Links, func(l *Link) bool { return l.Index == index })
	if i < 0 {
		return nil
	}
	return s.Links[i]
}

// readNSIDs finds the names behind the ids that this namespace has for others.
func (s *Section) readNSIDs(c *socket, others []*os.File, names []string) error {
	const fdAttr, idAttr = 3, 1 // NETNSA_FD, NETNSA_NSID
	s.nsids = make(map[int]string)
	unknown := make(map[int]bool)
	for _, l := range s.Links {
		if l.nsid >= 0 {
			unknown[l.nsid] = true
		}
	}
	for i, name := range names {
		if len(unknown) == 0 {
			return nil
		}
		b := native.AppendUint16(native.AppendUint16(make([]byte, 4), 8), fdAttr)
		answer, err := c.ask(unix.RTM_GETNSID, 0, native.AppendUint32(b, uint32(others[i].Fd())))
		if err != nil || len(answer) != 1 {
			return fmt.Errorf("id of namespace %q: %w", name, errors.Join(err, fmt.Errorf("%d answers", len(answer))))
		}
		id := int(int32(number(find(answer[0].body[4:], idAttr))))
		if unknown[id] {
			delete(unknown, id)
			s.nsids[id] = name
		}
	}
	return nil
}

// UP and the others say whether a link has a flag.
func (l *Link) has(flag uint32) bool { return l.Flags&flag != 0 }

// isUpper reports whether the link is made on another one.
func (l *Link) isUpper() bool {
	return slices.Contains([]string{"vxlan", "macvlan", "macvtap", "ipvlan", "vlan"}, l.info)
}

// isRandom says that the kernel makes the link's address of hardware at random, and its link-local address of that.
func (l *Link) isRandom() bool { return l.info == "ip6gre" || l.info == "ip6tnl" }

// isTunnel says that the link has no MAC, but the addresses of a tunnel's ends.
func (l *Link) isTunnel() bool {
	return l.isRandom() || l.info == "gre" || l.info == "ipip" || l.info == "sit"
}

// derivesNone says that the kernel makes no link-local address for the link: it is a VRF, or the port of a bond.
func (l *Link) derivesNone() bool {
	return l.info == "vrf" || l.portKind() == "bond"
}

// portKind is the type of the link's master.
func (l *Link) portKind() string {
	return text(find(l.body, unix.IFLA_LINKINFO, unix.IFLA_INFO_SLAVE_KIND))
}

func (l *Link) isBridge() bool { return l.info == "bridge" }

// takesLimits says whether the limits of its ports become the link's.
func (l *Link) takesLimits() bool { return l.isBridge() || l.info == "bond" }

func (l *Link) runsSTP() bool { return l.stp }

// undecided says that the state of a port is not ours to set: its bridge runs STP, or it has no carrier.
func (l *Link) undecided() bool {
	return l.portOf != nil && (l.portOf.stp || !l.has(unix.IFF_LOWER_UP))
}

// waiting says that what the kernel makes when a link gets its carrier may be there or not: a port of a bridge that
// runs STP forwards after 30 s only, and a bridge has no carrier before that. A bridge without ports has one until the
// kernel looks for ports that carry.
func (l *Link) waiting() bool {
	return l.stp || !l.has(unix.IFF_LOWER_UP) || l.isBridge() && !l.carried
}

// nameless says that the link has no MAC, and is no tunnel between two addresses: a tun.
func (l *Link) nameless() bool { return l.kind == unix.ARPHRD_NONE }

// chose says that the kernel has made an address of the link from something else than its MAC: at random, when a
// carrier first comes to one that has none, or from its number among the ipvlans of its parent.
func (l *Link) chose(a netip.Addr) bool {
	return (l.info == "ipvlan" || l.nameless()) && a.Is6() && a.IsLinkLocalUnicast()
}

// linkLocal is the address that the kernel derives from the MAC.
func (l *Link) linkLocal() netip.Addr {
	m := l.mac
	if len(m) != 6 {
		return netip.Addr{}
	}
	ip := [16]byte{0xfe, 0x80, 8: m[0] ^ 2, 9: m[1], 10: m[2], 11: 0xff, 12: 0xfe, 13: m[3], 14: m[4], 15: m[5]}
	return netip.AddrFrom16(ip)
}
