package object

import (
	"slices"

	"github.com/plumbnet/plumb/pkg/plan"
)

// Pending is what a run is about to make or to remove. A link is made some time before it bears its stamp, and somebody
// may rename it meanwhile: beside its key there is what else tells it from others.
type Pending struct {
	plan.Key
	// MAC is the one that a link is made with; zero for one that has that of another link, or none.
	MAC MAC `json:"mac,omitzero"`
	// Index is that of a link without such a MAC, as soon as the run knows it.
	Index int `json:"ifindex,omitempty"`
}

// SetPending says what a run of a topology is about to make or to remove.
func (r *Record) SetPending(topology string, list []Pending) {
	list = slices.Clone(list)
	for i, p := range list {
		list[i].Key = r.in(p.Key)
	}
	slices.SortStableFunc(list, func(a, b Pending) int { return a.Key.Compare(b.Key) })
	set(&r.Pending, topology, slices.Compact(list))
}

// Made notes the index of a link that is pending, before it bears its stamp.
func (v View) Made(k plan.Key, index int) {
	v.mu.Lock()
	defer v.mu.Unlock()
	set(&v.Record.Pending, v.topology, append(v.Record.Pending[v.topology], Pending{Key: v.in(k), Index: index}))
}

// Pending says that a run that has not ended made, or was about to make, the object.
func (v View) Pending(k plan.Key) bool { return len(v.pending[v.in(k)]) > 0 }

// PendingMAC says whether the link at a key is pending, and made with a MAC.
func (v View) PendingMAC(k plan.Key, mac MAC) bool {
	return mac != MAC{} && slices.ContainsFunc(v.pending[v.in(k)], func(p Pending) bool { return p.MAC == mac })
}

// PendingLink tells which pending link a live one of a section is, by all but its name. Only one can be meant: of those
// of its own section, or else of all.
func (v View) PendingLink(ns string, l *LiveLink) (k plan.Key, ok bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	here := v.in(plan.Key{NS: ns}).NS
	var own, all []plan.Key
	for _, p := range v.Record.Pending[v.topology] {
		at := p.NS == here && p.Index != 0 && p.Index == l.Index
		like := p.MAC != MAC{} && p.MAC == l.MAC || p.NS == here && l.Name == AsideName(ns, p.Name)
		if p.Kind != KindLink || !at && !like || slices.Contains(all, p.Key) {
			continue
		}
		if all = append(all, p.Key); p.NS == here {
			own = append(own, p.Key)
		}
	}
	if len(own) > 0 {
		all = own
	}
	if len(all) != 1 {
		return plan.Key{}, false
	}
	return v.out(all[0]), true
}
