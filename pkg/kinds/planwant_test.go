package kinds_test

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"

	"github.com/plumbnet/plumb/pkg/kinds"
	"github.com/plumbnet/plumb/pkg/link"
	"github.com/plumbnet/plumb/pkg/object"
	"github.com/plumbnet/plumb/pkg/plan"
)

const lab = "lab"

// wanter makes a random topology's objects. Names and networks come from small pools, so that two topologies have
// much in common.
type wanter struct {
	*rand.Rand
	sections []*part
}

// part is a section in the making.
type part struct {
	ns         string
	number     int
	four, six  bool // forwarding is asked for
	links      []link.Link
	addresses  []kinds.Address
	routes     []plan.Object
	tunnels    []plan.Object
	others     []plan.Object // sysctls and nat
	connected  []kinds.Address
	unusedEnds []string
}

// chance is true in one of n cases.
func chance(r *rand.Rand, n int) bool { return r.IntN(n) == 0 }

func pick[T any](r *rand.Rand, from []T) T { return from[r.IntN(len(from))] }

// wants makes the objects of a topology in the order in which package topology lists them.
func wants(r *rand.Rand) []plan.Object {
	w := &wanter{Rand: r}
	for i, ns := range []string{"", "n1", "n2"} {
		if ns == "" || !chance(r, 3) {
			w.sections = append(w.sections, &part{ns: ns, number: i, four: chance(r, 3), six: chance(r, 4),
				unusedEnds: []string{"e0", "e1", "e2", "e3", "e4", "e5"}})
		}
	}
	for _, p := range w.sections {
		w.bridges(p)
	}
	for range r.IntN(4) {
		w.cable(pick(r, w.sections), pick(r, w.sections))
	}
	if chance(w.Rand, 2) {
		w.tunnels()
	}
	var objects []plan.Object
	for _, p := range w.sections {
		w.fill(p)
		objects = append(objects, p.objects()...)
	}
	return objects
}

func (p *part) objects() []plan.Object {
	var list []plan.Object
	if p.ns != "" {
		n := kinds.Namespace{Name: p.ns, LoUp: true, Stamp: "stamp"}
		if !p.four {
			n.Forwarding4 = plan.Some(false)
		}
		if !p.six {
			n.Forwarding6 = plan.Some(false)
		}
		list = append(list, n)
	}
	list = append(list, p.others...)
	for _, l := range p.links {
		list = append(list, l)
	}
	list = append(list, p.tunnels...)
	for _, a := range p.addresses {
		list = append(list, a)
	}
	return append(list, p.routes...)
}

func (w *wanter) link(p *part, name string) link.Link {
	l := link.Link{
		NS: p.ns, Name: name, Ifname: name, Up: true, MTU: 1500, MAC: object.DerivedMAC(lab, p.ns, name),
		Group: object.Group(lab), Alias: object.Alias(lab, p.ns, name), Forwarding4: p.four, Promote: true,
	}
	if chance(w.Rand, 12) {
		l.MTU = 1000
	}
	return six(l, p.six)
}

// six fills in what IPv6 adds to a link, where it can be.
func six(l link.Link, forwarding bool) link.Link {
	if l.MTU >= object.MinIPv6MTU {
		l.LinkLocal, l.Forwarding6 = plan.Some(l.MAC.LinkLocal()), forwarding
	}
	return l
}

func (w *wanter) bridges(p *part) {
	for _, name := range []string{"br0", "br1"} {
		if chance(w.Rand, 3) {
			l := w.link(p, name)
			l.Type = link.TypeBridge
			b := link.NewBridge()
			b.STP, b.Snooping = chance(w.Rand, 4), !chance(w.Rand, 4)
			l.Spec = b
			p.links = append(p.links, l)
		}
	}
}

// cable makes both ends of a cable, each with its master, if that is one of its section's bridges.
func (w *wanter) cable(a, b *part) {
	one, two := w.end(a), w.end(b)
	two.MTU = one.MTU
	two = six(two, b.six)
	if two.MTU < object.MinIPv6MTU {
		two.LinkLocal, two.Forwarding6 = plan.Opt[netip.Addr]{}, false
	}
	one.Peer, two.Peer = object.Ref(two.Key().Place()), object.Ref(one.Key().Place())
	a.links = append(a.links, one)
	b.links = append(b.links, two)
}

func (w *wanter) end(p *part) link.Link {
	i := w.IntN(len(p.unusedEnds))
	l := w.link(p, p.unusedEnds[i])
	p.unusedEnds = slices.Delete(p.unusedEnds, i, i+1)
	l.Type = link.TypeVeth
	if len(p.links) > 0 && p.links[0].Type == link.TypeBridge && chance(w.Rand, 2) {
		l.Master = p.links[w.IntN(len(p.links))].Name
		if !slices.ContainsFunc(p.links, func(b link.Link) bool { return b.Name == l.Master && b.Type == link.TypeBridge }) {
			l.Master = p.links[0].Name
		}
	}
	return l
}

// fill adds what stands on a section's links.
func (w *wanter) fill(p *part) {
	slices.SortFunc(p.links, func(a, b link.Link) int { return a.Key().Compare(b.Key()) })
	for i, l := range p.links {
		if chance(w.Rand, 2) {
			w.addresses(p, l, i)
		}
		if chance(w.Rand, 6) {
			p.sysctl("net.ipv4.conf."+l.Name+".rp_filter", fmt.Sprint(1+w.IntN(2)))
		}
	}
	if p.ns != "" && chance(w.Rand, 3) {
		p.addresses = append(p.addresses, kinds.NewAddress(p.ns, "lo", prefix("10.255.0.%d/32", p.number)))
	}
	for range w.IntN(3) {
		w.route(p)
	}
	for key, on := range map[string]bool{object.Forwarding4: p.four, object.Forwarding6: p.six} {
		if on {
			p.sysctl(key, "1")
		}
	}
	if p.four && chance(w.Rand, 2) {
		p.others = append(p.others, kinds.Masquerade(p.ns, prefix("10.%d.0.0/16", p.number), "", nil))
	}
	slices.SortFunc(p.others, func(a, b plan.Object) int { return b.Key().Compare(a.Key()) })
}

func (p *part) sysctl(name, value string) {
	p.others = append(p.others, kinds.Sysctl{NS: p.ns, Name: name, Value: value})
}

func prefix(format string, args ...any) netip.Prefix {
	return netip.MustParsePrefix(fmt.Sprintf(format, args...))
}

// addresses gives a link a random choice in a random order: primaries before secondaries, as package topology does.
func (w *wanter) addresses(p *part, l link.Link, i int) {
	var primary, secondary, six []kinds.Address
	for _, host := range w.Perm(4)[:w.IntN(4)] {
		a := kinds.NewAddress(p.ns, l.Name, prefix("10.%d.%d.%d/24", p.number, 10*i+host/3, host+1))
		if slices.ContainsFunc(primary, func(b kinds.Address) bool { return b.Prefix.Overlaps(a.Prefix) }) {
			secondary = append(secondary, a)
		} else {
			primary = append(primary, a)
		}
		if l.MTU >= object.MinIPv6MTU && chance(w.Rand, 2) {
			six = append(six, kinds.NewAddress(p.ns, l.Name, prefix("fd00:%d:%d::%d/64", p.number, i, host+1)))
		}
	}
	all := slices.Concat(primary, secondary, six)
	p.addresses = append(p.addresses, all...)
	p.connected = append(p.connected, all...)
}

// route adds a route over an address's network, if there is one, or to nowhere.
func (w *wanter) route(p *part) {
	r := kinds.Route{NS: p.ns, Dst: prefix("10.20%d.0.0/24", w.IntN(4)), Table: kinds.MainTable, Proto: object.Protocol,
		Type: kinds.Unicast, Dev: plan.Some(""), Metric: uint32(7 * w.IntN(2))}
	switch {
	case len(p.connected) == 0 || chance(w.Rand, 6):
		r.Type = pick(w.Rand, []string{kinds.Blackhole, kinds.Prohibit})
	default:
		w.way(p, &r)
	}
	if !slices.ContainsFunc(p.routes, func(o plan.Object) bool { return o.Key() == r.Key() }) {
		p.routes = append(p.routes, r)
	}
}

func (w *wanter) way(p *part, r *kinds.Route) {
	a := pick(w.Rand, p.connected)
	if !a.Prefix.Addr().Is4() {
		r.Dst, r.Metric = prefix("fd99:%d::/64", w.IntN(3)), kinds.DefaultMetric6
	}
	var same []kinds.Address
	for _, b := range slices.Concat(p.connected, p.addresses) {
		if b.Prefix.Addr().Is4() == a.Prefix.Addr().Is4() {
			same = append(same, b)
		}
	}
	b := pick(w.Rand, same)
	switch w.IntN(4) {
	case 0:
		r.Dev = plan.Some(a.Dev)
	case 1:
		r.Via, r.Dev, r.Src = gatewayOf(a), plan.Some(a.Dev), b.Prefix.Addr()
	case 2:
		if b.Dev != a.Dev && b.Dev != "lo" {
			r.NextHops = kinds.JoinNextHops([]kinds.NextHop{
				{Via: gatewayOf(a), Dev: a.Dev, Weight: 1}, {Via: gatewayOf(b), Dev: b.Dev, Weight: 2}})
			return
		}
		fallthrough
	default:
		r.Via, r.Dev = gatewayOf(a), plan.Some(a.Dev)
	}
}

// gatewayOf is a neighbour in an address's network.
func gatewayOf(a kinds.Address) netip.Addr {
	b := a.Prefix.Addr().AsSlice()
	b[len(b)-1] = 0xfd
	g, _ := netip.AddrFromSlice(b)
	return g
}
