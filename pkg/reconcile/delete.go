package reconcile

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/plumbnet/plumb/pkg/kernel"
	"github.com/plumbnet/plumb/pkg/plan"
)

// place is a section in which a call can delete objects.
type place struct {
	*call
	left int // how many of its steps have no call yet
}

// deletions chooses the sections in which to delete, with a call for each. Of a cable's two ends either will do, and
// fewer sections are better: the kernel waits for all processors in each. So the section with most left to delete is
// taken, again and again. A call deletes all that is in its section, also what another has deleted already: a group of
// links can go as a whole then, and what has gone is no error.
func (r *run) deletions(u *unit, steps []plan.Step) (chosen []*call) {
	all, at := r.places(u, steps)
	if !slices.ContainsFunc(u.steps, func(i int) bool { return len(r.sectionsOf(steps[i])) > 1 }) {
		for _, p := range all {
			chosen = append(chosen, p.call)
		}
		return chosen
	}
	taken := make(map[int]bool)
	for len(taken) < len(u.steps) {
		p := slices.MaxFunc(all, func(a, b *place) int { return cmp.Compare(a.left, b.left) })
		for _, i := range p.steps {
			if taken[i] {
				continue
			}
			taken[i] = true
			for _, section := range r.sectionsOf(steps[i]) {
				at[section].left--
			}
		}
		chosen = append(chosen, p.call)
	}
	return chosen
}

// places lists all sections in which there is something to delete.
func (r *run) places(u *unit, steps []plan.Step) (all []*place, at map[string]*place) {
	at = make(map[string]*place)
	for _, i := range u.steps {
		for _, section := range r.sectionsOf(steps[i]) {
			p := at[section]
			if p == nil {
				p = &place{call: &call{unit: u, sections: []string{section}}}
				at[section], all = p, append(all, p)
			}
			p.steps, p.left = append(p.steps, i), p.left+1
			p.objects = append(p.objects, r.objectIn(steps[i], section))
		}
	}
	return all, at
}

// objectIn is what a step deletes in a section: of a cable inside it, one end is enough.
func (r *run) objectIn(s plan.Step, section string) (o plan.Object) {
	for _, c := range s.Changes {
		if r.sectionOf(c.Key()) == section {
			o = c.Old
		}
	}
	return o
}

// delete deletes objects of one section. With a namespace that is gone they are too.
func (x *executor) delete(c *call) error {
	err := kernel.OnThread(func(t kernel.Thread) error {
		if s, err := x.env.Section(c.sections[0]); err == nil {
			s.NS.Use(t)
		}
		return c.kind.Del(x.env, c.objects)
	})
	if err == nil || errors.Is(err, kernel.ErrGone) && !c.kind.Last {
		return nil
	}
	return fmt.Errorf("%s: %w", x.steps[c.steps[0]].Key().Label(), err)
}
