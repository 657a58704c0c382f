package object

import (
	"fmt"
	"slices"

	"github.com/plumbnet/plumb/pkg/plan"
)

// SetPlaces says which namespaces of others the sections of a run are. What the record tells of such a namespace is
// true of that one alone, whatever a topology calls it: not of the next one of a container that was started again, but
// of the same one in another topology, too. So the record names it by its cookie; its methods take and give the
// section's name.
func (r *Record) SetPlaces(attached []Attachment) {
	r.places = make(map[string]string, len(attached))
	for _, a := range attached {
		r.places[a.Name] = fmt.Sprintf("@%d", a.Cookie) // no section is called so
	}
}

// in is a key as the record has it.
func (r *Record) in(k plan.Key) plan.Key {
	if place, ok := r.places[k.NS]; ok {
		k.NS = place
	}
	return k
}

// within are keys as the record has them.
func (r *Record) within(keys []plan.Key) []plan.Key {
	if len(r.places) == 0 {
		return keys
	}
	list := slices.Clone(keys)
	for i, k := range list {
		list[i] = r.in(k)
	}
	return list
}

// out is the reverse of in.
func (r *Record) out(k plan.Key) plan.Key {
	for name, place := range r.places {
		if place == k.NS {
			k.NS = name
		}
	}
	return k
}

// Attachments are those of lists, each namespace once: the first counts.
func Attachments(lists ...[]Attachment) (all []Attachment) {
	for _, a := range slices.Concat(lists...) {
		if !slices.ContainsFunc(all, a.Same) {
			all = append(all, a)
		}
	}
	return all
}
