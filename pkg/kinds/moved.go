package kinds

import (
	"fmt"
	"maps"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/plumbnet/plumb/pkg/object"
	"github.com/plumbnet/plumb/pkg/plan"
)

// returnAddresses lists the addresses of others that were taken from ports, and whose interfaces are ports no longer.
// As long as one of a family is missing all are wanted, for the sake of their order.
func returnAddresses(e *object.Env) ([]plan.Object, error) {
	return returned(e, KindAddress, func(s *object.Section, m object.Moved, all []object.Moved) plan.Object {
		missing := func(o object.Moved) bool {
			return o.Index == m.Index && o.Message[0] == m.Message[0] && !isThere(s.Addresses(), o)
		}
		if !slices.ContainsFunc(all, missing) {
			return nil
		}
		l := s.At(m.Index)
		a := addressOf(object.ParseAddress(m.Message), s.NS.Name, l.Name, l.Name)
		a.Connected, a.Tentative = true, false
		a.found = object.Keep(s, [][]byte{m.Message}, object.AddressIndexes)
		return a
	}), nil
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

// returnRoutes lists the routes of others that went with such addresses. A route that somebody else has made in the
// place of one stays.
func returnRoutes(e *object.Env) ([]plan.Object, error) {
	return returned(e, KindRoute, func(s *object.Section, m object.Moved, _ []object.Moved) plan.Object {
		live, ok := parseRoute(s, m.Message)
		r, isRoute := live.Object.(Route)
		if !ok || !isRoute {
			return nil
		}
		for _, b := range s.Messages(object.RouteDump) {
			if other, ok := parseRoute(s, b); ok && other.Key() == r.Key() && other.Proto != object.Protocol {
				return nil
			}
		}
		r.found = object.Keep(s, [][]byte{m.Message}, object.RouteIndexes)
		return r
	}), nil
}

// returned makes objects of what is to be given back.
func returned(
	e *object.Env, kind string, make func(s *object.Section, m object.Moved, all []object.Moved) plan.Object,
) (list []plan.Object) {
	for _, ns := range slices.Sorted(maps.Keys(e.Sections)) {
		s := e.Sections[ns]
		all := e.Homeless(s, kind)
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
	itself := r.Proto == unix.RTPROT_KERNEL || r.Proto == unix.RTPROT_RA || r.Finite
	return r.Proto != object.Protocol && !itself && e.MovesRoutes(s, live.Links, live.Message[0])
}
