package kinds

import (
	"maps"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/plumbnet/plumb/pkg/link"
	"github.com/plumbnet/plumb/pkg/object"
	"github.com/plumbnet/plumb/pkg/plan"
)

// returnNeighbors lists the static neighbours of others that a change of their link has taken.
func returnNeighbors(e *object.Env) ([]plan.Object, error) {
	noteFalling(e, fallingNeighbors)
	noteBereft(e)
	return returned(e, KindNeighbor, func(s *object.Section, m object.Moved, _ []object.Moved) plan.Object {
		n, _, ok := parseNeighbor(s, m.Message)
		for _, b := range s.Messages(neighborDump) {
			if other, _, is := parseNeighbor(s, b); is && other.Key() == n.Key() && !s.IsFalling(m.Key, m.Index) {
				return nil
			}
		}
		if !ok {
			return nil
		}
		n.bare = isBare(e, s, s.At(m.Index))
		return n
	}), nil
}

func fallingNeighbors(s *object.Section, c link.Course) (list []falling) {
	for _, b := range s.Messages(neighborDump) {
		if n, l, ok := parseNeighbor(s, b); ok && l.Index == c.Live.Index {
			list = append(list, falling{n, n.Proto, b})
		}
	}
	return list
}

// noteBereft notes the static IPv4 neighbours of others on links that may lose their last IPv4 address, if for a moment
// or in a rollback. Where addresses move to a master they come back with these.
func noteBereft(e *object.Env) {
	for _, ns := range slices.Sorted(maps.Keys(e.Sections)) {
		s := e.Sections[ns]
		known := s.Messages(neighborDump)
		if len(known) == 0 { // as mostly
			continue
		}
		changes, lost := changing(e, s), make(map[int][]string)
		for _, b := range known {
			n, l, ok := parseNeighbor(s, b)
			if !ok || !n.Address.Is4() || !changes[l.Index] || isMine(e, s, n.Key(), n.Proto) {
				continue
			}
			s.NoteFalling(n.Key(), l, b)
			if e.MovesRoutes(s, []*object.LiveLink{l}, unix.AF_INET) {
				lost[l.Index] = append(lost[l.Index], n.Key().Label())
			}
		}
		for _, index := range slices.Sorted(maps.Keys(lost)) {
			warnLost(e, s, s.At(index), lost[index])
		}
	}
}

// changing lists, by index, the links of others on which an IPv4 address comes or goes.
func changing(e *object.Env, s *object.Section) map[int]bool {
	links, as := make(map[int]bool), make(map[plan.Key]bool)
	for _, live := range s.Addresses() {
		l := s.At(live.Index)
		if l == nil || !live.Prefix.Addr().Is4() || !e.OfOthers(s, l.Name) {
			continue
		}
		a := addressOf(live, s.NS.Name, l.Known, l.Name)
		a.Connected, a.ToPeer = true, true // routes come without a loss
		want, wanted := e.Want(a.Key()).(Address)
		if fields, _ := plan.Compare(want, a); wanted && len(fields) == 0 {
			as[a.Key()] = true
		} else if wanted || takesAddress(e, s, l, live) {
			links[l.Index] = true
		}
	}
	for _, o := range e.WantedHere(s.NS.Name, KindAddress) {
		if a, ok := o.(Address); ok && a.Prefix.Addr().Is4() && !as[a.Key()] && e.OfOthers(s, a.Dev) {
			links[s.Known(a.Dev)] = true
		}
	}
	return links
}

// takesAddress says whether an address on a link of others goes when the topology does not want it there.
func takesAddress(e *object.Env, s *object.Section, l *object.LiveLink, live object.LiveAddress) bool {
	k := addressOf(live, s.NS.Name, l.Known, l.Name).Key()
	_, others := e.Record.HeldByOther(k)
	return !others && (live.Proto == object.Protocol || e.Record.Holds(k)) || e.MovesAddress(s, l, live)
}

// isBare says whether no IPv4 address of others stays on a link.
func isBare(e *object.Env, s *object.Section, l *object.LiveLink) bool {
	return !slices.ContainsFunc(s.Addresses(), func(a object.LiveAddress) bool {
		return a.Index == l.Index && a.Prefix.Addr().Is4() && !takesAddress(e, s, l, a)
	})
}
