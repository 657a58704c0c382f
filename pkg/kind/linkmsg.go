package kind

import (
	"errors"
	"fmt"
	"slices"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/plumbnet/plumb/pkg/kernel"
	"github.com/plumbnet/plumb/pkg/plan"
)

// LiveLink is a link as the kernel describes it in RTM_NEWLINK (rtnetlink(7)), with the indexes that are only valid
// while it lives.
type LiveLink struct {
	Index  int
	Name   string
	Type   string // "" for a physical interface, "loopback" for lo
	Flags  uint32 // IFF_UP ...
	Oper   uint8  // IF_OPER_UP ..., RFC 2863
	MTU    uint32
	MAC    MAC
	Group  uint32
	Alias  string
	Master int // index, 0 for none
	// Peer is the index of a cable's other end, in the namespace that PeerNSID is the number of; -1 is the same one.
	Peer     int
	PeerNSID int

	Forwarding4, Forwarding6, Promote bool
	AcceptRA                          uint32
	IPv6                              bool // the link has IPv6, and derives a link-local address from its MAC
	NoLinkLocal                       bool // the link is told to make none by itself, or another
	Disabled6                         bool // IPv6 is switched off

	STP, VLANFiltering bool
	Snooping           plan.Opt[bool] // unset where the kernel has no multicast snooping
	PortState          uint8
}

// Up says whether the link is administratively up.
func (l LiveLink) Up() bool { return l.Flags&unix.IFF_UP != 0 }

// Numbers of linux/ip.h and linux/ipv6.h: IPV4_DEVCONF_* less one and DEVCONF_* are positions in IFLA_INET_CONF and
// IFLA_INET6_CONF.
const (
	devconf4Forwarding = 1
	devconf4Promote    = 20
	devconf6Forwarding = 0
	devconf6AcceptRA   = 3
	devconf6Disable    = 26

	iflaInetConf         = 1
	iflaInet6Conf        = 2
	iflaInet6AddrGenMode = 8
	addrGenModeEUI64     = 0
)

const loopback = "loopback"

// skipStats is RTEXT_FILTER_SKIP_STATS of linux/rtnetlink.h: counters are not asked for.
const skipStats = 1 << 3

// ListLinks dumps the links of a namespace.
func ListLinks(n *kernel.Namespace) (links []LiveLink, err error) {
	if err = n.Read(linksQuery, func(msgs [][]byte) { links = parseLinks(msgs) }); err != nil {
		return nil, fmt.Errorf("list links: %w", err)
	}
	return links, nil
}

var linksQuery = func() kernel.Query {
	req := kernel.Request(unix.RTM_GETLINK, unix.NLM_F_DUMP)
	req.AddData(nl.NewIfInfomsg(unix.AF_UNSPEC))
	message{req}.u32(unix.IFLA_EXT_MASK, skipStats)
	return kernel.NewQuery(req, unix.RTM_NEWLINK)
}()

func parseLinks(msgs [][]byte) []LiveLink {
	links := make([]LiveLink, len(msgs))
	for i, m := range msgs {
		links[i] = parseLink(m)
	}
	return links
}

// ErrNoLink is the error of [FindLink] when there is no such link.
var ErrNoLink = errors.New("no such link")

// FindLink reads one link by name.
func FindLink(n *kernel.Namespace, name string) (LiveLink, error) {
	l, err := readLink(n, linkQuery(name))
	if err != nil {
		return l, fmt.Errorf("link %s: %w", name, err)
	}
	return l, nil
}

// linkQuery asks for one link by name.
func linkQuery(name string) kernel.Query {
	m := linkRequest(unix.RTM_GETLINK, 0, false)
	m.name(name)
	return m.query()
}

// query asks for the link that a request names.
func (m message) query() kernel.Query {
	m.u32(unix.IFLA_EXT_MASK, skipStats)
	return kernel.NewQuery(m.req, unix.RTM_NEWLINK)
}

// readLink reads the link that is asked for.
func readLink(n *kernel.Namespace, q kernel.Query) (l LiveLink, err error) {
	var links []LiveLink
	err = n.Read(q, func(msgs [][]byte) { links = parseLinks(msgs) })
	switch {
	case err == nil && len(links) == 0, errors.Is(err, unix.ENODEV):
		return l, ErrNoLink
	case err != nil:
		return l, fmt.Errorf("read: %w", err)
	}
	return links[0], nil
}

// confOf are a link's own sysctls in its message.
func confOf(b []byte) attrs {
	return attrs(b[unix.SizeofIfInfomsg:]).nested(unix.IFLA_AF_SPEC)
}

func parseLink(b []byte) LiveLink {
	info := nl.DeserializeIfInfomsg(b)
	l := LiveLink{Index: int(info.Index), Flags: info.Flags, PeerNSID: -1}
	for t, value := range kernel.Attributes(b[info.Len():]) {
		switch t {
		case unix.IFLA_IFNAME:
			l.Name = unix.ByteSliceToString(value)
		case unix.IFLA_IFALIAS:
			l.Alias = unix.ByteSliceToString(value)
		case unix.IFLA_OPERSTATE:
			l.Oper = u8At(value)
		case unix.IFLA_MTU:
			l.MTU = u32At(value, 0)
		case unix.IFLA_GROUP:
			l.Group = u32At(value, 0)
		case unix.IFLA_MASTER:
			l.Master = int(u32At(value, 0))
		case unix.IFLA_LINK:
			l.Peer = int(u32At(value, 0))
		case unix.IFLA_LINK_NETNSID:
			l.PeerNSID = int(int32(u32At(value, 0)))
		case unix.IFLA_ADDRESS:
			copy(l.MAC[:], value)
		case unix.IFLA_LINKINFO:
			l.parseInfo(value)
		case unix.IFLA_AF_SPEC:
			l.parseConf(value)
		}
	}
	if info.Flags&unix.IFF_LOOPBACK != 0 {
		l.Type = loopback
	}
	return l
}

// parseInfo reads what is peculiar to a type of link, or to a port of a bridge.
func (l *LiveLink) parseInfo(info attrs) {
	l.Type = info.text(unix.IFLA_INFO_KIND)
	if l.Type == Bridge {
		data := info.nested(unix.IFLA_INFO_DATA)
		if data.has(unix.IFLA_BR_MCAST_SNOOPING) {
			l.Snooping = plan.Some(data.u8(unix.IFLA_BR_MCAST_SNOOPING) != 0)
		}
		l.STP = data.u32(unix.IFLA_BR_STP_STATE) != 0
		l.VLANFiltering = data.u8(unix.IFLA_BR_VLAN_FILTERING) != 0
	}
	if info.text(unix.IFLA_INFO_SLAVE_KIND) == Bridge {
		l.PortState = info.nested(unix.IFLA_INFO_SLAVE_DATA).u8(unix.IFLA_BRPORT_STATE)
	}
}

// parseConf reads the link's own sysctls, which a dump of links has for free.
func (l *LiveLink) parseConf(families attrs) {
	four := families.nested(unix.AF_INET).get(iflaInetConf)
	l.Forwarding4 = u32At(four, devconf4Forwarding-1) != 0
	l.Promote = u32At(four, devconf4Promote-1) != 0
	six := families.nested(unix.AF_INET6)
	l.Forwarding6 = u32At(six.get(iflaInet6Conf), devconf6Forwarding) != 0
	l.AcceptRA = u32At(six.get(iflaInet6Conf), devconf6AcceptRA)
	l.IPv6 = len(six) > 0 && u32At(six.get(iflaInet6Conf), devconf6Disable) == 0 &&
		six.u8(iflaInet6AddrGenMode) == addrGenModeEUI64
	l.NoLinkLocal = len(six) > 0 && six.u8(iflaInet6AddrGenMode) != addrGenModeEUI64
	l.Disabled6 = u32At(six.get(iflaInet6Conf), devconf6Disable) != 0
}

// request starts a message about a link that has yet to be made, or that is found by its name.
func linkRequest(proto, flags int, up bool) message {
	req := kernel.Request(proto, flags)
	info := nl.NewIfInfomsg(unix.AF_UNSPEC)
	if up {
		info.Flags, info.Change = unix.IFF_UP, unix.IFF_UP
	}
	req.AddData(info)
	return message{req}
}

// indexRequest starts a message that changes a link.
func indexRequest(index int, flags, mask uint32) message {
	req := kernel.Request(unix.RTM_NEWLINK, 0)
	info := nl.NewIfInfomsg(unix.AF_UNSPEC)
	info.Index, info.Flags, info.Change = int32(index), flags, mask
	req.AddData(info)
	return message{req}
}

// confAttrs asks for the link's own IPv4 sysctls. The kernel takes them when a link changes, not when it is made.
func (l Link) confAttrs(m message) {
	conf := m.conf4()
	conf.AddRtAttr(devconf4Forwarding, nl.Uint32Attr(bit(l.Forwarding4)))
	conf.AddRtAttr(devconf4Promote, nl.Uint32Attr(bit(l.Promote)))
}

// conf4 begins the IPv4 sysctls of a link.
func (m message) conf4() *nl.RtAttr {
	return m.nest(unix.IFLA_AF_SPEC).AddRtAttr(unix.AF_INET|unix.NLA_F_NESTED, nil).
		AddRtAttr(iflaInetConf|unix.NLA_F_NESTED, nil)
}

func bit(b bool) uint32 {
	if b {
		return 1
	}
	return 0
}

// createAttrs are those that the kernel takes when it makes a link, of either end of a cable.
func (l Link) createAttrs(add func(t int, b []byte)) {
	if l.Type == Veth {
		// The kernel would make a queue for each processor, with files for each below /sys, and use the first alone, but
		// where XDP or threaded polling is set up for more.
		add(unix.IFLA_NUM_TX_QUEUES, nl.Uint32Attr(1))
		add(unix.IFLA_NUM_RX_QUEUES, nl.Uint32Attr(1))
	}
	add(unix.IFLA_IFNAME, nl.ZeroTerminated(l.Name))
	add(unix.IFLA_MTU, nl.Uint32Attr(l.MTU))
	add(unix.IFLA_ADDRESS, slices.Clone(l.MAC[:]))
	add(unix.IFLA_GROUP, nl.Uint32Attr(l.Group))
}

// ageingTime is how long a new bridge remembers an address, in hundredths of a second (BR_DEFAULT_AGEING_TIME of linux/if_bridge.h).
const ageingTime = 30000

// bridgeData adds the attributes of a bridge in which want differs from have.
func (l Link) bridgeData(m message, have Link) {
	info := m.nest(unix.IFLA_LINKINFO)
	info.AddRtAttr(unix.IFLA_INFO_KIND, nl.NonZeroTerminated(Bridge))
	data := info.AddRtAttr(unix.IFLA_INFO_DATA|unix.NLA_F_NESTED, nil)
	if l.STP.Set && l.STP != have.STP {
		data.AddRtAttr(unix.IFLA_BR_STP_STATE, nl.Uint32Attr(bit(l.STP.V)))
	}
	if l.STP.Set && !l.STP.V && have.STP.V {
		// While the topology changes STP forgets addresses faster, and switched off then, it leaves it at that
		// (net/bridge/br_stp.c: __br_set_topology_change). The kernel takes this first, whatever the order here.
		data.AddRtAttr(unix.IFLA_BR_AGEING_TIME, nl.Uint32Attr(ageingTime))
	}
	// A kernel without VLAN filtering refuses the attribute, so it is only sent to change what is.
	if l.VLANFiltering.Set && l.VLANFiltering.V != have.VLANFiltering.V {
		data.AddRtAttr(unix.IFLA_BR_VLAN_FILTERING, nl.Uint8Attr(uint8(bit(l.VLANFiltering.V))))
	}
	if l.Snooping.Set && l.Snooping.V != have.Snooping.V {
		data.AddRtAttr(unix.IFLA_BR_MCAST_SNOOPING, nl.Uint8Attr(uint8(bit(l.Snooping.V))))
	}
}

// createMessage makes a link; for a cable, peer is the other end, in the namespace that peerNS is open on. Master is
// the index of the bridge that it becomes a port of, 0 for none.
func (l Link) createMessage(master int, peer *Link, peerNS int) *nl.NetlinkRequest {
	m := linkRequest(unix.RTM_NEWLINK, unix.NLM_F_CREATE|unix.NLM_F_EXCL, l.Up && l.Type != Bridge)
	l.createAttrs(m.raw)
	if master != 0 {
		m.u32(unix.IFLA_MASTER, uint32(master))
	}
	if l.Type == Bridge {
		l.bridgeData(m, Link{Snooping: plan.Some(true)}) // as a new one has
		return m.req
	}
	info := m.nest(unix.IFLA_LINKINFO)
	info.AddRtAttr(unix.IFLA_INFO_KIND, nl.NonZeroTerminated(l.Type))
	if peer != nil {
		end := info.AddRtAttr(unix.IFLA_INFO_DATA|unix.NLA_F_NESTED, nil).AddRtAttr(nl.VETH_INFO_PEER|unix.NLA_F_NESTED, nil)
		nl.NewIfInfomsgChild(end, unix.AF_UNSPEC)
		peer.createAttrs(func(t int, b []byte) { end.AddRtAttr(t, b) })
		end.AddRtAttr(unix.IFLA_NET_NS_FD, nl.Uint32Attr(uint32(peerNS)))
	}
	return m.req
}

// finishMessage sets what the kernel does not take when it makes the link.
func (l Link) finishMessage(index, master int) *nl.NetlinkRequest {
	m := indexRequest(index, bit(l.Up && l.Type != Bridge), unix.IFF_UP) // a bridge: see finishLinks
	m.raw(unix.IFLA_IFALIAS, []byte(l.Alias))
	if l.Type == Bridge {
		m.u32(unix.IFLA_MTU, l.MTU) // see createLinks
	}
	if master != 0 {
		m.u32(unix.IFLA_MASTER, uint32(master))
	}
	l.confAttrs(m)
	return m.req
}
