package object

import (
	"encoding/binary"
	"iter"
	"net/netip"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/plumbnet/plumb/pkg/kernel"
)

// RouteDump lists routes of all tables but the local one, which is the kernel's.
var RouteDump = NewDump("routes", unix.RTM_GETROUTE, unix.RTM_NEWROUTE, func(family int) nl.NetlinkRequestData {
	return &nl.RtMsg{RtMsg: unix.RtMsg{Family: uint8(family)}}
}, func(m []byte) bool { return nl.DeserializeRtMsg(m).Table != unix.RT_TABLE_LOCAL })

// RouteDestination is the destination of a route: everywhere, where the message names none.
func RouteDestination(m *nl.RtMsg, a kernel.Attrs) netip.Prefix {
	dst := a.Addr(unix.RTA_DST)
	if !dst.IsValid() {
		dst = netip.IPv6Unspecified()
		if m.Family == unix.AF_INET {
			dst = netip.IPv4Unspecified()
		}
	}
	return netip.PrefixFrom(dst, int(m.Dst_len))
}

// LiveHop is a struct rtnexthop with its attributes (rtnetlink(7)).
type LiveHop struct {
	Index       uint32
	Flags, Hops uint8 // Hops is the weight less one
	kernel.Attrs
}

// NextHops reads the value of RTA_MULTIPATH.
func NextHops(b []byte) iter.Seq[LiveHop] {
	return func(yield func(LiveHop) bool) {
		for h := range Hops(b) {
			if !yield(LiveHop{binary.NativeEndian.Uint32(h[4:]), h[2], h[3], kernel.Attrs(h[unix.SizeofRtNexthop:])}) {
				return
			}
		}
	}
}

// Hops yields each struct rtnexthop with its attributes.
func Hops(b []byte) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		for len(b) >= unix.SizeofRtNexthop {
			length := int(binary.NativeEndian.Uint16(b))
			if length < unix.SizeofRtNexthop || length > len(b) {
				return
			}
			if !yield(b[:length]) {
				return
			}
			b = b[min((length+3)&^3, len(b)):]
		}
	}
}

// RouteIndexes are the places in a message about a route at which the index of a link stands.
func RouteIndexes(b []byte) (at [][]byte) {
	for t, v := range kernel.Attributes(b[unix.SizeofRtMsg:]) {
		switch {
		case t == unix.RTA_OIF && len(v) == 4:
			at = append(at, v)
		case t == unix.RTA_MULTIPATH:
			for h := range Hops(v) {
				at = append(at, h[4:8])
			}
		}
	}
	return at
}

// DefaultDev is the interface that the default route of a section leaves by, empty without one.
func DefaultDev(s *Section, v4 bool) string {
	for _, r := range DefaultRoutes(s) {
		if r.V4 == v4 && len(r.Devs) > 0 {
			return r.Devs[0]
		}
	}
	return ""
}

// DefaultRoute is a way from a section to everywhere, in the main table.
type DefaultRoute struct {
	V4     bool
	Devs   []string // the interfaces that it leaves by: several for a multipath route
	Via    netip.Addr
	Metric uint32
	Proto  uint8
}

// DefaultRoutes lists the default routes that the section was found with.
func DefaultRoutes(s *Section) (list []DefaultRoute) {
	for _, b := range s.Messages(RouteDump) {
		m := nl.DeserializeRtMsg(b)
		if m.Dst_len != 0 || m.Table != unix.RT_TABLE_MAIN || m.Type != unix.RTN_UNICAST {
			continue
		}
		a := kernel.Attrs(b[m.Len():])
		r := DefaultRoute{
			V4: m.Family == unix.AF_INET, Via: a.Addr(unix.RTA_GATEWAY), Metric: a.U32(unix.RTA_PRIORITY), Proto: m.Protocol,
		}
		r.leavesBy(s, a.U32(unix.RTA_OIF))
		for h := range NextHops(a.Get(unix.RTA_MULTIPATH)) {
			r.leavesBy(s, h.Index)
		}
		list = append(list, r)
	}
	return list
}

func (r *DefaultRoute) leavesBy(s *Section, index uint32) {
	if l := s.byIndex[int(index)]; l != nil {
		r.Devs = append(r.Devs, l.Name)
	}
}

// Way asks the kernel for the index of the link by which packets from src to dst leave a section: 0 for those that end
// in it. Src may be an address of the section, or of somebody whom it forwards for.
func Way(n *kernel.Namespace, src, dst netip.Addr) (index int, err error) {
	from, err := lookUp(n, src, func(kernel.Message, *nl.RtMsg) {})
	if err != nil {
		return 0, err
	}
	to, err := lookUp(n, dst, func(m kernel.Message, head *nl.RtMsg) {
		head.Src_len = uint8(src.BitLen())
		m.Addr(unix.RTA_SRC, src)
		if from.index != 0 {
			m.U32(unix.RTA_IIF, uint32(from.index))
		}
	})
	return to.index, err
}

// IsNeighbour asks the kernel whether an address is reached without a gateway, over the link with an index unless that
// is 0.
func IsNeighbour(n *kernel.Namespace, a netip.Addr, index int) bool {
	r, err := lookUp(n, a, func(m kernel.Message, _ *nl.RtMsg) {
		if index != 0 {
			m.U32(unix.RTA_OIF, uint32(index))
		}
	})
	return err == nil && r.index != 0 && !r.gateway
}

// way is a route that was looked up: the index of its link, 0 when it ends in the section.
type way struct {
	index   int
	gateway bool
}

// lookUp asks for the route to an address; more adds to the question.
func lookUp(n *kernel.Namespace, dst netip.Addr, more func(kernel.Message, *nl.RtMsg)) (found way, err error) {
	head := &nl.RtMsg{RtMsg: unix.RtMsg{Family: kernel.Family(dst), Dst_len: uint8(dst.BitLen())}}
	m := kernel.NewMessage(unix.RTM_GETROUTE, 0, head)
	m.Addr(unix.RTA_DST, dst)
	more(m, head)
	err = n.Read(kernel.NewQuery(m.NetlinkRequest, unix.RTM_NEWROUTE), func(msgs [][]byte) {
		for _, b := range msgs {
			m := nl.DeserializeRtMsg(b)
			a := kernel.Attrs(b[m.Len():])
			if m.Type == unix.RTN_UNICAST {
				found = way{int(a.U32(unix.RTA_OIF)), a.Has(unix.RTA_GATEWAY) || a.Has(unix.RTA_VIA)}
			}
		}
	})
	return found, err
}
