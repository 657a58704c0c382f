package topology

import (
	"cmp"
	"net/netip"
	"slices"

	"github.com/plumbnet/plumb/pkg/file"
	"github.com/plumbnet/plumb/pkg/kinds"
	"github.com/plumbnet/plumb/pkg/object"
	"github.com/plumbnet/plumb/pkg/plan"
)

// route is a route with everything filled in that the file leaves out.
type route struct {
	kinds.Route
	at file.Span
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
	first := map[key]file.Span{}
	for i, at := range s.spots.In("routes").Items() {
		r := &s.Routes[i]
		if at.Flawed() || !c.shape(r, at) {
			continue
		}
		dst, ok := c.family(r, at)
		if !ok {
			continue
		}
		k := key{dst, uint32(r.Table), metricOf(r, dst)}
		if first, twice := first[k]; twice {
			c.Errorf(at.At(), "the route to %s is given twice, first on line %d", dst, first.Line).
				Hint = "routes to the same destination need different metrics, or one nexthops list"
			continue
		}
		first[k] = at.At()
		c.connected(s, r, dst, at.At())
		c.source(s, r, at.At("src"))
		out := kinds.Route{
			NS: s.name, Dst: dst, Table: k.table, Metric: k.metric, Proto: object.Protocol,
			Type: cmp.Or(string(r.Type), kinds.Unicast), Src: r.Src.Addr, MTU: r.MTU, Onlink: r.Onlink,
		}
		c.way(s, r, at, &out)
		s.routes = append(s.routes, route{out, at.At()})
	}
}

// metricOf is a route's metric; the kernel takes none for one in IPv6.
func metricOf(r *Route, dst netip.Prefix) uint32 {
	if r.Metric == 0 && dst.Addr().Is6() {
		return kinds.DefaultMetric6
	}
	return r.Metric
}

// shape checks which keys stand together.
func (c *checker) shape(r *Route, at file.Spots) bool {
	before := c.Count()
	way, hops, leadsNowhere := at.Given("via") || at.Given("dev"), at.Given("nexthops"), at.Given("type")
	if !at.Given("to") {
		c.Errorf(at.At(), "the route has no destination").Hint = `as "to: default", or "to: 10.0.0.0/8"`
	}
	switch {
	case leadsNowhere && (way || hops || at.Given("onlink")):
		c.Errorf(at.At("type"), "a route of type %s leads nowhere: it has no via, dev, nexthops or onlink", r.Type)
	case hops && way:
		c.Errorf(at.Key("nexthops"), "a route has via and dev, or nexthops, not both")
	case hops && at.Given("onlink"):
		c.Errorf(at.At("onlink"), "onlink belongs to a next hop, where there are several")
	case hops && len(r.NextHops) == 0:
		c.Errorf(at.Key("nexthops"), "nexthops is empty")
	case !leadsNowhere && !way && !hops:
		c.Errorf(at.At(), "the route leads nowhere").Hint = "it needs via, dev, nexthops or type"
	}
	if r.Onlink && !hops && !leadsNowhere {
		c.onlink(at)
	}
	c.hops(r.NextHops, at.In("nexthops"))
	return c.Count() == before
}

// hops checks which keys stand together in next hops.
func (c *checker) hops(hops []NextHop, at file.Spots) {
	seen := map[NextHop]bool{}
	for i, at := range at.Items() {
		h := hops[i]
		if !at.Given("via") && !at.Given("dev") {
			c.Errorf(at.At(), "the next hop has neither via nor dev")
		}
		if h.Onlink {
			c.onlink(at)
		}
		way := NextHop{Via: h.Via, Dev: h.Dev}
		if seen[way] {
			c.Errorf(at.At(), "this next hop is given twice").Hint = "add their weights"
		}
		seen[way] = true
	}
}

// onlink checks a route, or a next hop, with onlink: true.
func (c *checker) onlink(at file.Spots) {
	if !at.Given("via") || !at.Given("dev") {
		c.Errorf(at.At("onlink"), "onlink needs both via and dev")
	}
}

// family finds the destination, of which "default" has no family of its own, and checks that the addresses of the
// route are of one family.
func (c *checker) family(r *Route, at file.Spots) (netip.Prefix, bool) {
	others := []file.Value[Gateway]{file.ValueAt(r.Via, at.In("via")), file.ValueAt(r.Src, at.In("src"))}
	for i, at := range at.In("nexthops").Items() {
		others = append(others, file.ValueAt(r.NextHops[i].Via, at.In("via")))
	}
	others = slices.DeleteFunc(others, func(a file.Value[Gateway]) bool { return !a.Given() })
	dst := r.To.Prefix
	if !dst.IsValid() {
		dst = netip.PrefixFrom(netip.IPv4Unspecified(), 0)
		if len(others) > 0 && others[0].V.Is6() {
			dst = netip.PrefixFrom(netip.IPv6Unspecified(), 0)
		}
	}
	for _, a := range others {
		if a.V.Is4() != dst.Addr().Is4() {
			c.Errorf(a.At, "%s and the route to %s are of different families", a.V, dst)
			return dst, false
		}
	}
	if at.Given("mtu") && dst.Addr().Is6() && r.MTU < object.MinIPv6MTU {
		c.Errorf(at.At("mtu"), "IPv6 needs an MTU of at least %d, not %d", object.MinIPv6MTU, r.MTU)
	}
	return dst, true
}

// connected reports a route that would take the place of the one that the kernel makes for an address.
func (c *checker) connected(s *section, r *Route, dst netip.Prefix, at file.Span) {
	metric, bits := uint32(0), 32
	if dst.Addr().Is6() {
		metric, bits = connected6, 129
	}
	if dst.Bits() >= bits || r.Table != kinds.MainTable || metricOf(r, dst) != metric {
		return
	}
	if links := s.subnets.links[dst]; len(links) > 0 {
		c.Errorf(at, "the route to %s is already the connected route of %s", dst, links[0].name).
			Hint = "leave it out, or give it a metric"
	}
}

// source checks that a route's source address is one of the section's.
func (c *checker) source(s *section, r *Route, at file.Span) {
	if src := r.Src.Addr; src.IsValid() && !s.doubts(src) && !s.holds(src, string(r.Dev)) {
		c.lenient(s)(at, "src %s is no address %s", src, s.where())
	}
}

// lenient gives the reporter for what is wrong in a namespace, which the file knows as a whole, but may be right on
// the host.
func (c *checker) lenient(s *section) func(at file.Span, format string, args ...any) *file.Problem {
	if s.name == "" {
		return c.Warnf
	}
	return c.Errorf
}

// way fills in where a route leads to.
func (c *checker) way(s *section, r *Route, at file.Spots, out *kinds.Route) {
	hops := at.In("nexthops").Items()
	switch {
	case r.Type != "":
		out.Dev = plan.Some("")
	case len(hops) == 1:
		h := r.NextHops[0]
		out.Via, out.Onlink = h.Via.Addr, h.Onlink
		out.Dev = c.dev(s, h, hops[0])
	case len(hops) > 1:
		var list []kinds.NextHop
		for i, h := range r.NextHops {
			dev := c.dev(s, h, hops[i])
			list = append(list, kinds.NextHop{Via: h.Via.Addr, Dev: dev.V, Weight: int(h.Weight), Onlink: h.Onlink})
		}
		out.Dev, out.NextHops = plan.Some(""), kinds.JoinNextHops(list)
	default:
		out.Via = r.Via.Addr
		out.Dev = c.dev(s, NextHop{Via: r.Via, Dev: r.Dev, Onlink: r.Onlink}, at)
	}
}

// dev finds the link that a route takes, and checks that its gateway can be reached over it. It is unset where only
// the kernel knows.
func (c *checker) dev(s *section, h NextHop, at file.Spots) plan.Opt[string] {
	named, dev := plan.Opt[string]{}, string(h.Dev)
	if dev != "" {
		if !c.own(s, dev, at.At("dev")) {
			return named
		}
		named = plan.Some(dev)
	}
	ip := h.Via.Addr
	if !ip.IsValid() {
		return named
	}
	subnet, l := s.subnets.toward(ip, dev)
	switch {
	case ip.IsLinkLocalUnicast() && ip.Is6() && dev == "":
		c.Errorf(at.At("via"), "the gateway %s is link-local, and so needs dev", ip)
	case s.holds(ip, dev):
		c.Errorf(at.At("via"), "the gateway %s is an address of the section itself", ip)
	case h.Onlink, ip.IsLinkLocalUnicast() && ip.Is6():
	case l == nil:
		c.unreachable(s, ip, dev, at.At("via"))
	case ip.Is4() && subnet.Bits() < 31 && (ip == subnet.Addr() || ip == broadcast(subnet)):
		c.Errorf(at.At("via"), "the gateway %s is no host: it is the first or last address of %s", ip, subnet)
	default:
		return plan.Some(l.name)
	}
	return named
}

// unreachable reports a gateway that is in no subnet of the section. With an address that could not be read, it may be.
func (c *checker) unreachable(s *section, ip netip.Addr, dev string, at file.Span) {
	switch {
	case s.doubts(ip):
	case dev != "":
		c.lenient(s)(at, "the gateway %s is on no connected subnet of %s", ip, dev).
			Hint = "set onlink: true if it is on that link nevertheless"
	default:
		c.lenient(s)(at, "the gateway %s is on no connected subnet %s", ip, s.where())
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
