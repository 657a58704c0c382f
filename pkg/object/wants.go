package object

import (
	"net/netip"
	"slices"

	"github.com/plumbnet/plumb/pkg/plan"
)

// Addressed is an object that gives a link an IP address.
type Addressed interface {
	plan.Object
	Gives() (link plan.Key, address netip.Addr)
}

// Shared is an object that has a link, or is one, to which others may add addresses and routes too: ok says that they
// may.
type Shared interface {
	plan.Object
	Shared() (link plan.Key, ok bool)
}

// Given is an object that may be declared of something that is there already, and that plumb did not make: it is never
// made or deleted, and only in part what the topology wants.
type Given interface {
	plan.Object
	IsGiven() bool
	// Onto is the master that a given link shall have; ok is false where that is not said.
	Onto() (master plan.Key, ok bool)
}

// wants are the objects that the topology wants, in the ways in which they are looked for.
type wants struct {
	objects  []plan.Object
	want     map[plan.Key]plan.Object
	wantIn   map[place][]plan.Object
	wantIPv6 map[plan.Key]bool // links that shall have IPv6 addresses, beside those of others that are put back
	dynamic  map[plan.Key]bool // links to which others may add addresses and routes
	given    map[plan.Key]bool // what is there already: see [Given]
	claims   map[plan.Key]bool // what only one object can have: see [plan.Exclusive]
}

// place is a section and a kind. A namespace is in its own section.
type place struct{ ns, kind string }

// SetWant says what the topology wants. Before is the environment of the look before this one, nil for none: mostly
// the same is wanted.
func (e *Env) SetWant(want []plan.Object, before *Env) {
	if before != nil && len(want) > 0 && len(want) == len(before.objects) && &want[0] == &before.objects[0] {
		e.wants = before.wants
		return
	}
	e.wants = &wants{
		objects: want, want: make(map[plan.Key]plan.Object, len(want)), wantIn: make(map[place][]plan.Object),
		wantIPv6: make(map[plan.Key]bool), dynamic: make(map[plan.Key]bool), given: make(map[plan.Key]bool),
		claims: make(map[plan.Key]bool, len(want)),
	}
	first, last := 0, place{}
	for i, o := range want {
		k := o.Key()
		e.want[k] = o
		in := place{k.NS, k.Kind}
		if k.Kind == KindNamespace {
			in.ns = k.Name
		}
		if in != last {
			e.wantHere(last, want[first:i])
			first, last = i, in
		}
		if a, ok := o.(Addressed); ok {
			if link, address := a.Gives(); address.Is6() && !e.Returned[k] {
				e.wantIPv6[link] = true
			}
		}
		if shared, ok := o.(Shared); ok {
			if link, dynamic := shared.Shared(); dynamic {
				e.dynamic[link] = true
			}
		}
		if g, ok := o.(Given); ok && g.IsGiven() {
			e.given[k] = true
		}
		for _, claim := range claimsOf(o) {
			e.claims[claim] = true
		}
	}
	e.wantHere(last, want[first:])
}

// ReadAs has links read as another environment reads them, whatever is wanted in this one: a rollback compares what it
// reads with what was read before.
func (e *Env) ReadAs(other *Env) { e.wantIPv6 = other.wantIPv6 }

func claimsOf(o plan.Object) []plan.Key {
	if x, ok := o.(plan.Exclusive); ok {
		return x.Claims()
	}
	return nil
}

// InTheWay says whether an object has what only one can have, and something wanted shall have.
func (w *wants) InTheWay(o plan.Object) bool {
	return slices.ContainsFunc(claimsOf(o), func(k plan.Key) bool { return w.claims[k] })
}

// wantHere notes a run of what is wanted. Mostly it is all of its section and kind.
func (w *wants) wantHere(in place, run []plan.Object) {
	if len(run) > 0 {
		w.wantIn[in] = slices.Concat(w.wantIn[in], run)
	}
}

// Wanted says whether the topology declares an object.
func (w *wants) Wanted(k plan.Key) bool { return w.want[k] != nil }

// Want is what the topology declares at a key, nil for nothing.
func (w *wants) Want(k plan.Key) plan.Object { return w.want[k] }

// AllWanted lists what the topology wants.
func (w *wants) AllWanted() []plan.Object { return w.objects }

// WantedHere lists what the topology wants of a kind in a section, in the topology's order.
func (w *wants) WantedHere(ns, kind string) []plan.Object { return w.wantIn[place{ns, kind}] }

// Dynamic says whether what others add to a link is left alone.
func (w *wants) Dynamic(link plan.Key) bool { return w.dynamic[link] }

// Given says whether the topology declares an object that is there already, and that it does not make.
func (w *wants) Given(k plan.Key) bool { return w.given[k] }

// ChangesGiven says whether the topology wants, or has wanted, something of a section's links that it does not make.
func (e *Env) ChangesGiven(ns string) bool {
	for k := range e.given {
		if k.NS == ns {
			return true
		}
	}
	return slices.ContainsFunc(e.Record.Claimed(ns), func(k plan.Key) bool { _, _, ok := AttributeOf(k); return ok })
}

// UsesIPv6 says whether any link shall have IPv6 addresses: then each has its link-local one at once.
func (w *wants) UsesIPv6() bool { return len(w.wantIPv6) > 0 }

// WantsIPv6 says whether a link shall have IPv6 addresses.
func (w *wants) WantsIPv6(link plan.Key) bool { return w.wantIPv6[link] }
