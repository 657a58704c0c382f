package topology

import (
	"net/netip"
	"slices"

	"github.com/plumbnet/plumb/pkg/kinds"
	"github.com/plumbnet/plumb/pkg/object"
	"github.com/plumbnet/plumb/pkg/plan"
)

// route is a route with everything filled in that the file leaves out.
type route struct {
	kinds.Route
	at span
}

// connected6 is the metric of the routes that the kernel makes for IPv6 addresses (IP6_RT_PRIO_ADDRCONF); those of
// IPv4 have none.
const connected6 = 256

// routes checks a section's routes, and resolves them.
func (c *checker) routes(s *section) {
	type key struct {
		dst           netip.Prefix
		table, metric uint32
	}
	first := map[key]span{}
	for i := range s.Routes {
		r := &s.Routes[i]
		if r.flawed || !c.shape(r) {
			continue
		}
		dst, ok := c.family(r)
		if !ok {
			continue
		}
		k := key{dst, r.Table.Or(kinds.MainTable), metricOf(r, dst)}
		if at, twice := first[k]; twice {
			c.errorf(r.at, "the route to %s is given twice, first on line %d", dst, at.line).
				Hint = "routes to the same destination need different metrics, or one nexthops list"
			continue
		}
		first[k] = r.at
		c.connected(s, r, dst)
		c.source(s, r)
		out := kinds.Route{
			NS: s.Name, Dst: dst, Table: k.table, Metric: k.metric, Proto: object.Protocol,
			Type: r.Type.Or(kinds.Unicast), Src: r.Src.V, MTU: r.MTU.V, Onlink: r.Onlink.V,
		}
		c.way(s, r, &out)
		s.routes = append(s.routes, route{out, r.at})
	}
}

// metricOf is a route's metric; the kernel takes none for one in IPv6.
func metricOf(r *Route, dst netip.Prefix) uint32 {
	if r.Metric.V == 0 && dst.Addr().Is6() {
		return kinds.DefaultMetric6
	}
	return r.Metric.V
}

// shape checks which keys stand together.
func (c *checker) shape(r *Route) bool {
	before := len(c.problems)
	way := r.Via.Given() || r.Dev.Given()
	hops := r.hops.line > 0
	if !r.To.Given() {
		c.errorf(r.at, "the route has no destination").Hint = `as "to: default", or "to: 10.0.0.0/8"`
	}
	switch {
	case r.Type.Given() && (way || hops || r.Onlink.Given()):
		c.errorf(r.Type.at, "a route of type %s leads nowhere: it has no via, dev, nexthops or onlink", r.Type.V)
	case hops && way:
		c.errorf(r.hops, "a route has via and dev, or nexthops, not both")
	case hops && r.Onlink.Given():
		c.errorf(r.Onlink.at, "onlink belongs to a next hop, where there are several")
	case hops && len(r.NextHops) == 0:
		c.errorf(r.hops, "nexthops is empty")
	case !r.Type.Given() && !way && !hops:
		c.errorf(r.at, "the route leads nowhere").Hint = "it needs via, dev, nexthops or type"
	}
	c.onlink(r.Onlink, r.Via, r.Dev, hops || r.Type.Given())
	seen := map[NextHop]bool{}
	for _, h := range r.NextHops {
		if !h.Via.Given() && !h.Dev.Given() {
			c.errorf(h.at, "the next hop has neither via nor dev")
		}
		c.onlink(h.Onlink, h.Via, h.Dev, false)
		k := NextHop{Via: Value[netip.Addr]{V: h.Via.V}, Dev: Value[string]{V: h.Dev.V}}
		if seen[k] {
			c.errorf(h.at, "this next hop is given twice").Hint = "add their weights"
		}
		seen[k] = true
	}
	return len(c.problems) == before
}

func (c *checker) onlink(o Value[bool], via Value[netip.Addr], dev Value[string], told bool) {
	if o.V && !told && !(via.Given() && dev.Given()) {
		c.errorf(o.at, "onlink needs both via and dev")
	}
}

// family finds the destination, of which "default" has no family of its own, and checks that the addresses of the
// route are of one family.
func (c *checker) family(r *Route) (netip.Prefix, bool) {
	others := []Value[netip.Addr]{r.Via, r.Src}
	for _, h := range r.NextHops {
		others = append(others, h.Via)
	}
	others = slices.DeleteFunc(others, func(a Value[netip.Addr]) bool { return !a.Given() })
	dst := r.To.V
	if !dst.IsValid() {
		dst = netip.PrefixFrom(netip.IPv4Unspecified(), 0)
		if len(others) > 0 && others[0].V.Is6() {
			dst = netip.PrefixFrom(netip.IPv6Unspecified(), 0)
		}
	}
	for _, a := range others {
		if a.V.Is4() != dst.Addr().Is4() {
			c.errorf(a.at, "%s and the route to %s are of different families", a.V, dst)
			return dst, false
		}
	}
	if r.MTU.OK() && dst.Addr().Is6() && r.MTU.V < object.MinIPv6MTU {
		c.errorf(r.MTU.at, "IPv6 needs an MTU of at least %d, not %d", object.MinIPv6MTU, r.MTU.V)
	}
	return dst, true
}

// connected reports a route that would take the place of the one that the kernel makes for an address.
func (c *checker) connected(s *section, r *Route, dst netip.Prefix) {
	metric, bits := uint32(0), 32
	if dst.Addr().Is6() {
		metric, bits = connected6, 129
	}
	if dst.Bits() >= bits || r.Table.Or(kinds.MainTable) != kinds.MainTable || metricOf(r, dst) != metric {
		return
	}
	if links := s.subnets.links[dst]; len(links) > 0 {
		c.errorf(r.at, "the route to %s is already the connected route of %s", dst, links[0].name).
			Hint = "leave it out, or give it a metric"
	}
}

// source checks that a route's source address is one of the section's.
func (c *checker) source(s *section, r *Route) {
	if !r.Src.OK() || s.doubts(r.Src.V) || s.holds(r.Src.V, r.Dev.V) {
		return
	}
	c.lenient(s)(r.Src.at, "src %s is no address %s", r.Src.V, s.where())
}

// lenient gives the reporter for what is wrong in a namespace, which the file knows as a whole, but may be right on
// the host.
func (c *checker) lenient(s *section) func(at span, format string, args ...any) *Problem {
	if s.Name == "" {
		return c.warnf
	}
	return c.errorf
}

// way fills in where a route leads to.
func (c *checker) way(s *section, r *Route, out *kinds.Route) {
	switch {
	case r.Type.Given():
		out.Dev = plan.Some("")
	case len(r.NextHops) == 1:
		h := r.NextHops[0]
		out.Via, out.Onlink = h.Via.V, h.Onlink.V
		out.Dev = c.dev(s, h.Via, h.Dev, h.Onlink.V)
	case len(r.NextHops) > 1:
		var hops []kinds.NextHop
		for _, h := range r.NextHops {
			dev := c.dev(s, h.Via, h.Dev, h.Onlink.V)
			hops = append(hops, kinds.NextHop{Via: h.Via.V, Dev: dev.V, Weight: int(h.Weight.Or(1)), Onlink: h.Onlink.V})
		}
		out.Dev, out.NextHops = plan.Some(""), kinds.JoinNextHops(hops)
	default:
		out.Via = r.Via.V
		out.Dev = c.dev(s, r.Via, r.Dev, r.Onlink.V)
	}
}

// dev finds the link that a route takes, and checks that its gateway can be reached over it. It is unset where only
// the kernel knows.
func (c *checker) dev(s *section, via Value[netip.Addr], dev Value[string], onlink bool) plan.Opt[string] {
	named := plan.Opt[string]{}
	if dev.Given() {
		if !c.own(s, dev) {
			return named
		}
		named = plan.Some(dev.V)
	}
	if !via.Given() {
		return named
	}
	ip := via.V
	subnet, l := s.subnets.toward(ip, dev.V)
	switch {
	case ip.IsLinkLocalUnicast() && ip.Is6() && !dev.Given():
		c.errorf(via.at, "the gateway %s is link-local, and so needs dev", ip)
	case s.holds(ip, dev.V):
		c.errorf(via.at, "the gateway %s is an address of the section itself", ip)
	case onlink, ip.IsLinkLocalUnicast() && ip.Is6():
	case l == nil:
		c.unreachable(s, via, dev)
	case ip.Is4() && subnet.Bits() < 31 && (ip == subnet.Addr() || ip == broadcast(subnet)):
		c.errorf(via.at, "the gateway %s is no host: it is the first or last address of %s", ip, subnet)
	default:
		return plan.Some(l.name)
	}
	return named
}

// unreachable reports a gateway that is in no subnet of the section. With an address that could not be read, it may be.
func (c *checker) unreachable(s *section, via Value[netip.Addr], dev Value[string]) {
	if s.doubts(via.V) {
		return
	}
	p := c.lenient(s)(via.at, "the gateway %s is on no connected subnet %s", via.V, s.where())
	if dev.Given() {
		p.Message = escape("the gateway " + via.V.String() + " is on no connected subnet of " + dev.V)
		p.Hint = "set onlink: true if it is on that link nevertheless"
	}
}

// holds says whether an address is one of the section's own; a link-local one is only on its link.
func (s *section) holds(a netip.Addr, dev string) bool {
	if a.Is6() && a.IsLinkLocalUnicast() {
		a = a.WithZone(dev)
	}
	_, ok := s.own[a]
	return ok
}
