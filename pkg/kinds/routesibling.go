package kinds

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/plumbnet/plumb/pkg/kernel"
	"github.com/plumbnet/plumb/pkg/object"
	"github.com/plumbnet/plumb/pkg/plan"
)

// IPv6 has several routes of one destination and metric beside each other. Those that a router advertises, or that
// expire, belong to whoever made them, also at a key of ours. The kernel tells of those with a gateway as the next hops
// of one route, with protocol and lifetime of the first; only /proc/net/ipv6_route has them one by one.

// passing says whether the route comes and goes by itself.
func (r Route) passing() bool {
	return r.Dst.Addr().Is6() && r.Type == Unicast && (r.Proto == unix.RTPROT_RA || r.Finite)
}

// wayOf is a next hop as /proc/net/ipv6_route names it.
type wayOf struct {
	to     netip.Prefix
	metric uint32
	via    netip.Addr
	dev    string
}

// expiring are those next hops of a section that expire.
type expiring struct {
	read bool
	ways map[wayOf]bool
}

// siblings are the routes beside which there are others that come and go, by their keys.
type siblings struct{ of map[plan.Key][]Route }

// fetchRoutes finds out which next hops expire, where that can make a difference.
func fetchRoutes(_ *object.Env, s *object.Section, enter func(func() error) error) error {
	kept := object.In[expiring](s)
	if kept.read || !slices.ContainsFunc(s.Messages(object.RouteDump), mingled) {
		return nil
	}
	return enter(func() error {
		text, err := os.ReadFile("/proc/thread-self/net/ipv6_route")
		if err != nil {
			return fmt.Errorf("read the lifetimes of routes: %w", err)
		}
		kept.ways = make(map[wayOf]bool)
		for line := range strings.Lines(string(text)) {
			if way, ok := parseWay(strings.Fields(line)); ok {
				kept.ways[way] = true
			}
		}
		kept.read = true
		return nil
	})
}

// mingled says whether a message tells of several next hops, which may be ours and others'.
func mingled(b []byte) bool {
	m := nl.DeserializeRtMsg(b)
	likely := []uint8{object.Protocol, unix.RTPROT_RA, unix.RTPROT_BOOT, unix.RTPROT_STATIC}
	return m.Family == unix.AF_INET6 && slices.Contains(likely, m.Protocol) &&
		kernel.Attrs(b[m.Len():]).Has(unix.RTA_MULTIPATH)
}

// parseWay reads a line of /proc/net/ipv6_route: destination and length, source and length, gateway, metric, two
// counts, flags and link, the numbers in base 16. It is ok for a way that expires.
func parseWay(field []string) (w wayOf, ok bool) {
	const fields, base, expires = 10, 16, 0x00400000 // RTF_EXPIRES of linux/ipv6_route.h
	if len(field) != fields {
		return w, false
	}
	number := func(i int) uint32 {
		n, _ := strconv.ParseUint(field[i], base, 32) // as the kernel writes it
		return uint32(n)
	}
	to, gateway := hexAddr(field[0]), hexAddr(field[4])
	if gateway.IsUnspecified() {
		gateway = netip.Addr{}
	}
	w = wayOf{netip.PrefixFrom(to, int(number(1))), number(5), gateway, field[9]}
	return w, number(8)&expires != 0
}

// hexAddr reads an IPv6 address without colons.
func hexAddr(s string) netip.Addr {
	var groups []string
	for part := range slices.Chunk([]byte(s), 4) {
		groups = append(groups, string(part))
	}
	a, _ := netip.ParseAddr(strings.Join(groups, ":")) // as the kernel writes it
	return a
}

// lasting is the route without the next hops of others that come and go. Ok is false for a route that has no other
// ones, and stands where another is wanted: that leaves it alone.
func (r Route) lasting(e *object.Env, s *object.Section, msg []byte) (_ Route, ok bool) {
	hops, k := r.hops(), r.Key()
	kept := object.In[siblings](s)
	note := func(own ...Route) {
		if kept.of == nil {
			kept.of = make(map[plan.Key][]Route)
		}
		kept.of[k] = append(kept.of[k], own...)
	}
	want, wanted := e.Want(k).(Route)
	if len(hops) > 1 {
		rest := r.lastingHops(s, hops, firstHop(s, msg))
		if len(rest) > 0 && len(rest) < len(hops) {
			r = r.leading(rest)
			if r.passing() { // of the others the kernel does not tell the protocol
				r.Proto, r.Finite, r.Lifetime = object.Protocol, false, 0
			}
			note(r)
			return r, true
		}
	}
	same := func(h NextHop) bool { return slices.Contains(want.hops(), h) }
	if r.passing() && wanted && !slices.ContainsFunc(hops, same) {
		note()
		return r, false
	}
	if _, beside := kept.of[k]; beside {
		note(r)
	}
	return r, true
}

// lastingHops lists the next hops that do not expire; a router advertises the first of a route of that protocol.
func (r Route) lastingHops(s *object.Section, hops []NextHop, first NextHop) (rest []NextHop) {
	ways := object.In[expiring](s).ways
	for _, h := range hops {
		dev := h.Dev
		if l := s.Link(dev); l != nil {
			dev = l.Name
		}
		if !(h == first && r.Proto == unix.RTPROT_RA) && !ways[wayOf{r.Dst, r.Metric, h.Via, dev}] {
			rest = append(rest, h)
		}
	}
	return rest
}

// firstHop is the one whose protocol a message tells.
func firstHop(s *object.Section, msg []byte) (h NextHop) {
	a := kernel.Attrs(msg[nl.DeserializeRtMsg(msg).Len():])
	if hops := parseHops(s, a.Get(unix.RTA_MULTIPATH), new([]*object.LiveLink)); len(hops) > 0 {
		h = hops[0]
	}
	return h
}

// leading is the route by some of its next hops.
func (r Route) leading(hops []NextHop) Route {
	r.Via, r.Dev, r.Onlink, r.NextHops = netip.Addr{}, plan.Some(""), false, ""
	if len(hops) == 1 {
		r.Via, r.Dev, r.Onlink = hops[0].Via, plan.Some(hops[0].Dev), hops[0].Onlink
		return r
	}
	r.NextHops = JoinNextHops(hops)
	return r
}

// hasSiblings says whether there are routes beside one that come and go, and lists those that do not.
func (r Route) hasSiblings(s *object.Section) (own []Route, ok bool) {
	own, ok = object.In[siblings](s).of[r.Key()]
	return own, ok
}

// putBeside makes a route beside others, and deletes what there is of it before.
func putBeside(s *object.Section, own []Route, r Route) error {
	for _, o := range own {
		if err := delWays(s, o); err != nil {
			return err
		}
	}
	req, err := routeMessage(s, unix.RTM_NEWROUTE, unix.NLM_F_CREATE|unix.NLM_F_APPEND, r)
	if err != nil {
		return err
	}
	return s.NS.Write(fmt.Sprintf("add %s %s", KindRoute, r.Key().Name), req)
}

// delWays deletes a route way by way, so that the ways of others stay.
func delWays(s *object.Section, r Route) error {
	for _, h := range r.hops() {
		way := r.leading([]NextHop{h})
		way.Src, way.MTU, way.Finite = netip.Addr{}, 0, false
		way.Proto = unix.RTPROT_UNSPEC // of any
		req, err := routeMessage(s, unix.RTM_DELROUTE, 0, way)
		if err != nil {
			return err
		}
		err = s.NS.Write(fmt.Sprintf("delete %s %s", KindRoute, r.Key().Name), req)
		if err != nil && !errors.Is(err, unix.ESRCH) {
			return err
		}
	}
	return nil
}
