package link

import (
	"slices"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/plumbnet/plumb/pkg/kernel"
	"github.com/plumbnet/plumb/pkg/object"
)

// placeOf names a live link in messages.
func placeOf(s *object.Section, l *object.LiveLink) string {
	return object.LinkKey(s.NS.Name, l.Name).Place()
}

// indexRequest starts a message that changes a link.
func indexRequest(index int, flags, mask uint32) kernel.Message {
	info := nl.NewIfInfomsg(unix.AF_UNSPEC)
	info.Index, info.Flags, info.Change = int32(index), flags, mask
	return kernel.NewMessage(unix.RTM_NEWLINK, 0, info)
}

// linkAt asks for a link.
func linkAt(index int) kernel.Message {
	m := indexRequest(index, 0, 0)
	m.Type = unix.RTM_GETLINK
	return m
}

// confAttrs asks for the link's own IPv4 parameters. The kernel takes them when a link changes, not when it is made.
func (l Link) confAttrs(m kernel.Message) {
	conf := object.Conf4(m)
	conf.AddRtAttr(object.Devconf4Forwarding, nl.Uint32Attr(kernel.Bit(l.Forwarding4)))
	conf.AddRtAttr(object.Devconf4Promote, nl.Uint32Attr(kernel.Bit(l.Promote)))
}

// createAttrs are those that the kernel takes when it makes a link, of either end of a cable.
func (l Link) createAttrs(add func(t int, b []byte)) {
	if IsPair(l.Type) {
		// The kernel would make a queue for each processor, with files for each below /sys, and use the first alone, but
		// where XDP or threaded polling is set up for more.
		add(unix.IFLA_NUM_TX_QUEUES, nl.Uint32Attr(1))
		add(unix.IFLA_NUM_RX_QUEUES, nl.Uint32Attr(1))
	}
	add(unix.IFLA_IFNAME, nl.ZeroTerminated(l.Name))
	add(unix.IFLA_MTU, nl.Uint32Attr(l.MTU))
	if l.madeWithMAC() {
		add(unix.IFLA_ADDRESS, slices.Clone(l.MAC[:]))
	}
	add(unix.IFLA_GROUP, nl.Uint32Attr(l.Group))
	if l.TxQLen != l.fresh().TxQLen {
		add(unix.IFLA_TXQLEN, nl.Uint32Attr(l.TxQLen))
	}
}

// creation is what a message that makes a link must know of where the link is made.
type creation struct {
	master int   // index of its master, 0 for none
	into   int   // descriptor of its namespace, where that is not the one that the message is sent from; else -1
	peer   *Link // the other end of a cable, in the namespace that peerNS is open on; nil for none
	peerNS int
	lower  int // index of the link that it is made on, 0 for none
	from   int // number of the underlay in its namespace, where the message is sent from that; else -1
	index  func(object.Ref) (int, error)
}

// createFlags are the flags that a link is made with, and which of them are meant.
func (l Link) createFlags() (flags, mask uint32) {
	flags, mask = l.flags(l.fresh())
	if l.Up && !typeOf(l.Type).UpAfterPorts && !l.enslaves().FromDown {
		return flags | unix.IFF_UP, mask | unix.IFF_UP
	}
	return flags, mask
}

// createMessage makes a link.
func (l Link) createMessage(c creation) (*nl.NetlinkRequest, error) {
	info := nl.NewIfInfomsg(unix.AF_UNSPEC)
	info.Flags, info.Change = l.createFlags()
	m := kernel.NewMessage(unix.RTM_NEWLINK, unix.NLM_F_CREATE|unix.NLM_F_EXCL, info)
	l.createAttrs(m.Add)
	if c.master != 0 {
		m.U32(unix.IFLA_MASTER, uint32(c.master))
	}
	if c.lower != 0 {
		m.U32(unix.IFLA_LINK, uint32(c.lower))
	}
	if c.into >= 0 {
		m.U32(unix.IFLA_NET_NS_FD, uint32(c.into))
	}
	if c.from >= 0 {
		m.U32(unix.IFLA_LINK_NETNSID, uint32(c.from))
	}
	if c.peer == nil {
		return m.NetlinkRequest, l.infoData(m, fresh(l.Spec), nil, c.index)
	}
	kind := m.Nest(unix.IFLA_LINKINFO)
	kind.AddRtAttr(unix.IFLA_INFO_KIND, nl.NonZeroTerminated(l.Type))
	data := kind.AddRtAttr(unix.IFLA_INFO_DATA|unix.NLA_F_NESTED, nil)
	if err := encode(data, l.Spec, fresh(l.Spec), c.index); err != nil {
		return nil, err
	}
	if far := typeOf(l.Type).Far; far != nil {
		far(data, c.peer.Spec)
	}
	end := data.AddRtAttr(nl.VETH_INFO_PEER|unix.NLA_F_NESTED, nil) // it is IFLA_NETKIT_PEER_INFO too
	nl.NewIfInfomsgChild(end, unix.AF_UNSPEC)
	c.peer.createAttrs(func(t int, b []byte) { end.AddRtAttr(t, b) })
	end.AddRtAttr(unix.IFLA_NET_NS_FD, nl.Uint32Attr(uint32(c.peerNS)))
	return m.NetlinkRequest, nil
}

// infoData adds what of the link's own type differs from have, of a link that has the attributes live.
func (l Link) infoData(m kernel.Message, have Spec, live kernel.Attrs, index func(object.Ref) (int, error)) error {
	t := typeOf(l.Type)
	info := m.Nest(unix.IFLA_LINKINFO)
	info.AddRtAttr(unix.IFLA_INFO_KIND, nl.NonZeroTerminated(l.Type))
	data := info.AddRtAttr(unix.IFLA_INFO_DATA|unix.NLA_F_NESTED, nil)
	differs := have
	if t.Whole {
		keep(data, l.Spec, live)
		differs = nil
	}
	if err := encode(data, l.Spec, differs, index); err != nil {
		return err
	}
	if t.Extra != nil {
		t.Extra(data, l.Spec, have)
	}
	return nil
}

// stampMessage gives a link that was made otherwise what a message that makes one does, and its alias.
func (l Link) stampMessage(index int) *nl.NetlinkRequest {
	flags, mask := l.flags(l.fresh())
	m := indexRequest(index, flags, mask)
	l.createAttrs(m.Add)
	m.Add(unix.IFLA_IFALIAS, []byte(l.Alias))
	return m.NetlinkRequest
}

// finishMessage sets what the kernel does not take when it makes the link, or what first was not as wanted.
func (l Link) finishMessage(first Link, index, master int) *nl.NetlinkRequest {
	flags, mask := l.flags(l.fresh()) // the other end of a cable is made without
	up := uint32(unix.IFF_UP)
	if master != 0 && l.enslaves().FromDown {
		up = 0 // the kernel takes the flags first, and the master brings it up
	}
	m := indexRequest(index, flags|kernel.Bit(l.Up && !typeOf(l.Type).UpAfterPorts)&up, mask|up)
	m.Add(unix.IFLA_IFALIAS, []byte(l.Alias))
	if first.MTU != l.MTU {
		m.U32(unix.IFLA_MTU, l.MTU)
	}
	if master != 0 {
		m.U32(unix.IFLA_MASTER, uint32(master))
	}
	l.confAttrs(m)
	return m.NetlinkRequest
}
