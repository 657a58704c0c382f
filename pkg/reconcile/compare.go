package reconcile

import (
	"maps"
	"slices"

	"github.com/plumbnet/plumb/pkg/plan"
)

// lists are the objects of each section as they were observed. They are not changed, but replaced.
type lists map[string][]plan.Have

// all are those of all sections together.
func (l lists) all() []plan.Have {
	var sections [][]plan.Have
	for _, name := range slices.Sorted(maps.Keys(l)) {
		sections = append(sections, l[name])
	}
	return slices.Concat(sections...)
}

// diff plans the way from what was last observed to what is wanted.
func (r *run) diff(want []plan.Object) plan.Plan {
	have := r.lists.all()
	o := plan.Options{Adopt: r.Adopt && !r.undoing, Gone: "no longer in the file"}
	if len(r.want) == 0 || r.undoing {
		o.Gone = ""
	}
	if r.leaving || r.undoing {
		have = r.passBy(have)
	}
	for i, h := range have { // which is a copy by now
		if r.undoing && r.others[h.Object.Key()] && h.Class == plan.Foreign {
			have[i].Class = plan.Ours // until it is as it was
		}
	}
	for _, k := range r.env.Table {
		o.Kinds = append(o.Kinds, k.Name)
		if k.Last {
			o.Last = append(o.Last, k.Name)
		}
		if k.Sections {
			o.Namespaces = k.Name
		}
		if k.Inherited {
			o.Inherited = append(o.Inherited, k.Name)
		}
	}
	return plan.Diff(want, have, o)
}

// passBy leaves out, with a warning, what only collides: it is in nobody's way when things go, or go back.
func (r *run) passBy(have []plan.Have) (rest []plan.Have) {
	for _, h := range have {
		if h.Collides {
			r.warnOnce(h.Object.Key().Label() + " is left alone: " + h.Why)
		} else {
			rest = append(rest, h)
		}
	}
	return rest
}
