package kinds

import (
	"fmt"
	"maps"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/plumbnet/plumb/pkg/link"
	"github.com/plumbnet/plumb/pkg/object"
	"github.com/plumbnet/plumb/pkg/plan"
)

// returnAddresses lists the addresses of others that were taken from interfaces, and that these can have again. As long
// as one of a family is missing all are wanted, for the sake of their order.
func returnAddresses(e *object.Env) ([]plan.Object, error) {
	noteFalling(e, fallingAddresses)
	return returned(e, KindAddress, func(s *object.Section, m object.Moved, all []object.Moved) plan.Object {
		missing := func(o object.Moved) bool {
			return o.Index == m.Index && o.Message[0] == m.Message[0] &&
				(!isThere(s.Addresses(), o) || s.IsFalling(o.Key, o.Index))
		}
		if !slices.ContainsFunc(all, missing) {
			return nil
		}
		return takenAddress(s, m)
	}), nil
}

func takenAddress(s *object.Section, m object.Moved) Address {
	l := s.At(m.Index)
	a := addressOf(object.ParseAddress(m.Message), s.NS.Name, l.Known, l.Name)
	a.Connected, a.ToPeer, a.Tentative = true, true, false
	a.found = object.Keep(s, [][]byte{m.Message}, object.AddressIndexes)
	return a
}

// fallingAddresses lists the addresses that others have on a link, and that do not come and go by themselves.
func fallingAddresses(s *object.Section, c link.Course) (list []falling) {
	for _, live := range s.Addresses() {
		itself := !live.Forever || live.Proto == object.ProtoLinkLocal && !c.Live.Plumbs() ||
			c.Live.Type == object.Loopback && live.Prefix == loopback6
		if live.Index != c.Live.Index || itself {
			continue
		}
		a := addressOf(live, s.NS.Name, c.Live.Known, c.Live.Name)
		list = append(list, falling{a, a.Proto, live.Message})
	}
	return list
}

// isThere says whether an address that was taken away is back.
func isThere(live []object.LiveAddress, m object.Moved) bool {
	prefix := object.ParseAddress(m.Message).Prefix
	return slices.ContainsFunc(live, func(a object.LiveAddress) bool { return a.Index == m.Index && a.Prefix == prefix })
}

// inTurn says which address must be given back before another one, the first of its subnet for a primary, and is not:
// out of their order they could only be put right by taking them all away again.
func inTurn(e *object.Env, s *object.Section, index int, a Address) error {
	if !e.Returned[a.Key()] {
		return nil
	}
	live, err := object.ListAddresses(s.NS)
	if err != nil {
		return err
	}
	for _, m := range e.Record.MovedBy(e.Topology) {
		first := object.ParseAddress(m.Message)
		switch {
		case m.Kind != KindAddress || m.NS != a.NS || m.Index != index || first.Prefix.Addr().Is4() != a.Prefix.Addr().Is4():
		case first.Prefix == a.Prefix:
			return nil
		case !isThere(live, m):
			return fmt.Errorf("comes after %s, which is not back yet", first.Prefix)
		}
	}
	return nil
}

// returnRoutes lists the routes of others that went with such addresses, or with a change of their link. A route that
// somebody else has made in the place of one stays.
func returnRoutes(e *object.Env) ([]plan.Object, error) {
	noteFalling(e, fallingRoutes)
	return returned(e, KindRoute, func(s *object.Section, m object.Moved, _ []object.Moved) plan.Object {
		r, _, ok := parseRoute(s, m.Message)
		if !ok {
			return nil
		}
		for _, b := range s.Messages(object.RouteDump) {
			other, _, ok := parseRoute(s, b)
			if ok && other.Key() == r.Key() && other.Proto != object.Protocol && !s.IsFalling(m.Key, m.Index) {
				return nil
			}
		}
		r.found = object.Keep(s, [][]byte{m.Message}, object.RouteIndexes)
		return r
	}), nil
}

// fallingRoutes lists the routes that others have over a link, and that do not come and go by themselves. Those in the
// table of a VRF that the link leaves belong to that.
func fallingRoutes(s *object.Section, c link.Course) (list []falling) {
	leaves, enters := c.Tables(s)
	for _, b := range s.Messages(object.RouteDump) {
		r, links, ok := parseRoute(s, b)
		on := slices.ContainsFunc(links, func(l *object.LiveLink) bool { return l.Index == c.Live.Index })
		if ok && on && r.lasts() && (leaves == enters || r.Table != leaves) {
			list = append(list, falling{r, r.Proto, b})
		}
	}
	return list
}

// lasts says whether it is a route that does not come and go by itself.
func (r Route) lasts() bool {
	return r.Proto != unix.RTPROT_KERNEL && r.Proto != unix.RTPROT_RA && !r.Finite
}

// falling is what others have on a link, with what the kernel tells of it.
type falling struct {
	plan.Dependent
	proto   uint8
	message []byte
}

// isMine says whether the topology has made, or wants, what is on a link that it did not make. What other topologies
// have there is of others.
func isMine(e *object.Env, s *object.Section, k plan.Key, proto uint8) bool {
	return e.Wanted(k) || e.Record.Holds(k) || s.Owned && proto == object.Protocol
}

// noteFalling notes what others have on links that plumb did not make, and what the kernel takes because of what the
// topology changes of these. It tells what is not put back in the same run.
func noteFalling(e *object.Env, on func(*object.Section, link.Course) []falling) {
	for _, ns := range slices.Sorted(maps.Keys(e.Sections)) {
		s := e.Sections[ns]
		for _, c := range link.Courses(e, s, without6) {
			var lost []string
			for _, f := range on(s, c) {
				if !c.Takes(f.Dependent) || isMine(e, s, f.Key(), f.proto) {
					continue
				}
				s.NoteFalling(f.Key(), c.Live, f.message)
				if !c.Carries(f.Dependent) {
					lost = append(lost, f.Key().Label())
				}
			}
			if len(lost) > 0 {
				warnLost(e, s, c.Live, lost)
			}
		}
	}
}

// warnLost tells what others lose on a link with this run.
func warnLost(e *object.Env, s *object.Section, l *object.LiveLink, lost []string) {
	e.Warn(fmt.Sprintf("link %s loses what others have on it, until plumb can put it back: %s",
		object.LinkKey(s.NS.Name, l.Name).Place(), plan.Listing(lost)))
}

// carries says whether a link will be able to have what was taken from it.
func carries(e *object.Env, s *object.Section, l *object.LiveLink, m object.Moved) bool {
	courses := link.Courses(e, s, without6)
	i := slices.IndexFunc(courses, func(c link.Course) bool { return c.Live == l })
	if i < 0 {
		return true
	}
	switch m.Kind {
	case KindAddress:
		return courses[i].Carries(takenAddress(s, m))
	case KindRoute:
		r, _, ok := parseRoute(s, m.Message)
		_, in := courses[i].Tables(s)
		return ok && courses[i].Carries(r) && (in == 0 || r.Table == in)
	}
	n, _, ok := parseNeighbor(s, m.Message)
	return ok && courses[i].Carries(n)
}

// returned makes objects of what is to be given back.
func returned(
	e *object.Env, kind string, make func(s *object.Section, m object.Moved, all []object.Moved) plan.Object,
) (list []plan.Object) {
	for _, ns := range slices.Sorted(maps.Keys(e.Sections)) {
		s := e.Sections[ns]
		all := e.Homeless(s, kind, func(l *object.LiveLink, m object.Moved) bool { return carries(e, s, l, m) })
		for _, m := range all {
			if o := make(s, m, all); o != nil && !e.Wanted(o.Key()) {
				list = append(list, o)
			}
		}
	}
	return list
}

// movesRoute says whether a route of others goes with an address that moves from its links to their masters: none that
// comes and goes by itself.
func movesRoute(e *object.Env, s *object.Section, r Route, live object.Live) bool {
	return r.Proto != object.Protocol && r.lasts() && e.MovesRoutes(s, live.Links, live.Message[0])
}
