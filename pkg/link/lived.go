package link

import (
	"maps"
	"slices"

	"github.com/plumbnet/plumb/pkg/object"
	"github.com/plumbnet/plumb/pkg/plan"
)

// Lived tells which of the wanted links are on a segment that something was on before: a link that is not among those
// that were made, or one that the topology does not declare.
func Lived(e *object.Env, made map[plan.Key]bool) map[plan.Key]bool {
	var found []plan.Key
	near := make(map[plan.Key][]plan.Key)
	for l := range wantedLinks(e) {
		k := l.Key()
		if !made[k] {
			found = append(found, k)
		}
		for _, other := range l.joins() {
			near[k], near[other] = append(near[k], other), append(near[other], k)
			if other.Kind == object.KindLink && !e.Wanted(other) {
				found = append(found, other)
			}
		}
	}
	lived := make(map[plan.Key]bool, len(near))
	for len(found) > 0 {
		k := found[len(found)-1]
		found = found[:len(found)-1]
		if !lived[k] {
			lived[k] = true
			found = append(found, near[k]...)
		}
	}
	return lived
}

func wantedLinks(e *object.Env) func(yield func(Link) bool) {
	return func(yield func(Link) bool) {
		for _, ns := range slices.Sorted(maps.Keys(e.Sections)) {
			for _, o := range e.WantedHere(ns, object.KindLink) {
				if l, ok := o.(Link); ok && !yield(l) {
					return
				}
			}
		}
	}
}

// joins lists what frames pass to from the link: its master, a cable's other end, the link below, and the wire that it
// shares with others.
func (l Link) joins() (list []plan.Key) {
	t := typeOf(l.Type)
	if pair, ok := l.Pair(); ok {
		list = append(list, pair)
	}
	if l.Master != "" {
		list = append(list, object.LinkKey(l.NS, l.Master))
	}
	if t.Lower != nil {
		list = append(list, l.below()...)
	}
	if t.Wire != nil && l.Spec != nil && t.Wire(l.Spec) != "" {
		list = append(list, plan.Key{Kind: "wire", Name: t.Wire(l.Spec)})
	}
	return list
}
