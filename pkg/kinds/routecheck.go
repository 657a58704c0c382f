package kinds

import (
	"cmp"
	"net/netip"
	"slices"

	"github.com/plumbnet/plumb/pkg/file"
	"github.com/plumbnet/plumb/pkg/object"
	"github.com/plumbnet/plumb/pkg/plan"
)

// connected6 is the metric of the routes that the kernel makes for IPv6 addresses (IP6_RT_PRIO_ADDRCONF); those of
// IPv4 have none.
const connected6 = 256

// resolvedRoute is a route with everything filled in that the file leaves out.
type resolvedRoute struct {
	Route
	at, table file.Span
	gateways  []gatewayAt
}

// checkRoutes checks a section's routes, and returns them resolved.
func checkRoutes(at *object.At) any {
	list := *at.Form.(*[]RouteEntry)
	type key struct {
		dst    netip.Prefix
		table  object.TableNumber
		metric uint32
	}
	var sound []routeAt
	by := new(leads)
	first := map[key]file.Span{}
	for i, spot := range at.Spots.Items() {
		r := routeAt{Sense: at.Sense, RouteEntry: &list[i], at: spot, by: by}
		elsewhere := spot.Given("via") || spot.Given("type") || spot.Given("nexthops")
		by.doubtful = by.doubtful || spot.Flawed() && !elsewhere
		if spot.Flawed() || !r.shape() || !r.family() || !r.ofVRF() {
			continue
		}
		k := key{r.dst, r.Table, metricOf(r.RouteEntry, r.dst)}
		if first, twice := first[k]; twice {
			at.Errorf(spot.At(), "the route to %s is given twice, first on line %d", r.dst, first.Line).
				Hint = "routes to the same destination need different metrics, or one nexthops list"
			continue
		}
		first[k] = spot.At()
		sound = append(sound, r)
		by.add(r.dst, r.lead())
	}
	var resolved []resolvedRoute
	for _, r := range sound {
		var gateways []gatewayAt
		r.gateways = &gateways
		route := r.resolve()
		resolved = append(resolved, resolvedRoute{route, r.at.At(), r.at.At("table"), gateways})
	}
	at.Expect(len(resolved))
	return &sectionRoutes{resolved, by}
}

func expandRoutes(at *object.At, x *object.Expansion) {
	for _, r := range at.Checked.(*sectionRoutes).list {
		x.Add(r.Route, r.at)
	}
}

// routeAt is a route in its section.
type routeAt struct {
	*object.Sense
	*RouteEntry
	at  file.Spots
	dst netip.Prefix
	// by are all routes of the section.
	by *leads
	// gateways collects those that it names.
	gateways *[]gatewayAt
}

// lead is the route as the file has it, before its gateway is looked for.
func (r routeAt) lead() lead {
	out := r.bare()
	switch {
	case r.Type != "":
	case len(r.NextHops) == 1:
		out.Via, out.Dev = r.NextHops[0].Via.Addr, plan.Some(string(r.NextHops[0].Dev))
	case len(r.NextHops) > 1:
		out.NextHops = "several" // none of which leads to a gateway of others
	default:
		out.Via, out.Dev = r.Via.Addr, plan.Some(string(r.Dev))
	}
	return out.lead()
}

// resolve fills in what the file leaves out, and checks what the route needs of its section.
func (r routeAt) resolve() Route {
	r.connected(r.dst)
	r.source()
	out := r.bare()
	r.way(&out)
	return out
}

// bare is the route without its way.
func (r routeAt) bare() Route {
	return Route{
		NS: r.Name, Dst: r.dst, Table: uint32(r.Table), Metric: metricOf(r.RouteEntry, r.dst), Proto: object.Protocol,
		Type: cmp.Or(string(r.Type), Unicast), Src: r.Src.Addr, MTU: r.MTU, Onlink: r.Onlink,
	}
}

// metricOf is a route's metric; the kernel takes none for one in IPv6.
func metricOf(r *RouteEntry, dst netip.Prefix) uint32 {
	if r.Metric == 0 && dst.Addr().Is6() {
		return DefaultMetric6
	}
	return r.Metric
}

// shape checks which keys stand together.
func (r routeAt) shape() bool {
	at, before := r.at, r.Count()
	way, hops, leadsNowhere := at.Given("via") || at.Given("dev"), at.Given("nexthops"), at.Given("type")
	if !at.Given("to") {
		r.Errorf(at.At(), "the route has no destination").Hint = `as "to: default", or "to: 10.0.0.0/8"`
	}
	switch {
	case leadsNowhere && (way || hops || at.Given("onlink")):
		r.Errorf(at.At("type"), "a route of type %s leads nowhere: it has no via, dev, nexthops or onlink", r.Type)
	case hops && way:
		r.Errorf(at.Key("nexthops"), "a route has via and dev, or nexthops, not both")
	case hops && at.Given("onlink"):
		r.Errorf(at.At("onlink"), "onlink belongs to a next hop, where there are several")
	case hops && len(r.NextHops) == 0:
		r.Errorf(at.Key("nexthops"), "nexthops is empty")
	case !leadsNowhere && !way && !hops:
		r.Errorf(at.At(), "the route leads nowhere").Hint = "it needs via, dev, nexthops or type"
	}
	if r.Onlink && !hops && !leadsNowhere {
		onlink(r.Sense, at)
	}
	hopShapes(r.Sense, r.NextHops, at.In("nexthops"))
	return r.Count() == before
}

// hopShapes checks which keys stand together in next hops.
func hopShapes(s *object.Sense, hops []HopEntry, at file.Spots) {
	seen := map[HopEntry]bool{}
	for i, at := range at.Items() {
		h := hops[i]
		if !at.Given("via") && !at.Given("dev") {
			s.Errorf(at.At(), "the next hop has neither via nor dev")
		}
		if h.Onlink {
			onlink(s, at)
		}
		way := HopEntry{Via: h.Via, Dev: h.Dev}
		if seen[way] {
			s.Errorf(at.At(), "this next hop is given twice").Hint = "add their weights"
		}
		seen[way] = true
	}
}

// onlink checks a route, or a next hop, with onlink: true.
func onlink(s *object.Sense, at file.Spots) {
	if !at.Given("via") || !at.Given("dev") {
		s.Errorf(at.At("onlink"), "onlink needs both via and dev")
	}
}

// family finds the destination, of which "default" has no family of its own, and checks that the addresses of the
// route are of one family.
func (r *routeAt) family() bool {
	at := r.at
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
	r.dst = dst
	for _, a := range others {
		if a.V.Is4() != dst.Addr().Is4() {
			r.Errorf(a.At, "%s and the route to %s are of different families", a.V, dst)
			return false
		}
	}
	if at.Given("mtu") && dst.Addr().Is6() && r.MTU < object.MinIPv6MTU {
		r.Errorf(at.At("mtu"), "IPv6 needs an MTU of at least %d, not %d", object.MinIPv6MTU, r.MTU)
	}
	return true
}

// connected reports a route that would take the place of the one that the kernel makes for an address.
func (r routeAt) connected(dst netip.Prefix) {
	metric, bits := uint32(0), 32
	if dst.Addr().Is6() {
		metric, bits = connected6, 129
	}
	if dst.Bits() >= bits || metricOf(r.RouteEntry, dst) != metric {
		return
	}
	for _, l := range r.Subnets.Of(dst) {
		if l.RouteTable() != uint32(r.Table) {
			continue
		}
		r.Errorf(r.at.At(), "the route to %s is already the connected route of %s", dst, l.Name).
			Hint = "leave it out, or give it a metric"
		return
	}
}

// source checks that a route's source address is one of the section's.
func (r routeAt) source() {
	if src := r.Src.Addr; src.IsValid() && !r.Doubts(src) && !r.Holds(src, string(r.Dev), uint32(r.Table)) {
		r.Lenient()(r.at.At("src"), "src %s is no address %s", src, r.Where()).Live = true
	}
}

// way fills in where a route leads to.
func (r routeAt) way(out *Route) {
	hops := r.at.In("nexthops").Items()
	switch {
	case r.Type != "":
		out.Dev = plan.Some("")
	case len(hops) == 1:
		h := r.NextHops[0]
		out.Via, out.Onlink = h.Via.Addr, h.Onlink
		out.Dev = r.hop(out, h, hops[0])
	case len(hops) > 1:
		out.Dev, out.NextHops = plan.Some(""), r.several(out, hops)
	default:
		out.Via = r.Via.Addr
		out.Dev = r.hop(out, HopEntry{Via: r.Via, Dev: r.Dev, Onlink: r.Onlink}, r.at)
	}
}

// several fills in where each of several next hops leads to.
func (r routeAt) several(out *Route, at []file.Spots) NextHops {
	var list []NextHop
	for i, h := range r.NextHops {
		if r.dst.Addr().Is6() && !h.Via.IsValid() {
			r.Errorf(at[i].At(), "a next hop of IPv6 needs via, where there are several").
				Hint = "name the router behind the link, or make a route without nexthops of it, with another metric"
		}
		dev := r.hop(out, h, at[i])
		same := func(o NextHop) bool { return o.Via == h.Via.Addr && o.Dev == dev.V }
		if h.Dev == "" && dev.V != "" && slices.ContainsFunc(list, same) {
			r.Errorf(at[i].At(), "this next hop is given twice: %s is reached over %s", h.Via, dev.V).Hint = "add their weights"
		}
		list = append(list, NextHop{Via: h.Via.Addr, Dev: dev.V, Weight: int(h.Weight), Onlink: h.Onlink})
	}
	return JoinNextHops(list)
}

// hop finds the link that a route takes, and the routes that lead to its gateway, and checks that this can be reached
// over it. The link is unset where only the kernel knows.
func (r routeAt) hop(out *Route, h HopEntry, at file.Spots) plan.Opt[string] {
	dev := r.over(out, h, at)
	if h.Via.IsValid() && dev.V != "" {
		*r.gateways = append(*r.gateways, gatewayAt{h.Via.Addr, dev.V, at.At("via")})
	}
	return dev
}

func (r routeAt) over(out *Route, h HopEntry, at file.Spots) plan.Opt[string] {
	named, dev := plan.Opt[string]{}, string(h.Dev)
	if dev != "" {
		if !r.Has(dev, at.At("dev")) || r.isDown(dev, at.At("dev")) {
			return named
		}
		named = plan.Some(dev)
	}
	ip := h.Via.Addr
	if !ip.IsValid() {
		return named
	}
	subnet, l := r.Subnets.Toward(ip, dev, uint32(r.Table))
	one, leads := r.leadsTo(ip, dev, subnet)
	switch {
	case ip.IsLinkLocalUnicast() && ip.Is6() && dev == "":
		r.Errorf(at.At("via"), "the gateway %s is link-local, and so needs dev", ip)
	case r.Holds(ip, dev, uint32(r.Table)):
		r.Errorf(at.At("via"), "the gateway %s is %s own address", ip, r.Whose())
	case h.Onlink, ip.IsLinkLocalUnicast() && ip.Is6():
	case leads && one.direct:
		out.Over = out.Over.with(one.name)
		return plan.Some(one.dev)
	case l == nil:
		r.unreachable(ip, dev, at.At("via"))
	case ip.Is4() && subnet.Bits() < 31 && (ip == subnet.Addr() || ip == broadcast(subnet)):
		r.Errorf(at.At("via"), "the gateway %s is no host: it is the first or last address of %s", ip, subnet)
	case leads:
		r.Lenient()(at.At("via"),
			"the gateway %s is no neighbour: the route to %s leads to it through another gateway, or nowhere", ip, one.name)
	default:
		return plan.Some(l.Name)
	}
	return named
}

// leadsTo finds the route of the file that leads to a gateway: of the route's own table before those of the main one,
// and only where the connected subnet, if there is one, is not smaller.
func (r routeAt) leadsTo(gateway netip.Addr, dev string, connected netip.Prefix) (one lead, ok bool) {
	one, _, ok = r.by.toward(gateway, dev, uint32(r.Table))
	if r.Table != MainTable && ok && one.direct || r.Subnets.IsVRF(uint32(r.Table)) {
		return one, ok
	}
	one, to, ok := r.by.toward(gateway, dev, MainTable)
	return one, ok && (!connected.IsValid() || to.Bits() > connected.Bits())
}

// unreachable reports a gateway that is in no subnet of the section. With an address or a route that could not be read,
// it may be.
func (r routeAt) unreachable(ip netip.Addr, dev string, at file.Span) {
	vrf := r.vrfToward(ip)
	switch {
	case r.Doubts(ip), r.by.doubtful:
	case dev == "" && vrf != "":
		r.Errorf(at, "the gateway %s is reached in vrf %s, and the route is in table %d", ip, vrf, r.Table).
			Hint = "write vrf: " + vrf
	case r.overDown(ip, at):
	case dev != "":
		p := r.Lenient()(at, "the gateway %s is on no connected subnet of %s", ip, dev)
		p.Hint, p.Live = "set onlink: true if it is on that link nevertheless", true
	default:
		r.Lenient()(at, "the gateway %s is on no connected subnet %s", ip, r.Where()).Live = true
	}
}
