package object

import (
	"maps"
	"slices"

	"github.com/plumbnet/plumb/pkg/plan"
)

// ToldEntry is what a link was told and the kernel does not tell again, as the namespace that its tunnel's packets
// travel in. It holds nothing that is secret.
type ToldEntry struct {
	plan.Key
	Topology string `json:"topology"`
	Told
}

// Told is what a link was told. The zero Told is that of a link of which nothing is known.
type Told struct {
	// Index is the ifindex of the link: what another one of its name was told does not count.
	Index int `json:"ifindex"`
	// Values are by names that the link's type chooses. The map is never changed.
	Values map[string]string `json:"values"`
	// Unsure says that a run was about to tell it something else, and has not said that it did.
	Unsure bool `json:"unsure,omitempty"`
}

// Known says whether anything is known of the link.
func (t Told) Known() bool { return t.Index != 0 }

// told finds what is known of the link at a key, -1 for nothing.
func (r *Record) told(k plan.Key) int {
	return slices.IndexFunc(r.Told, func(t ToldEntry) bool { return t.Key == k })
}

// Told is what was told to the link at a key that has an index.
func (v View) Told(k plan.Key, index int) Told {
	v.mu.Lock()
	defer v.mu.Unlock()
	if i := v.told(k); i >= 0 && v.Record.Told[i].Index == index {
		return v.Record.Told[i].Told
	}
	return Told{}
}

// Tell notes what a link has been told.
func (v View) Tell(k plan.Key, index int, values map[string]string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	e := ToldEntry{Key: k, Topology: v.topology, Told: Told{Index: index, Values: values}}
	if i := v.told(k); i >= 0 {
		v.Record.Told[i] = e
	} else {
		v.Record.Told = append(v.Record.Told, e)
		slices.SortFunc(v.Record.Told, func(a, b ToldEntry) int { return a.Key.Compare(b.Key) })
	}
}

// Doubt notes that a link is about to be told something else; changed says that the record has to be saved before.
func (v View) Doubt(k plan.Key, index int, values map[string]string) (changed bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	i := v.told(k)
	if i < 0 || v.Record.Told[i].Index != index || maps.Equal(v.Record.Told[i].Values, values) {
		return false
	}
	changed = !v.Record.Told[i].Unsure
	v.Record.Told[i].Unsure = true
	return changed
}

// RecallTold makes an earlier record's word good of links that are as they were, after all, and forgets those of the
// topology that keep leaves out.
func (r *Record) RecallTold(before *Record, topology string, keep func(plan.Key) bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i, t := range r.Told {
		if at := before.told(t.Key); t.Unsure && at >= 0 && before.Told[at].Index == t.Index {
			r.Told[i] = before.Told[at]
		}
	}
	r.Told = slices.DeleteFunc(r.Told, func(t ToldEntry) bool { return t.Topology == topology && !keep(t.Key) })
}
