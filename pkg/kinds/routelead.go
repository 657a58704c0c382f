package kinds

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/plumbnet/plumb/pkg/kernel"
	"github.com/plumbnet/plumb/pkg/object"
)

// lead is a route, as far as it says how a gateway is reached.
type lead struct {
	name          string // of the route's key
	table, metric uint32
	dev           string
	// direct says that the destination is behind dev, without a gateway. The kernel takes no gateway behind a gateway.
	direct bool
}

// leads are the routes of a section by their destination.
type leads struct {
	to   map[netip.Prefix][]lead
	bits [129]bool // the prefix lengths that occur
	// doubtful says that a route could not be read, and so may lead to any gateway.
	doubtful bool
}

func (l *leads) add(to netip.Prefix, one lead) {
	if l.to == nil {
		l.to = make(map[netip.Prefix][]lead)
	}
	l.to[to] = append(l.to[to], one)
	l.bits[to.Bits()] = true
}

// over lists the routes whose destination an address is in, the smallest destination first.
func (l *leads) over(a netip.Addr) (nets []netip.Prefix) {
	if len(l.to) == 0 {
		return nil
	}
	for bits := a.BitLen(); bits >= 0; bits-- {
		if p := netip.PrefixFrom(a, bits).Masked(); l.bits[bits] && len(l.to[p]) > 0 {
			nets = append(nets, p)
		}
	}
	return nets
}

// toward finds the route of a table that leads to a gateway, through dev unless that is empty, and its destination. In
// IPv6, the smallest destination decides, be its route one that leads there or not (net/ipv6/route.c:
// ip6_route_check_nh); IPv4 looks for routes without a gateway only (net/ipv4/fib_semantics.c: fib_check_nh_v4_gw).
func (l *leads) toward(gateway netip.Addr, dev string, table uint32) (found lead, to netip.Prefix, ok bool) {
	for _, p := range l.over(gateway) {
		fits := func(one lead) bool {
			return one.table == table && (one.direct || !gateway.Is4()) && (dev == "" || one.dev == "" || one.dev == dev)
		}
		list := slices.DeleteFunc(slices.Clone(l.to[p]), func(one lead) bool { return !fits(one) })
		if len(list) > 0 {
			return slices.MinFunc(list, func(a, b lead) int { return cmp.Compare(a.metric, b.metric) }), p, true
		}
	}
	return lead{}, netip.Prefix{}, false
}

// lead is the route as a lead.
func (r Route) lead() lead {
	direct := r.Type == Unicast && !r.Via.IsValid() && r.NextHops == ""
	return lead{name: r.Key().Name, table: r.Table, metric: r.Metric, dev: r.Dev.V, direct: direct}
}

// liveLeads are the routes of a section that lead to gateways, but for the kernel's own and those of routing daemons.
func liveLeads(s *object.Section) *leads {
	l := new(leads)
	for _, b := range s.Messages(object.RouteDump) {
		m := nl.DeserializeRtMsg(b)
		ours := m.Protocol == object.Protocol || m.Protocol == unix.RTPROT_BOOT || m.Protocol == unix.RTPROT_STATIC
		if !ours || m.Type != unix.RTN_UNICAST || kernel.Attrs(b[m.Len():]).Has(unix.RTA_GATEWAY) {
			continue
		}
		if r, _, ok := parseRoute(s, b); ok {
			l.add(r.Dst, r.lead())
		}
	}
	return l
}

// led is a live route with the names of those that lead to its gateways.
func (r Route) led(by *leads) Route {
	if len(by.to) == 0 {
		return r
	}
	for _, h := range append(r.NextHops.Split(), NextHop{Via: r.Via, Dev: r.Dev.V}) {
		if !h.Via.IsValid() || h.Onlink {
			continue
		}
		for _, p := range by.over(h.Via) {
			for _, one := range by.to[p] {
				if one.direct && one.dev == h.Dev && (one.table == r.Table || one.table == MainTable) {
					r.Over = r.Over.with(one.name)
				}
			}
		}
	}
	return r
}

// RouteNames are names of routes of one section, as a comparable value: sorted, with ", " between.
type RouteNames string

// Split lists the names.
func (n RouteNames) Split() []string {
	if n == "" {
		return nil
	}
	return strings.Split(string(n), ", ")
}

// with adds a name, unless it is empty or there already.
func (n RouteNames) with(name string) RouteNames {
	names := n.Split()
	if name == "" || slices.Contains(names, name) {
		return n
	}
	names = append(names, name)
	slices.Sort(names)
	return RouteNames(strings.Join(names, ", "))
}
