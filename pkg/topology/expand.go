package topology

import (
	"cmp"
	"slices"
	"sync"

	"github.com/plumbnet/plumb/pkg/file"
	"github.com/plumbnet/plumb/pkg/kinds"
	"github.com/plumbnet/plumb/pkg/object"
	"github.com/plumbnet/plumb/pkg/plan"
)

// expansion collects the objects of a topology with their places.
type expansion struct {
	topology string
	objects  []plan.Object
	places   []file.Span
}

func (x *expansion) add(o plan.Object, at file.Span) {
	x.objects, x.places = append(x.objects, o), append(x.places, at)
}

// sources tells by key where objects come from.
func (x *expansion) sources() map[plan.Key]file.Span {
	sources := make(map[plan.Key]file.Span, len(x.objects))
	for i, o := range x.objects {
		sources[o.Key()] = x.places[i]
	}
	return sources
}

// expand turns a topology without errors into objects: the host's, then those of each namespace by name; in each by
// kind, and then by name. Only addresses come in another order, which is theirs in the kernel.
func (c *checker) expand() {
	x := &expansion{topology: c.t.Name}
	slices.SortStableFunc(c.sections, func(a, b *section) int { return cmp.Compare(a.name, b.name) })
	for _, s := range c.sections {
		slices.SortFunc(s.list, func(a, b *link) int { return cmp.Compare(a.name, b.name) })
		x.namespace(s)
		x.sysctls(s)
		for _, l := range s.list {
			x.link(l)
		}
		for _, l := range s.list {
			x.addresses(l)
		}
		x.routes(s)
		x.nat(s)
	}
	c.t.objects, c.t.sources = x.objects, sync.OnceValue(x.sources) // of a host in sync no place is asked for
}

func (x *expansion) namespace(s *section) {
	if s.name == "" {
		return
	}
	n := kinds.Namespace{Name: s.name, LoUp: true}
	if _, _, asked := s.forwarding(object.Forwarding4); !asked {
		n.Forwarding4 = plan.Some(false)
	}
	if _, _, asked := s.forwarding(object.Forwarding6); !asked {
		n.Forwarding6 = plan.Some(false)
	}
	x.add(n, s.at)
}

// addresses adds those of a link in the order in which the kernel takes them, so that it ends with that of the file:
// it lists IPv4 primaries before all secondaries, and puts the newest IPv6 address first.
func (x *expansion) addresses(l *link) {
	var primary, secondary, six []kinds.Address
	at := map[plan.Key]file.Span{}
	seen := map[string]bool{}
	for _, a := range l.addresses {
		o := kinds.NewAddress(l.section.name, l.name, a.V)
		at[o.Key()] = a.At
		subnet := a.V.Masked().String()
		switch {
		case a.V.Addr().Is6():
			six = append(six, o)
		case seen[subnet]:
			secondary = append(secondary, o)
		default:
			primary = append(primary, o)
		}
		seen[subnet] = true
	}
	slices.Reverse(six)
	for _, o := range slices.Concat(primary, secondary, six) {
		x.add(o, at[o.Key()])
	}
}

func (x *expansion) routes(s *section) {
	slices.SortStableFunc(s.routes, func(a, b route) int { return a.Key().Compare(b.Key()) })
	for _, r := range s.routes {
		x.add(r.Route, r.at)
	}
}

func (x *expansion) nat(s *section) {
	type entry struct {
		kinds.NAT
		at file.Span
	}
	var list []entry
	for i, at := range s.spots.In("nat").Items() {
		e := s.NAT[i]
		except := s.subnets.touching(e.Subnet)
		list = append(list, entry{kinds.Masquerade(s.name, e.Subnet, string(e.Out), except), at.At()})
	}
	slices.SortStableFunc(list, func(a, b entry) int { return a.Key().Compare(b.Key()) })
	for _, e := range list {
		x.add(e.NAT, e.at)
	}
}
