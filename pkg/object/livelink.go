package object

import (
	"errors"
	"fmt"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/plumbnet/plumb/pkg/kernel"
)

// LiveLink is a link as the kernel describes it in RTM_NEWLINK (rtnetlink(7)), with the indexes that are only valid
// while it lives.
type LiveLink struct {
	Index int
	Name  string
	Type  string // IFLA_INFO_KIND: "" for a physical interface, [Loopback] for lo
	Flags uint32 // IFF_UP ...
	Oper  uint8  // IF_OPER_UP ..., RFC 2863
	// Carrier says whether the driver has one to give, be the link up or down.
	Carrier bool
	MTU     uint32
	TxQLen  uint32
	MAC     MAC
	Group   uint32
	Alias   string
	// Altnames are other names that it is found by (ip-link(8): altname).
	Altnames []string
	Master   int // index, 0 for none
	// Lower is IFLA_LINK: the index of a cable's other end, or of the link that this one is made on, in the namespace that
	// LowerNSID is the number of; -1 is the same one.
	Lower     int
	LowerNSID int

	Forwarding4, Forwarding6, Promote bool
	AcceptRA                          uint32
	MTU6                              uint32 // net.ipv6.conf.*.mtu
	IPv6                              bool   // the link has IPv6, and derives a link-local address from its MAC
	NoLinkLocal                       bool   // the link is told to make none by itself, or another
	Disabled6                         bool   // IPv6 is switched off
	GenMode                           uint8
	Idle                              bool // it was never up, and so has no queueing discipline

	// Data is what is peculiar to the type, and PortData what is peculiar to a port of a master of type PortType
	// (IFLA_INFO_DATA, IFLA_INFO_SLAVE_DATA).
	Data, PortData kernel.Attrs
	PortType       string

	// Mark is known once all sections were read: see [Env.Join].
	Mark
	// Far is the section with a cable's other end, nil while that is not known.
	Far *Section
}

// Up says whether the link is administratively up.
func (l *LiveLink) Up() bool { return l.Flags&unix.IFF_UP != 0 }

// vrf is the type of a VRF, which is the master of its ports; table is IFLA_VRF_TABLE, and IFLA_VRF_PORT_TABLE.
const (
	vrf   = "vrf"
	table = 1
)

// RouteTable is the routing table of the link's networks: that of its VRF, or the main one.
func (l *LiveLink) RouteTable() uint32 {
	switch {
	case l.PortType == vrf:
		return l.PortData.U32(table)
	case l.Type == vrf:
		return l.Data.U32(table)
	}
	return MainTable
}

// Plumbs says whether the link bears the stamp of a topology, whichever that is.
func (l *LiveLink) Plumbs() bool {
	topology, _, _, ok := ParseAlias(l.Alias)
	return ok && l.Group == Group(topology)
}

// operUp is IF_OPER_UP of linux/if.h: a carrier is there, and whoever waits for it has been told.
const operUp = 6

// Carries says whether the link has its carrier, and whoever waits for that has been told.
func (l *LiveLink) Carries() bool { return l.Oper == operUp }

// Derives says whether the kernel will derive an address from the link's MAC, but has had no reason to do so yet.
func (l *LiveLink) Derives() bool {
	ready := l.Up() && l.Oper == operUp && l.IPv6
	return !ready && !l.NoLinkLocal && l.MTU >= MinIPv6MTU
}

// The limits of a link's MTU, in bytes: RFC 791's least and the kernel's most (ETH_MIN_MTU and ETH_MAX_MTU in
// if_ether.h), and the least that IPv6 works on (RFC 8200).
const (
	MinMTU     = 68
	MaxMTU     = 65535
	MinIPv6MTU = 1280
	DefaultMTU = 1500
)

// Numbers of linux/ip.h and linux/ipv6.h: IPV4_DEVCONF_* less one and DEVCONF_* are positions in IFLA_INET_CONF and
// IFLA_INET6_CONF.
const (
	Devconf4Forwarding = 1
	Devconf4Promote    = 20
	devconf6Forwarding = 0
	devconf6MTU        = 2
	devconf6AcceptRA   = 3
	devconf6Disable    = 26

	IflaInetConf         = 1
	iflaInet6Conf        = 2
	iflaInet6AddrGenMode = 8
	addrGenModeEUI64     = 0
)

// IFLA_TUN_TYPE of linux/if_link.h, and its value for a tap.
const (
	iflaTunType = 3
	tunTypeTap  = 2
)

// Loopback is the type of lo, which has no name in the kernel.
const Loopback = "loopback"

// skipStats is RTEXT_FILTER_SKIP_STATS of linux/rtnetlink.h: counters are not asked for.
const skipStats = 1 << 3

// ListLinks dumps the links of a namespace.
func ListLinks(n *kernel.Namespace) (links []LiveLink, err error) {
	if err = n.Read(linksQuery, func(msgs [][]byte) { links = parseLinks(msgs) }); err != nil {
		return nil, fmt.Errorf("list links: %w", err)
	}
	return links, nil
}

var linksQuery = LinkQuery(kernel.NewMessage(unix.RTM_GETLINK, unix.NLM_F_DUMP, nl.NewIfInfomsg(unix.AF_UNSPEC)))

func parseLinks(msgs [][]byte) []LiveLink {
	links := make([]LiveLink, len(msgs))
	for i, m := range msgs {
		links[i] = ParseLink(m)
	}
	return links
}

// ErrNoLink is the error of [FindLink] when there is no such link.
var ErrNoLink = errors.New("no such link")

// FindLink reads one link by name.
func FindLink(n *kernel.Namespace, name string) (LiveLink, error) {
	l, err := ReadLink(n, LinkNamed(name))
	if err != nil {
		return l, fmt.Errorf("link %s: %w", name, err)
	}
	return l, nil
}

// LinkNamed asks for one link by name.
func LinkNamed(name string) kernel.Query {
	m := kernel.NewMessage(unix.RTM_GETLINK, 0, nl.NewIfInfomsg(unix.AF_UNSPEC))
	m.Text(unix.IFLA_IFNAME, name)
	return LinkQuery(m)
}

// LinkQuery asks for the links that a request names.
func LinkQuery(m kernel.Message) kernel.Query {
	m.U32(unix.IFLA_EXT_MASK, skipStats)
	return kernel.NewQuery(m.NetlinkRequest, unix.RTM_NEWLINK)
}

// ReadLink reads the link that is asked for.
func ReadLink(n *kernel.Namespace, q kernel.Query) (l LiveLink, err error) {
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

// LinkConf are a link's own parameters in its message.
func LinkConf(b []byte) kernel.Attrs {
	return kernel.Attrs(b[unix.SizeofIfInfomsg:]).Nested(unix.IFLA_AF_SPEC)
}

// ParseLink reads a message of RTM_NEWLINK.
func ParseLink(b []byte) LiveLink {
	info := nl.DeserializeIfInfomsg(b)
	l := LiveLink{Index: int(info.Index), Flags: info.Flags, LowerNSID: -1}
	for t, value := range kernel.Attributes(b[info.Len():]) {
		switch t {
		case unix.IFLA_IFNAME:
			l.Name = unix.ByteSliceToString(value)
		case unix.IFLA_IFALIAS:
			l.Alias = unix.ByteSliceToString(value)
		case unix.IFLA_OPERSTATE:
			l.Oper = kernel.U8(value)
		case unix.IFLA_CARRIER:
			l.Carrier = kernel.U8(value) != 0
		case unix.IFLA_MTU:
			l.MTU = kernel.U32At(value, 0)
		case unix.IFLA_TXQLEN:
			l.TxQLen = kernel.U32At(value, 0)
		case unix.IFLA_GROUP:
			l.Group = kernel.U32At(value, 0)
		case unix.IFLA_MASTER:
			l.Master = int(kernel.U32At(value, 0))
		case unix.IFLA_LINK:
			l.Lower = int(kernel.U32At(value, 0))
		case unix.IFLA_LINK_NETNSID:
			l.LowerNSID = int(int32(kernel.U32At(value, 0)))
		case unix.IFLA_QDISC:
			l.Idle = unix.ByteSliceToString(value) == "noop"
		case unix.IFLA_ADDRESS:
			copy(l.MAC[:], value)
		case unix.IFLA_LINKINFO:
			l.parseInfo(value)
		case unix.IFLA_AF_SPEC:
			l.parseConf(value)
		case unix.IFLA_PROP_LIST:
			for _, name := range kernel.Attributes(value) {
				l.Altnames = append(l.Altnames, unix.ByteSliceToString(name))
			}
		}
	}
	if info.Flags&unix.IFF_LOOPBACK != 0 {
		l.Type = Loopback
	}
	return l
}

// parseInfo keeps what is peculiar to a type of link, and to a port. What it reads is only lent.
func (l *LiveLink) parseInfo(info kernel.Attrs) {
	data, port := info.Nested(unix.IFLA_INFO_DATA), info.Nested(unix.IFLA_INFO_SLAVE_DATA)
	l.Type, l.PortType = info.Text(unix.IFLA_INFO_KIND), info.Text(unix.IFLA_INFO_SLAVE_KIND)
	if l.Type == "tun" && data.U8(iflaTunType) == tunTypeTap {
		l.Type = "tap" // the kernel calls both alike
	}
	kept := append(append(make(kernel.Attrs, 0, len(data)+len(port)), data...), port...)
	l.Data, l.PortData = kept[:len(data):len(data)], kept[len(data):]
}

// parseConf reads the link's own parameters, which a dump of links has for free.
func (l *LiveLink) parseConf(families kernel.Attrs) {
	four := families.Nested(unix.AF_INET).Get(IflaInetConf)
	l.Forwarding4 = kernel.U32At(four, Devconf4Forwarding-1) != 0
	l.Promote = kernel.U32At(four, Devconf4Promote-1) != 0
	six := families.Nested(unix.AF_INET6)
	conf := six.Get(iflaInet6Conf)
	l.Forwarding6 = kernel.U32At(conf, devconf6Forwarding) != 0
	l.MTU6 = kernel.U32At(conf, devconf6MTU)
	l.AcceptRA = kernel.U32At(conf, devconf6AcceptRA)
	l.Disabled6 = kernel.U32At(conf, devconf6Disable) != 0
	l.GenMode = six.U8(iflaInet6AddrGenMode)
	derives := l.GenMode == addrGenModeEUI64
	l.IPv6 = len(six) > 0 && !l.Disabled6 && derives
	l.NoLinkLocal = len(six) > 0 && !derives
}

// MakeIdle makes a link that is down what it was before it was first up, when the kernel gives it a queueing
// discipline. The only way is to delete that, and only one with a number can be deleted: it gets one first.
func MakeIdle(n *kernel.Namespace, index int, place string) error {
	head := &nl.TcMsg{Ifindex: int32(index), Handle: 1 << 16, Parent: 1<<32 - 1} // TC_H_ROOT
	numbered := kernel.NewMessage(unix.RTM_NEWQDISC, unix.NLM_F_CREATE|unix.NLM_F_REPLACE, head)
	numbered.Text(tcaKind, "pfifo")
	deleted := kernel.NewMessage(unix.RTM_DELQDISC, 0, head)
	what := "take the queueing discipline of link " + place
	return n.WriteBoth(what, numbered.NetlinkRequest, deleted.NetlinkRequest)
}

// tcaKind is TCA_KIND of linux/rtnetlink.h.
const tcaKind = 1

// Conf4 begins the IPv4 parameters of a link in a message that changes it.
func Conf4(m kernel.Message) *nl.RtAttr {
	return m.Nest(unix.IFLA_AF_SPEC).AddRtAttr(unix.AF_INET|unix.NLA_F_NESTED, nil).
		AddRtAttr(IflaInetConf|unix.NLA_F_NESTED, nil)
}
