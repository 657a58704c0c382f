package kinds

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/plumbnet/plumb/pkg/link"
	"github.com/plumbnet/plumb/pkg/object"
	"github.com/plumbnet/plumb/pkg/plan"
)

// KindRoute is a route in any table but local.
const KindRoute = "route"

// MainTable is the table of routes that name none (RT_TABLE_MAIN).
const MainTable = object.MainTable

// DefaultMetric6 is the metric that the kernel gives an IPv6 route without one (IP6_RT_PRIO_USER).
const DefaultMetric6 = 1024

// The types of route that a file may name; [Unicast] is the one that it need not.
const (
	Unicast     = "unicast"
	Blackhole   = "blackhole"
	Unreachable = "unreachable"
	Prohibit    = "prohibit"
)

// Route is the wanted or live state of a route. The kernel knows a route by its table, destination and metric.
type Route struct {
	NS     string
	Dst    netip.Prefix
	Table  uint32
	Metric uint32
	// Lifetime is what a route that expires has left, in seconds.
	Lifetime uint32
	// Over names the routes that lead to its gateways: where there are any, they are made first.
	Over RouteNames
	// Doubt says that its gateway may not answer, or not forward.
	Doubt Doubt

	Type string     `plan:"type"`
	Via  netip.Addr `plan:"via"`
	// Dev is unset for a route of the host through a gateway of which only the kernel knows the link.
	Dev      plan.Opt[string] `plan:"dev"`
	NextHops NextHops         `plan:"nexthops"`
	Src      netip.Addr       `plan:"src"`
	Onlink   bool             `plan:"onlink"`
	// MTU is in bytes; 0 is that of the link.
	MTU uint32 `plan:"mtu"`
	// Finite says that the route expires.
	Finite bool  `plan:"expires"`
	Proto  uint8 `plan:"proto,quiet"`
	// Copies counts the routes of this key that are beside it, as `ip route append` makes them.
	Copies int `plan:"further routes of this destination"`

	// found is the route where it is not as it is wanted, and ahead and behind are those beside it.
	found, ahead, behind object.Found
	// moves says that it is another's and goes with an address that moves: see [Address].
	moves bool
	// falls says that it is another's, and that the kernel is about to take it.
	falls bool
	tos   uint8 // of packets that it is for; no file has it
}

// NextHop is one of several ways that a route has. Weight is 1 to 256.
type NextHop struct {
	Via    netip.Addr
	Dev    string
	Weight int
	Onlink bool
}

func (h NextHop) String() string {
	var w []string
	if h.Via.IsValid() {
		w = append(w, "via "+h.Via.String())
	}
	if h.Dev != "" {
		w = append(w, "dev "+h.Dev)
	}
	w = append(w, fmt.Sprintf("weight %d", h.Weight))
	if h.Onlink {
		w = append(w, "onlink")
	}
	return strings.Join(w, " ")
}

// NextHops is a list of next hops as a comparable value: sorted, in the words of ip-route(8), with ", " between.
type NextHops string

// JoinNextHops makes the canonical value of a list.
func JoinNextHops(hops []NextHop) NextHops {
	hops = slices.Clone(hops)
	slices.SortFunc(hops, func(a, b NextHop) int {
		return cmp.Or(a.Via.Compare(b.Via), cmp.Compare(a.Dev, b.Dev), cmp.Compare(a.Weight, b.Weight))
	})
	words := make([]string, len(hops))
	for i, h := range hops {
		words[i] = h.String()
	}
	return NextHops(strings.Join(words, ", "))
}

// Split is the reverse of [JoinNextHops].
func (n NextHops) Split() []NextHop {
	if n == "" {
		return nil
	}
	var hops []NextHop
	for text := range strings.SplitSeq(string(n), ", ") {
		h := NextHop{Weight: 1}
		word := strings.Fields(text)
		for i := 0; i < len(word); i++ {
			switch {
			case word[i] == "onlink":
				h.Onlink = true
				continue
			case i+1 == len(word):
				continue
			case word[i] == "via":
				h.Via, _ = netip.ParseAddr(word[i+1]) // written by String
			case word[i] == "dev":
				h.Dev = word[i+1]
			case word[i] == "weight":
				_, _ = fmt.Sscan(word[i+1], &h.Weight) // written by String
			}
			i++
		}
		hops = append(hops, h)
	}
	return hops
}

// RouteKey is the key of a route. The IPv4 default route is called "default", the IPv6 one "::/0".
func RouteKey(ns string, dst netip.Prefix, table, metric uint32) plan.Key {
	name, metric0 := "default", uint32(0)
	if dst.Bits() > 0 || !dst.Addr().Is4() {
		name = dst.String()
	}
	if !dst.Addr().Is4() {
		metric0 = DefaultMetric6
	}
	if table != MainTable {
		name += fmt.Sprintf(" table %d", table)
	}
	if metric != metric0 {
		name += fmt.Sprintf(" metric %d", metric)
	}
	return plan.Key{NS: ns, Kind: KindRoute, Name: name}
}

// Key implements [plan.Object].
func (r Route) Key() plan.Key { return RouteKey(r.NS, r.Dst, r.Table, r.Metric) }

// Needs implements [plan.Object]. That a gateway must be reachable is seen to by the order of [Table]: routes come
// after the addresses of their section. Where another route leads to it, that comes first.
func (r Route) Needs() []plan.Key {
	k := r.ground()
	for _, name := range r.Over.Split() {
		k = append(k, plan.Key{NS: r.NS, Kind: KindRoute, Name: name})
	}
	return k
}

// ground is what the route goes with: its links, or its namespace.
func (r Route) ground() []plan.Key {
	if r.NS != "" && len(r.devs()) == 0 {
		return []plan.Key{object.NamespaceKey(r.NS)}
	}
	var k []plan.Key
	for _, dev := range r.devs() {
		k = append(k, object.LinkNeed(r.NS, dev))
	}
	return k
}

// devs lists the links that the route leads over, without repeats.
func (r Route) devs() []string {
	var devs []string
	if r.Dev.V != "" {
		devs = append(devs, r.Dev.V)
	}
	for _, h := range r.NextHops.Split() {
		if h.Dev != "" && !slices.Contains(devs, h.Dev) {
			devs = append(devs, h.Dev)
		}
	}
	return devs
}

// Claims implements [plan.Exclusive]: see [Address.Claims].
func (r Route) Claims() (keys []plan.Key) {
	if r.Via.IsValid() {
		keys = append(keys, gatewayClaim(r.NS, r.Dev.V, r.Via))
	}
	for _, h := range r.NextHops.Split() {
		if h.Via.IsValid() {
			keys = append(keys, gatewayClaim(r.NS, h.Dev, h.Via))
		}
	}
	return keys
}

// Shares implements [plan.Sharing]: many routes may have one gateway.
func (r Route) Shares(_ plan.Key, other plan.Object) bool {
	_, ok := other.(Route)
	return ok
}

// Yields implements [plan.Yielding]: see [Address.Yields].
func (r Route) Yields() bool { return r.moves }

// Describe implements [plan.Object].
func (r Route) Describe() string {
	var w []string
	if r.Type != Unicast {
		w = append(w, r.Type)
	}
	if r.Via.IsValid() {
		w = append(w, "via "+r.Via.String())
	}
	if r.Dev.V != "" {
		w = append(w, "dev "+r.Dev.V)
	}
	if r.NextHops != "" {
		w = append(w, "nexthops "+string(r.NextHops))
	}
	if r.Src.IsValid() {
		w = append(w, "src "+r.Src.String())
	}
	if r.Onlink {
		w = append(w, "onlink")
	}
	if r.MTU != 0 {
		w = append(w, fmt.Sprintf("mtu %d", r.MTU))
	}
	return strings.Join(w, " ")
}

// On implements [plan.Dependent].
func (r Route) On() []plan.Key {
	k := r.ground()
	if r.Src.IsValid() {
		k = append(k, sourceKey(r.NS, r.Src))
	}
	if r.falls && r.Dst.Addr().Is6() {
		k = append(k, offOnAll(r.NS))
	}
	return k
}

// sourceKey is the key of no object: on it stand the routes that have this source address, whose link they don't say.
// An [Address] reports to it when it goes.
func sourceKey(ns string, src netip.Addr) plan.Key {
	return plan.Key{NS: ns, Kind: "source", Name: src.String()}
}

// After implements [plan.Dependent]: a route goes with its link, when the link goes down, with its source address,
// and, in IPv4, with the last address of its link. One of several next hops stays as long as one leads somewhere.
func (r Route) After(old, now plan.Object, w plan.World) (plan.Object, bool) {
	switch old := old.(type) {
	case link.Link:
		l, ok := now.(link.Link)
		if !ok {
			return r.without(old.Name)
		}
		if l.Up && !l.CarriesIPv6() && !r.Dst.Addr().Is4() {
			return r.without(l.Name)
		}
		return r, l.Up && !l.Restarted(old) || r.alive(w, l.Name)
	case Address:
		if now != nil {
			return r, true
		}
		lost := old.Prefix.Addr() == r.Src && !hasAddress(w, r.NS, r.Src)
		if lost && r.Dst.Addr().Is4() && r.Table == MainTable {
			return r, false // the kernel looks in no other table (net/ipv4/fib_semantics.c: fib_sync_down_addr)
		}
		if lost && !r.Dst.Addr().Is4() {
			r.Src = netip.Addr{} // net/ipv6/route.c: fib6_remove_prefsrc
			return r, true
		}
		if old.Prefix.Addr().Is4() && slices.Contains(r.devs(), old.Dev) {
			return r, r.alive(w, "")
		}
	case Namespace:
		return r, now != nil
	case Sysctl:
		return r, !cuts6(old, now)
	}
	return r, true
}

// without is the route when a link is gone: IPv6 keeps its other ways, IPv4 takes the route as a whole.
func (r Route) without(dev string) (plan.Object, bool) {
	hops := slices.DeleteFunc(r.NextHops.Split(), func(h NextHop) bool { return h.Dev == dev })
	if r.Dst.Addr().Is4() || len(hops) == 0 {
		return r, false
	}
	r.NextHops = JoinNextHops(hops)
	if h := hops[0]; len(hops) == 1 {
		r.NextHops, r.Via, r.Dev, r.Onlink = "", h.Via, plan.Some(h.Dev), h.Onlink
	}
	return r, true
}

// alive says whether one of the route's links can still send when another goes down or loses its last IPv4 address: one
// that is up and, in IPv4, has an address; not that one, which may be up again. The kernel marks next hops over the
// others as dead until they can (net/ipv4/fib_semantics.c: fib_sync_down_dev).
func (r Route) alive(w plan.World, down string) bool {
	return slices.ContainsFunc(r.devs(), func(dev string) bool {
		if dev == down {
			return false
		}
		l, known := w.Object(object.LinkKey(r.NS, dev)).(link.Link)
		return !known || l.Up && (!r.Dst.Addr().Is4() || hasIPv4(w, r.NS, dev))
	})
}

func hasAddress(w plan.World, ns string, a netip.Addr) bool {
	return slices.ContainsFunc(w.Standing(sourceKey(ns, a)), func(o plan.Object) bool {
		_, ok := o.(Address)
		return ok
	})
}

func hasIPv4(w plan.World, ns, dev string) bool {
	return slices.ContainsFunc(w.Standing(object.LinkKey(ns, dev)), func(o plan.Object) bool {
		a, ok := o.(Address)
		return ok && a.Prefix.Addr().Is4()
	})
}

// Beside implements [object.Stacked]: the object tells how many there are, and ours stands for all.
func (r Route) Beside(other plan.Object) (both plan.Object, second bool) {
	two, ok := other.(Route)
	if !ok {
		return r, false
	}
	if two.passing() { // it comes and goes by itself
		return r, false
	}
	if r.passing() {
		return two, true
	}
	copies := r.Copies + 1
	if second = r.Proto != object.Protocol && two.Proto == object.Protocol; second {
		two.ahead = r.ahead + r.found + r.behind
		r = two
	} else {
		r.behind += two.found
	}
	r.Copies = copies
	return r, second
}

// cutsRoute says whether a change of a route takes or diverts the host's default route.
func cutsRoute(l *object.Lifelines, s plan.Step, c plan.Change) string {
	old, existed := c.Old.(Route)
	now, stays := c.New.(Route)
	switch {
	case !existed && stays && s.Action != plan.Delete:
		return diverts(l, now)
	case existed && takesDefault(l, s.Action, old, now, stays):
		return "would replace the host's default route"
	}
	return ""
}

// diverts says whether a new route wins over a default route of the host's own, and leads elsewhere. Two halves of all
// addresses are another way to write a default route, which wins whatever its metric.
func diverts(l *object.Lifelines, r Route) string {
	if r.NS != "" || r.Table != MainTable || r.Dst.Bits() > 1 {
		return ""
	}
	for _, d := range l.Defaults {
		wins := d.V4 == r.Dst.Addr().Is4() && (r.Dst.Bits() == 1 || r.Metric <= d.Metric)
		sameDev := !r.Dev.Set || slices.Equal(d.Devs, []string{r.Dev.V})
		same := r.Type == Unicast && r.NextHops == "" && r.Via == d.Via && sameDev
		if wins && !same {
			return fmt.Sprintf("would divert traffic that now uses the default route over %s", strings.Join(d.Devs, " and "))
		}
	}
	return ""
}

// takesDefault says whether a default route that plumb has not made, or that the current SSH session may need, goes or
// leads elsewhere.
func takesDefault(l *object.Lifelines, action plan.Action, old, now Route, stays bool) bool {
	// What a hand has changed is still ours; what a DHCP client or a routing daemon has made is not.
	ours := old.Proto == object.Protocol || action == plan.Update && old.HandMade()
	line := l.Links[old.Dev.V]
	if old.NS != "" || old.Dst.Bits() != 0 || old.Table != MainTable || ours && (line == nil || !line.SSH) {
		return false
	}
	return !stays || now.Type != old.Type || now.Via != old.Via || now.Dev.Set && now.Dev != old.Dev
}
