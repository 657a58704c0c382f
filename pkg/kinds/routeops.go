package kind

import (
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"net/netip"
	"slices"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/plumbnet/plumb/pkg/kernel"
	"github.com/plumbnet/plumb/pkg/plan"
)

// routeTypes are the names of the kernel's types of routes that plumb knows; empty for the others.
var routeTypes = [...]string{
	unix.RTN_UNICAST: Unicast, unix.RTN_BLACKHOLE: Blackhole, unix.RTN_UNREACHABLE: Unreachable, unix.RTN_PROHIBIT: Prohibit,
}

func routeType(name string) uint8 { return uint8(slices.Index(routeTypes[:], name)) }

// liveRoute is a route as the kernel describes it in RTM_NEWROUTE, and what tells whose it is.
type liveRoute struct {
	Route
	signs
}

var routeDump = dumpOf(unix.RTM_GETROUTE, unix.RTM_NEWROUTE, func(family int) nl.NetlinkRequestData {
	return &nl.RtMsg{RtMsg: unix.RtMsg{Family: uint8(family)}}
})

// dumpRoutes dumps the routes of both families and all tables of a namespace but the local one, which is the kernel's, as messages of
// RTM_NEWROUTE.
func dumpRoutes(n *kernel.Namespace) (routes [][]byte, err error) {
	err = routeDump.read(n, func(msgs [][]byte) {
		msgs = slices.DeleteFunc(msgs, func(m []byte) bool { return nl.DeserializeRtMsg(m).Table == unix.RT_TABLE_LOCAL })
		kept := slices.Concat(msgs...) // one copy of all: a host may have a million
		for _, m := range msgs {
			routes = append(routes, kept[:len(m):len(m)])
			kept = kept[len(m):]
		}
	})
	if err != nil {
		return nil, fmt.Errorf("list routes: %w", err)
	}
	return routes, nil
}

// listRoutes lists the routes over links that are ours, and those at a wanted key.
func listRoutes(e *Env, s *Section) ([]plan.Have, error) {
	var have []plan.Have
	at := make(map[plan.Key]int)
	for _, m := range s.routes {
		r, ok := e.parseRoute(s, m)
		if !ok {
			continue
		}
		k := r.Key()
		h := plan.Have{Object: r.Route, Class: e.classOf(s, k, r.signs)}
		switch {
		case h.Class == plan.Foreign:
			h.Why = notOurs
		case h.Class == plan.Loose && !e.Wanted(k):
			continue
		case !e.Wanted(k) && r.Proto != Protocol:
			h.Why = "made by hand"
		}
		if i, twin := at[k]; twin {
			have[i] = oneMore(have[i], h)
			continue
		}
		at[k] = len(have)
		have = append(have, h)
	}
	return have, nil
}

// oneMore counts a second route at one key; ours stands for both.
func oneMore(first, second plan.Have) plan.Have {
	one, two := first.Object.(Route), second.Object.(Route)
	copies := one.Copies + 1
	if one.Proto != Protocol && two.Proto == Protocol {
		first, one = second, two
	}
	one.Copies = copies
	first.Object = one
	return first
}

func (e *Env) parseRoute(s *Section, b []byte) (liveRoute, bool) {
	m := nl.DeserializeRtMsg(b)
	a := attrs(b[m.Len():])
	if int(m.Type) >= len(routeTypes) || routeTypes[m.Type] == "" || m.Flags&unix.RTM_F_CLONED != 0 ||
		m.Family != unix.AF_INET && m.Family != unix.AF_INET6 {
		return liveRoute{}, false
	}
	r := liveRoute{Route: Route{
		NS: s.NS.Name, Dst: destination(m, a), Table: uint32(m.Table), Metric: a.u32(unix.RTA_PRIORITY),
		Type: routeTypes[m.Type], Via: a.addr(unix.RTA_GATEWAY), Dev: plan.Some(""), Src: a.addr(unix.RTA_PREFSRC),
		Onlink: m.Flags&unix.RTNH_F_ONLINK != 0, MTU: a.nested(unix.RTA_METRICS).u32(unix.RTAX_MTU), Proto: m.Protocol,
	}}
	if a.has(unix.RTA_TABLE) {
		r.Table = a.u32(unix.RTA_TABLE)
	}
	expires := int32(u32At(a.get(unix.RTA_CACHEINFO), 2)) // rta_cacheinfo.rta_expires
	r.handMade, r.marked = r.HandMade() && expires == 0, r.Proto == Protocol
	if r.Type == Unicast {
		r.Dev = plan.Some(e.devName(s, a.u32(unix.RTA_OIF), &r.signs))
	}
	if hops := a.get(unix.RTA_MULTIPATH); len(hops) > 0 {
		r.Dev, r.NextHops = plan.Some(""), JoinNextHops(e.parseHops(s, hops, &r.signs))
	}
	return r, true
}

// HandMade says whether the route's protocol is one that ip-route(8) and people use.
func (r Route) HandMade() bool { return r.Proto == unix.RTPROT_BOOT || r.Proto == unix.RTPROT_STATIC }

func destination(m *nl.RtMsg, a attrs) netip.Prefix {
	dst := a.addr(unix.RTA_DST)
	if !dst.IsValid() {
		dst = netip.IPv6Unspecified()
		if m.Family == unix.AF_INET {
			dst = netip.IPv4Unspecified()
		}
	}
	return netip.PrefixFrom(dst, int(m.Dst_len))
}

// devName is the name of a link by index, and notes whose it is.
func (e *Env) devName(s *Section, index uint32, is *signs) string {
	l := s.byIndex[int(index)]
	if l == nil {
		return ""
	}
	is.owned = is.owned || e.owned(e.stamp(s, l))
	is.others = is.others || e.ofOthers(l)
	return e.nameOf(s, l)
}

// parseHops reads the next hops of a route that has several.
func (e *Env) parseHops(s *Section, b []byte, is *signs) []NextHop {
	var hops []NextHop
	for h := range nextHops(b) {
		hops = append(hops, NextHop{
			Via: h.attrs.addr(unix.RTA_GATEWAY), Dev: e.devName(s, h.index, is),
			Weight: int(h.hops) + 1, Onlink: h.flags&unix.RTNH_F_ONLINK != 0,
		})
	}
	return hops
}

// nextHop is a struct rtnexthop with its attributes (rtnetlink(7)).
type nextHop struct {
	index       uint32
	flags, hops uint8
	attrs       attrs
}

// nextHops reads a run of them.
func nextHops(b []byte) iter.Seq[nextHop] {
	return func(yield func(nextHop) bool) {
		for len(b) >= unix.SizeofRtNexthop {
			length := int(binary.NativeEndian.Uint16(b))
			if length < unix.SizeofRtNexthop || length > len(b) {
				return
			}
			if !yield(nextHop{binary.NativeEndian.Uint32(b[4:]), b[2], b[3], attrs(b[unix.SizeofRtNexthop:length])}) {
				return
			}
			b = b[min((length+3)&^3, len(b)):]
		}
	}
}

// putRoute adds a route, or replaces the one at its key.
func putRoute(e *Env, changes []plan.Change) error {
	for _, c := range changes {
		r, ok := c.New.(Route)
		if !ok {
			return wrongType(KindRoute, c.New)
		}
		s, err := e.section(r.NS)
		if err != nil {
			return err
		}
		verb, flags := "add", unix.NLM_F_CREATE|unix.NLM_F_EXCL
		old, existed := c.Old.(Route)
		if existed || r.NextHops != "" || r.Src.IsValid() {
			// What the plan has fall with one of several links, or with the link of its source address, may still be there:
			// with a secondary address the kernel leaves such a route.
			verb, flags = "replace", unix.NLM_F_CREATE|unix.NLM_F_REPLACE
		}
		if existed && old.Copies > 0 {
			if err := s.delRoute(old); err != nil {
				return err
			}
		}
		req, err := s.routeMessage(unix.RTM_NEWROUTE, flags, r)
		if err != nil {
			return err
		}
		if err := s.NS.Write(fmt.Sprintf("%s %s %s", verb, KindRoute, r.Key().Name), req); err != nil {
			return err
		}
	}
	return nil
}

func (s *Section) routeMessage(proto, flags int, r Route) (*nl.NetlinkRequest, error) {
	req := kernel.Request(proto, flags)
	m := &nl.RtMsg{}
	m.Family, m.Dst_len = familyOf(r.Dst.Addr()), uint8(r.Dst.Bits())
	m.Table, m.Protocol, m.Type, m.Scope = unix.RT_TABLE_UNSPEC, r.Proto, routeType(r.Type), scopeOf(r)
	if r.Onlink {
		m.Flags |= unix.RTNH_F_ONLINK
	}
	req.AddData(m)
	msg := message{req}
	msg.addr(unix.RTA_DST, r.Dst.Addr())
	msg.u32(unix.RTA_TABLE, r.Table)
	if r.Metric != 0 {
		msg.u32(unix.RTA_PRIORITY, r.Metric)
	}
	if r.Via.IsValid() {
		msg.addr(unix.RTA_GATEWAY, r.Via)
	}
	if r.Dev.V != "" {
		index, err := s.Index(r.Dev.V)
		if err != nil {
			return nil, err
		}
		msg.u32(unix.RTA_OIF, uint32(index))
	}
	if r.Src.IsValid() {
		msg.addr(unix.RTA_PREFSRC, r.Src)
	}
	if r.MTU != 0 {
		msg.nest(unix.RTA_METRICS).AddRtAttr(unix.RTAX_MTU, nl.Uint32Attr(r.MTU))
	}
	hops, err := s.encodeHops(r.NextHops.Split())
	if len(hops) > 0 {
		msg.raw(unix.RTA_MULTIPATH, hops)
	}
	return req, err
}

// scopeOf gives a route the scope that ip-route(8) gives it.
func scopeOf(r Route) uint8 {
	if r.Dst.Addr().Is4() && r.Type == Unicast && !r.Via.IsValid() && r.NextHops == "" {
		return unix.RT_SCOPE_LINK
	}
	return unix.RT_SCOPE_UNIVERSE
}

func (s *Section) encodeHops(hops []NextHop) ([]byte, error) {
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

func delRoutes(e *Env, objects []plan.Object) error {
	for _, o := range objects {
		r, ok := o.(Route)
		if !ok {
			return wrongType(KindRoute, o)
		}
		s, err := e.section(r.NS)
		if err != nil {
			continue // the namespace is gone, and all in it
		}
		if err := s.delRoute(r); err != nil {
			return err
		}
	}
	return nil
}

// delRoute deletes a route, and what stands at its key beside it.
func (s *Section) delRoute(r Route) error {
	for range r.Copies + 1 {
		req := kernel.Request(unix.RTM_DELROUTE, 0)
		m := &nl.RtMsg{}
		m.Family, m.Dst_len, m.Scope = familyOf(r.Dst.Addr()), uint8(r.Dst.Bits()), unix.RT_SCOPE_NOWHERE
		if r.Copies == 0 {
			// Metric 0 stands for any: without more to tell it by, a route of another metric could go in its place.
			m.Protocol, m.Type = r.Proto, routeType(r.Type)
		}
		req.AddData(m)
		msg := message{req}
		msg.addr(unix.RTA_DST, r.Dst.Addr())
		msg.u32(unix.RTA_TABLE, r.Table)
		if r.Metric != 0 {
			msg.u32(unix.RTA_PRIORITY, r.Metric)
		}
		err := s.NS.Write(fmt.Sprintf("delete %s %s", KindRoute, r.Key().Name), req)
		switch {
		case errors.Is(err, unix.ESRCH):
			return nil
		case err != nil:
			return err
		}
	}
	return nil
}
