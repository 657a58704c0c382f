package reconcile

import (
	"errors"
	"maps"
	"slices"

	"github.com/plumbnet/plumb/pkg/kernel"
	"github.com/plumbnet/plumb/pkg/kind"
	"github.com/plumbnet/plumb/pkg/plan"
)

// lists are the objects of each section as they were observed. They are not changed, but replaced.
type lists map[string][]plan.Have

// in are those of the sections together; of all for nil.
func (l lists) in(in sections) []plan.Have {
	var some [][]plan.Have
	for _, name := range slices.Sorted(maps.Keys(l)) {
		if in.has(name) {
			some = append(some, l[name])
		}
	}
	return slices.Concat(some...)
}

// compare plans the way from what was last observed to what is wanted. Mostly little differs: where that is only of kinds of which nothing
// outside of their section hears, the sections in which it is are planned, and no others.
func (r *run) compare(want []plan.Object) plan.Plan {
	if some, enough := r.differing(); enough {
		if p := r.diff(r.env.WantedIn(some.has), r.lists.in(some)); !slices.ContainsFunc(p.Steps, spreads) {
			p.Wanted = len(want)
			return p
		}
	}
	return r.diff(want, r.lists.in(nil))
}

// spreads says whether outside of its section something can hear of what a step changes.
func spreads(s plan.Step) bool { return !kindOf(s).Within }

var errSpreads = errors.New("spreads")

// differing tells in which sections anything is not as it is wanted. Enough says that nothing outside of them hears of that; if not, some is
// nothing.
func (r *run) differing() (some sections, enough bool) {
	if r.env.WantsElsewhere(func(ns string) bool { return r.lists[ns] != nil }) {
		return nil, false
	}
	names := slices.Sorted(maps.Keys(r.lists))
	differs := make([]bool, len(names))
	err := kernel.Share(r.Workers, len(names), func(i int) error {
		keys := plan.Differing(r.env.WantedOf(names[i]), r.lists[names[i]])
		if slices.ContainsFunc(keys, func(k plan.Key) bool { return !kind.Of(k).Within }) {
			return errSpreads
		}
		differs[i] = keys != nil
		return nil
	})
	if err != nil {
		return nil, false
	}
	some = make(sections)
	for i, name := range names {
		if differs[i] {
			some[name] = true
		}
	}
	return some, true
}

func (r *run) diff(want []plan.Object, have []plan.Have) plan.Plan {
	o := plan.Options{Adopt: r.Adopt, Gone: "no longer in the file"}
	if len(r.want) == 0 || r.undoing {
		o.Gone = ""
	}
	if r.leaving || r.undoing {
		have = r.passBy(have)
	}
	for _, k := range kind.Table() {
		o.Kinds = append(o.Kinds, k.Name)
		if k.Last {
			o.Last = append(o.Last, k.Name)
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
