package object

import (
	"bytes"
	"maps"
	"net/netip"
	"slices"

	"github.com/plumbnet/plumb/pkg/kernel"
	"github.com/plumbnet/plumb/pkg/plan"
)

// Moved is what others had on an interface that plumb did not make, as the kernel told of it before it was taken away.
// The topology has the addresses of a port on the port's master, and no route leads over a port.
type Moved struct {
	plan.Key
	// Index is that of the interface, whatever its name.
	Index   int    `json:"ifindex"`
	Message []byte `json:"message"`
	// Fell says that the kernel took it, with a change of the interface: it was taken down, say.
	Fell bool `json:"fell,omitempty"`
}

// onto is the master on which a given link is wanted, and whose addresses are wanted there.
type onto struct {
	master    plan.Key
	addresses map[netip.Addr]bool
}

// moving finds what moves from a link to its master; nil for nothing.
func (e *Env) moving(s *Section, l *LiveLink) *onto {
	if len(e.given) == 0 { // as mostly
		return nil
	}
	g, _ := e.Want(LinkKey(s.NS.Name, l.Name)).(Given)
	if g == nil || !g.IsGiven() {
		return nil
	}
	master, ok := g.Onto()
	if !ok {
		return nil
	}
	to := &onto{master, make(map[netip.Addr]bool)}
	for _, o := range e.AllWanted() {
		if a, ok := o.(Addressed); ok {
			if k, address := a.Gives(); k == master {
				to.addresses[address] = true
			}
		}
	}
	return to
}

// MovesAddress says whether an address of others on a link goes because the link's master has one of that family that
// the link had: a port is no place for addresses, and only all together can they come back in their order.
func (e *Env) MovesAddress(s *Section, l *LiveLink, a LiveAddress) bool {
	to := e.moving(s, l)
	return to != nil && a.Proto != Protocol && !a.Prefix.Addr().IsLinkLocalUnicast() &&
		e.movesFamily(s, l, to, kernel.Family(a.Prefix.Addr()))
}

// MovesRoutes says whether routes of others over links, of a family, go with addresses that move or have moved.
func (e *Env) MovesRoutes(s *Section, links []*LiveLink, family uint8) bool {
	for _, l := range links {
		if to := e.moving(s, l); to == nil || !e.movesFamily(s, l, to, family) {
			return false
		}
	}
	return len(links) > 0
}

func (e *Env) movesFamily(s *Section, l *LiveLink, to *onto, family uint8) bool {
	if slices.ContainsFunc(s.Addresses(), func(a LiveAddress) bool {
		own := a.Index == l.Index && !a.Prefix.Addr().IsLinkLocalUnicast() // which any link may have
		return own && to.addresses[a.Prefix.Addr()] && kernel.Family(a.Prefix.Addr()) == family
	}) {
		return true
	}
	return e.Record.hasMoved(e.Topology, s.NS.Name, l.Index, family)
}

// movedFrom is why something goes that moves.
func (e *Env) movedFrom(s *Section, l *LiveLink) string {
	if to := e.moving(s, l); to != nil {
		return "is on a port of " + to.master.Place() + " now"
	}
	return ""
}

// notes are what was found that moves.
type notes struct{ list []Moved }

// noteMoved notes what moves, for the record. What comes to a port later does not come back.
func (e *Env) noteMoved(s *Section, l Live) {
	if index := l.Links[0].Index; !e.Record.hasMoved(e.Topology, s.NS.Name, index, l.Message[0]) {
		n := In[notes](s)
		n.list = append(n.list, Moved{Key: l.Key(), Index: index, Message: bytes.Clone(l.Message)})
	}
}

// NoteFalling notes what the kernel is about to take, for the record.
func (s *Section) NoteFalling(k plan.Key, l *LiveLink, message []byte) {
	if !s.IsFalling(k, l.Index) {
		n := In[notes](s)
		n.list = append(n.list, Moved{Key: k, Index: l.Index, Message: bytes.Clone(message), Fell: true})
	}
}

// IsFalling says whether that was noted of something on a link. A rollback gives it back.
func (s *Section) IsFalling(k plan.Key, index int) bool {
	return slices.ContainsFunc(In[notes](s).list, func(m Moved) bool { return m.Fell && m.Key == k && m.Index == index })
}

// RecordMoved writes what was found that moves into the record.
func (e *Env) RecordMoved() {
	for _, ns := range slices.Sorted(maps.Keys(e.Sections)) {
		for _, m := range In[notes](e.Sections[ns]).list {
			e.Record.move(e.Topology, m)
		}
	}
}

func (r *Record) move(topology string, m Moved) {
	if r.Moved == nil {
		r.Moved = make(map[string][]Moved)
	}
	m.Key = r.in(m.Key)
	if !slices.ContainsFunc(r.Moved[topology], m.same) {
		r.Moved[topology] = append(r.Moved[topology], m)
	}
}

// hasMoved says whether something of a family, with which each message begins, was taken from a link.
func (r *Record) hasMoved(topology, ns string, index int, family uint8) bool {
	return slices.ContainsFunc(r.Moved[topology], func(m Moved) bool {
		return !m.Fell && r.out(m.Key).NS == ns && m.Index == index && len(m.Message) > 0 && m.Message[0] == family
	})
}

// MovedBy lists what a topology has taken from its ports.
func (r *Record) MovedBy(topology string) []Moved {
	list := slices.Clone(r.Moved[topology])
	for i := range list {
		list[i].Key = r.out(list[i].Key)
	}
	return list
}

// ForgetNotes forgets what was found that moves, once the record tells of it.
func (e *Env) ForgetNotes() {
	for _, s := range e.Sections {
		In[notes](s).list = nil
	}
}

// ForgetMoved forgets what was to be given back, and so is back, and what nobody can have back. What has to wait
// because other topologies want the link as it is, and this one no longer does, is theirs to give back.
func (e *Env) ForgetMoved() {
	r, back := e.Record.Record, In[homeless](e).list
	var rest []Moved
	for _, m := range r.Moved[e.Topology] {
		here := m
		here.Key = r.out(m.Key)
		s := e.Sections[here.NS]
		if s == nil || s.At(m.Index) == nil || slices.ContainsFunc(back, here.same) {
			continue
		}
		if heir := r.heir(m, e.Topology); heir == e.Topology {
			rest = append(rest, m)
		} else {
			r.move(heir, here)
		}
	}
	set(&r.Moved, e.Topology, rest)
}

// heir is the topology that gives back what was taken: the one that it was taken for, unless only others claim
// something of the link.
func (r *Record) heir(m Moved, topology string) string {
	var others []string
	for _, c := range r.Claims {
		of := c.Index == m.Index || slices.Contains(slices.Collect(maps.Values(c.Indexes)), m.Index)
		switch _, mine := c.Wants[topology]; {
		case c.NS != m.NS || !of:
		case mine:
			return topology
		default:
			others = slices.AppendSeq(others, maps.Keys(c.Wants))
		}
	}
	if len(others) == 0 {
		return topology
	}
	return slices.Min(others)
}

// homeless is what is to be given back.
type homeless struct{ list []Moved }

// Homeless lists what the topology has taken, or is about to take, from links of a section that can have it, of a kind.
// Carries says whether one can that it was not moved from.
func (e *Env) Homeless(s *Section, kind string, carries func(*LiveLink, Moved) bool) (list []Moved) {
	for _, m := range e.taken(s) {
		if m.NS != s.NS.Name || m.Kind != kind {
			continue
		}
		l := s.At(m.Index)
		if l == nil {
			e.Warn(m.Label() + " cannot be given back: its interface is gone")
			continue
		}
		to := e.moving(s, l)
		if to == nil && !m.Fell || m.Fell && (to == nil || !e.movesFamily(s, l, to, m.Message[0])) && carries(l, m) {
			list = append(list, m)
		}
	}
	back := In[homeless](e)
	back.list = append(back.list, list...)
	return list
}

// taken lists what the record tells of, and what was noted since.
func (e *Env) taken(s *Section) []Moved {
	list := e.Record.MovedBy(e.Topology)
	for _, m := range In[notes](s).list {
		if !slices.ContainsFunc(list, m.same) {
			list = append(list, m)
		}
	}
	return list
}

func (m Moved) same(other Moved) bool { return m.Key == other.Key && m.Index == other.Index }
