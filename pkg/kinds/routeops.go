package kinds

import (
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"slices"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/plumbnet/plumb/pkg/kernel"
	"github.com/plumbnet/plumb/pkg/object"
	"github.com/plumbnet/plumb/pkg/plan"
)

// routeTypes are the names of the kernel's types of routes that plumb knows; empty for the others.
var routeTypes = [...]string{
	unix.RTN_UNICAST: Unicast, unix.RTN_BLACKHOLE: Blackhole,
	unix.RTN_UNREACHABLE: Unreachable, unix.RTN_PROHIBIT: Prohibit,
}

func routeType(name string) uint8 { return uint8(slices.Index(routeTypes[:], name)) }

// readRoutes streams the routes of a section, of those types that plumb knows.
func readRoutes(e *object.Env, s *object.Section) iter.Seq[object.Live] {
	return func(yield func(object.Live) bool) {
		by := liveLeads(s)
		for _, m := range s.Messages(object.RouteDump) {
			r, links, ok := parseRoute(s, m)
			if ok && r.Dst.Addr().Is6() {
				r, ok = r.lasting(e, s, m)
			}
			if !ok {
				continue
			}
			k := r.Key()
			live := object.Live{Links: links, Message: m, Proto: r.Proto, ByHand: r.HandMade() && !r.Finite}
			live.Moves = movesRoute(e, s, r, live)
			live.Falls = slices.ContainsFunc(links, func(l *object.LiveLink) bool { return s.IsFalling(k, l.Index) })
			r.moves, r.falls = live.Moves, live.Falls
			live.Object = r.led(by).keep(e, s, k, m)
			if !yield(live) {
				return
			}
		}
	}
}

// parseRoute reads a route and the links that it leads over; not ok where it is of no type that plumb knows.
func parseRoute(s *object.Section, b []byte) (r Route, links []*object.LiveLink, ok bool) {
	m := nl.DeserializeRtMsg(b)
	a := kernel.Attrs(b[m.Len():])
	if int(m.Type) >= len(routeTypes) || routeTypes[m.Type] == "" || m.Flags&unix.RTM_F_CLONED != 0 ||
		m.Family != unix.AF_INET && m.Family != unix.AF_INET6 {
		return r, nil, false
	}
	r = Route{
		NS: s.NS.Name, Dst: object.RouteDestination(m, a), Table: uint32(m.Table), Metric: a.U32(unix.RTA_PRIORITY),
		Type: routeTypes[m.Type], Via: a.Addr(unix.RTA_GATEWAY), Dev: plan.Some(""), Src: a.Addr(unix.RTA_PREFSRC),
		Onlink: m.Flags&unix.RTNH_F_ONLINK != 0, MTU: a.Nested(unix.RTA_METRICS).U32(unix.RTAX_MTU), Proto: m.Protocol,
		tos: m.Tos,
	}
	if a.Has(unix.RTA_TABLE) {
		r.Table = a.U32(unix.RTA_TABLE)
	}
	if r.Type == Unicast {
		r.Dev = plan.Some(devName(s, a.U32(unix.RTA_OIF), &links))
	}
	if hops := a.Get(unix.RTA_MULTIPATH); len(hops) > 0 {
		r.Dev, r.NextHops = plan.Some(""), JoinNextHops(parseHops(s, hops, &links))
	}
	const second = 100                                                // USER_HZ
	left := max(int32(kernel.U32At(a.Get(unix.RTA_CACHEINFO), 2)), 0) // rta_cacheinfo.rta_expires
	r.Finite, r.Lifetime = left != 0, uint32(left+second-1)/second
	return r, links, true
}

// keep notes how the kernel told of a route that is not as it is wanted, and that a rollback may have to bring back.
func (r Route) keep(e *object.Env, s *object.Section, k plan.Key, b []byte) Route {
	managed := r.moves || r.falls || r.Proto == object.Protocol || r.HandMade() || e.Wanted(k)
	if managed && e.Want(k) != plan.Object(r) {
		r.found = object.Keep(s, [][]byte{b}, object.RouteIndexes)
	}
	return r
}

// HandMade says whether the route's protocol is one that ip-route(8) and people use.
func (r Route) HandMade() bool { return r.Proto == unix.RTPROT_BOOT || r.Proto == unix.RTPROT_STATIC }

// devName is the name of a link by index, and adds the link to those that the route leads over.
func devName(s *object.Section, index uint32, links *[]*object.LiveLink) string {
	l := s.At(int(index))
	if l == nil {
		return ""
	}
	*links = append(*links, l)
	return l.Known
}

// parseHops reads the next hops of a route that has several.
func parseHops(s *object.Section, b []byte, links *[]*object.LiveLink) []NextHop {
	var hops []NextHop
	for h := range object.NextHops(b) {
		hops = append(hops, NextHop{
			Via: h.Addr(unix.RTA_GATEWAY), Dev: devName(s, h.Index, links),
			Weight: int(h.Hops) + 1, Onlink: h.Flags&unix.RTNH_F_ONLINK != 0,
		})
	}
	return hops
}

// putRoute adds a route, or replaces the one at its key.
func putRoute(e *object.Env, changes []plan.Change) error {
	for _, c := range changes {
		r, ok := c.New.(Route)
		if !ok {
			return object.WrongType(KindRoute, c.New)
		}
		s, err := e.Section(r.NS)
		if err != nil {
			return err
		}
		if own, ok := r.hasSiblings(s); ok {
			if old, ok := c.Old.(Route); ok {
				own = append(own, old)
			}
			if err := putBeside(s, own, r); err != nil {
				return err
			}
			continue
		}
		verb, flags := "add", unix.NLM_F_CREATE|unix.NLM_F_EXCL
		old, existed := c.Old.(Route)
		if existed || r.NextHops != "" || r.Src.IsValid() {
			// What the plan has fall with one of several links, or with the link of its source address, may still be there:
			// with a secondary address the kernel leaves such a route.
			verb, flags = "replace", unix.NLM_F_CREATE|unix.NLM_F_REPLACE
		}
		if existed && (old.Copies > 0 || r.Copies > 0) {
			if err := delRoute(s, old); err != nil {
				return err
			}
		}
		if r.found+r.ahead+r.behind != "" {
			if err := putBackRoute(s, r); err != nil {
				return err
			}
			continue
		}
		req, err := routeMessage(s, unix.RTM_NEWROUTE, flags, r)
		if err != nil {
			return err
		}
		if err := s.NS.Write(fmt.Sprintf("%s %s %s", verb, KindRoute, r.Key().Name), req); err != nil {
			return err
		}
	}
	return nil
}

// putBackRoute makes a route, and those beside it, as they were found.
func putBackRoute(s *object.Section, r Route) error {
	flags := unix.NLM_F_CREATE | unix.NLM_F_REPLACE
	if r.Copies > 0 {
		flags = unix.NLM_F_CREATE | unix.NLM_F_APPEND
	}
	first, err := resentRoutes(s, r.ahead+r.found, flags)
	if err != nil {
		return err
	}
	if r.found == "" {
		req, err := routeMessage(s, unix.RTM_NEWROUTE, flags, r)
		if err != nil {
			return err
		}
		first = append(first, req)
	}
	rest, err := resentRoutes(s, r.behind, flags)
	if err != nil {
		return err
	}
	for _, req := range append(first, rest...) {
		if err := s.NS.Write("put back route "+r.Key().Name, req); err != nil {
			return err
		}
	}
	return nil
}

func resentRoutes(s *object.Section, f object.Found, flags int) (requests []*nl.NetlinkRequest, err error) {
	msgs, err := f.Messages(s, object.RouteIndexes)
	for _, b := range msgs {
		requests = append(requests, resentRoute(b, flags))
	}
	return requests, err
}

// resentRoute makes a request of a message about a route. The kernel takes neither the state of a next hop nor what is
// left of a lifetime; that is told in hundredths of a second, and set in seconds.
func resentRoute(b []byte, flags int) *nl.NetlinkRequest {
	const settable = unix.RTNH_F_ONLINK | unix.RTNH_F_PERVASIVE
	m := nl.DeserializeRtMsg(b)
	attrs := b[m.Len():]
	m.Flags &= settable
	for h := range object.Hops(kernel.Attrs(attrs).Get(unix.RTA_MULTIPATH)) {
		h[2] &= settable // rtnexthop.rtnh_flags
	}
	req := object.Resend(unix.RTM_NEWROUTE, flags, m, attrs, unix.RTA_CACHEINFO)
	if left := int32(kernel.U32At(kernel.Attrs(attrs).Get(unix.RTA_CACHEINFO), 2)); left > 0 {
		req.U32(unix.RTA_EXPIRES, uint32(left)/100+1)
	}
	return req.NetlinkRequest
}

func routeMessage(s *object.Section, proto, flags int, r Route) (*nl.NetlinkRequest, error) {
	m := &nl.RtMsg{}
	m.Family, m.Dst_len = kernel.Family(r.Dst.Addr()), uint8(r.Dst.Bits())
	m.Table, m.Protocol, m.Type, m.Scope = unix.RT_TABLE_UNSPEC, r.Proto, routeType(r.Type), scopeOf(r)
	if r.Onlink {
		m.Flags |= unix.RTNH_F_ONLINK
	}
	msg := kernel.NewMessage(proto, flags, m)
	msg.Addr(unix.RTA_DST, r.Dst.Addr())
	msg.U32(unix.RTA_TABLE, r.Table)
	if r.Metric != 0 {
		msg.U32(unix.RTA_PRIORITY, r.Metric)
	}
	if r.Via.IsValid() {
		msg.Addr(unix.RTA_GATEWAY, r.Via)
	}
	if r.Dev.V != "" {
		index, err := s.Index(r.Dev.V)
		if err != nil {
			return nil, err
		}
		msg.U32(unix.RTA_OIF, uint32(index))
	}
	if r.Src.IsValid() {
		msg.Addr(unix.RTA_PREFSRC, r.Src)
	}
	if r.Finite {
		msg.U32(unix.RTA_EXPIRES, r.Lifetime)
	}
	if r.MTU != 0 {
		msg.Nest(unix.RTA_METRICS).AddRtAttr(unix.RTAX_MTU, nl.Uint32Attr(r.MTU))
	}
	hops, err := encodeHops(s, r.NextHops.Split())
	if len(hops) > 0 {
		msg.Add(unix.RTA_MULTIPATH, hops)
	}
	return msg.NetlinkRequest, err
}

// scopeOf gives a route the scope that ip-route(8) gives it.
func scopeOf(r Route) uint8 {
	if r.Dst.Addr().Is4() && r.Type == Unicast && !r.Via.IsValid() && r.NextHops == "" {
		return unix.RT_SCOPE_LINK
	}
	return unix.RT_SCOPE_UNIVERSE
}

func encodeHops(s *object.Section, hops []NextHop) ([]byte, error) {
	var b []byte
	for _, h := range hops {
		var via []byte
		if h.Via.IsValid() {
			via = nl.NewRtAttr(unix.RTA_GATEWAY, h.Via.AsSlice()).Serialize()
		}
		index := 0
		if h.Dev != "" {
			var err error
			if index, err = s.Index(h.Dev); err != nil {
				return nil, err
			}
		}
		head := make([]byte, unix.SizeofRtNexthop)
		binary.NativeEndian.PutUint16(head, uint16(len(head)+len(via)))
		if h.Onlink {
			head[2] = unix.RTNH_F_ONLINK
		}
		head[3] = uint8(h.Weight - 1)
		binary.NativeEndian.PutUint32(head[4:], uint32(index))
		b = slices.Concat(b, head, via)
	}
	return b, nil
}

func delRoutes(e *object.Env, objects []plan.Object) error {
	for _, o := range objects {
		r, ok := o.(Route)
		if !ok {
			return object.WrongType(KindRoute, o)
		}
		s, err := e.Section(r.NS)
		if err != nil {
			continue // the namespace is gone, and all in it
		}
		if own, ok := r.hasSiblings(s); ok {
			for _, o := range append(own, r) {
				err = errors.Join(err, delWays(s, o))
			}
		} else {
			err = delRoute(s, r)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// delRoute deletes a route, and what stands at its key beside it.
func delRoute(s *object.Section, r Route) error {
	for _, tos := range r.allTOS() {
		m := &nl.RtMsg{}
		m.Tos = tos
		m.Family, m.Dst_len, m.Scope = kernel.Family(r.Dst.Addr()), uint8(r.Dst.Bits()), unix.RT_SCOPE_NOWHERE
		if r.Copies == 0 {
			// Metric 0 stands for any: without more to tell it by, a route of another metric could go in its place.
			m.Protocol, m.Type = r.Proto, routeType(r.Type)
		}
		msg := kernel.NewMessage(unix.RTM_DELROUTE, 0, m)
		msg.Addr(unix.RTA_DST, r.Dst.Addr())
		msg.U32(unix.RTA_TABLE, r.Table)
		if r.Metric != 0 {
			msg.U32(unix.RTA_PRIORITY, r.Metric)
		}
		err := s.NS.Write(fmt.Sprintf("delete %s %s", KindRoute, r.Key().Name), msg.NetlinkRequest)
		switch {
		case errors.Is(err, unix.ESRCH):
			return nil
		case err != nil:
			return err
		}
	}
	return nil
}

// allTOS lists the type of service of the route and of each beside it: the kernel deletes those of the same alone.
func (r Route) allTOS() []uint8 {
	list := []uint8{r.tos}
	msgs, _ := (r.ahead + r.behind).Messages(nil, object.RouteIndexes)
	for _, b := range msgs {
		list = append(list, nl.DeserializeRtMsg(b).Tos)
	}
	for len(list) <= r.Copies { // one that is as it is wanted
		list = append(list, 0)
	}
	return list
}

func askRoutes(*object.Env, *object.Section) []*object.Dump { return []*object.Dump{object.RouteDump} }
