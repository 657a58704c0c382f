package reconcile

import (
	"slices"

	"github.com/plumbnet/plumb/pkg/object"
	"github.com/plumbnet/plumb/pkg/plan"
)

// unit is what becomes ready as a whole: a step that makes or changes something; deletions of one kind that follow each
// other in the plan; the finish of a kind in a section (see [object.Schedule]); or, without a call, the end of a phase.
type unit struct {
	kind  *object.Kind
	steps []int   // of the plan, by number
	calls []*call // when all have ended, the unit has
	waits bool    // they do little but wait in the kernel
	batch bool    // its one call can be joined with others

	depth   int     // the length of the longest chain of units before it
	missing int     // units before it that have not ended
	next    []*unit // those after it
	left    int     // calls that have not ended
}

// call is one call of a kind's Put, Del or Finish. It has its sections for itself meanwhile.
type call struct {
	*unit
	number   int   // in the order of the plan
	rank     int64 // the lowest of those that are ready goes first
	sections []string
	steps    []int         // that it takes, by number; none for Finish
	objects  []plan.Object // to delete
	joined   []*call       // whose steps it takes too: see [object.Schedule.Batch]
	begun    bool
	err      error
}

// before puts a unit before another, that no other is after yet.
func (u *unit) before(v *unit) {
	u.next = append(u.next, v)
	v.missing++
	v.depth = max(v.depth, u.depth+1)
}

// joins says whether one call can take the steps of two units.
func (u *unit) joins(v *unit) bool {
	return u.batch && v.batch && u.kind == v.kind && slices.Equal(u.calls[0].sections, v.calls[0].sections)
}

// graph is a plan while its steps are put into units.
type graph struct {
	*run
	strict bool // the order is the plan's
	units  []*unit
	phase  *unit // the end of the phase before; nil for none
	done   int   // how many units were before the current phase
	made   map[finishing]*made
	order  []finishing // of made
	// last are the units that all others come after where the order is strict, and before those that they come after.
	last, before []*unit
}

// finishing is a kind that has a Finish, in a section.
type finishing struct {
	kind    *object.Kind
	section string
}

// made is what was put of such a kind there.
type made struct {
	units  []*unit // that no finish comes after yet
	finish *unit   // the last one; nil for none
}

// graph makes units of steps, in the order of the plan. Each comes after those that its steps say ([plan.Step]). If
// strict, each comes after those before it, but for what can be taken together: deletions that wait in the kernel,
// which keep their order within each section, and what one call makes.
func (r *run) graph(steps []plan.Step, strict bool) []*unit {
	g := &graph{run: r, strict: strict, made: make(map[finishing]*made)}
	of := make([]*unit, len(steps))
	for i, s := range steps {
		if i > 0 && s.Phase != steps[i-1].Phase {
			g.endPhase()
		}
		if i > 0 && deletesTogether(steps[i-1], s) {
			of[i] = of[i-1]
		} else {
			of[i] = g.add(s)
		}
		of[i].steps = append(of[i].steps, i)
		for _, other := range s.After {
			if u := of[other]; u != of[i] && !strict {
				u.before(of[i])
			}
		}
	}
	g.endPhase()
	for _, f := range g.order {
		g.finish(f)
	}
	number := 0
	for _, u := range g.units {
		g.call(u, steps)
		for _, c := range u.calls {
			c.number = number
			number++
		}
	}
	return g.units
}

// deletesTogether says whether two steps that follow each other are deletions of one kind: one call takes those in one
// section.
func deletesTogether(a, b plan.Step) bool {
	return deletes(a) && deletes(b) && a.Key().Kind == b.Key().Kind && a.Phase == b.Phase
}

func deletes(s plan.Step) bool { return s.Action == plan.Delete }

// add adds the unit of a step, and before it the finishes that it waits for.
func (g *graph) add(s plan.Step) *unit {
	u := &unit{kind: g.env.Of(s.Key())}
	if deletes(s) {
		u.waits = u.kind.Waits
		return g.append(u)
	}
	sections := g.sectionsOf(s)
	u.calls = []*call{{unit: u, sections: sections}}
	u.batch = u.kind.Batch && s.Action != plan.Replace && s.Action != plan.Refuse
	for _, section := range sections {
		for i := range g.env.Table {
			f := finishing{&g.env.Table[i], section}
			if f.kind == u.kind {
				break
			}
			if finish := g.finish(f); finish != nil {
				finish.before(u)
			}
		}
		if f := (finishing{u.kind, section}); u.kind.Finish != nil {
			if g.made[f] == nil {
				g.made[f] = new(made)
				g.order = append(g.order, f)
			}
			g.made[f].units = append(g.made[f].units, u)
		}
	}
	return g.append(u)
}

// append adds a unit to the current phase.
func (g *graph) append(u *unit) *unit {
	switch {
	case g.strict:
		g.follow(u)
	case g.phase != nil:
		g.phase.before(u)
	}
	g.units = append(g.units, u)
	return u
}

// follow puts a unit after those before it.
func (g *graph) follow(u *unit) {
	if len(g.last) > 0 && (g.last[0].waits && u.waits || g.last[0].joins(u)) {
		g.last = append(g.last, u)
	} else {
		g.before, g.last = g.last, []*unit{u}
	}
	for _, other := range g.before {
		other.before(u)
	}
}

// finish gives the finish of all that was put of a kind in a section so far; nil for nothing.
func (g *graph) finish(f finishing) *unit {
	m := g.made[f]
	if m == nil {
		return nil
	}
	if len(m.units) > 0 {
		m.finish = &unit{kind: f.kind}
		m.finish.calls = []*call{{unit: m.finish, sections: []string{f.section}}}
		for _, u := range m.units {
			u.before(m.finish)
		}
		m.units = nil
		g.append(m.finish)
	}
	return m.finish
}

// endPhase has all units to come wait for those of the current phase.
func (g *graph) endPhase() {
	if g.strict {
		return
	}
	phase := g.units[g.done:]
	g.phase = nil
	end := g.append(new(unit))
	for _, u := range phase {
		u.before(end)
	}
	g.phase, g.done = end, len(g.units)
}

// call gives a unit its calls.
func (g *graph) call(u *unit, steps []plan.Step) {
	switch {
	case len(u.steps) == 0: // a finish has its call, and the end of a phase needs none
	case deletes(steps[u.steps[0]]):
		u.calls = g.deletions(u, steps)
	default:
		u.calls[0].steps = u.steps
	}
	u.left = len(u.calls)
}

// sectionsOf lists the sections that a step uses, each once.
func (r *run) sectionsOf(s plan.Step) (list []string) {
	if s.Action == plan.Refuse {
		return nil
	}
	add := func(section string) {
		if !slices.Contains(list, section) {
			list = append(list, section)
		}
	}
	for _, c := range s.Changes {
		add(r.sectionOf(c.Key()))
		for _, o := range []plan.Object{c.Old, c.New} {
			if laid, ok := o.(object.Laid); ok && !deletes(s) {
				add(laid.Underlay())
			}
		}
	}
	for _, o := range s.Frees {
		add(r.sectionOf(o.Key()))
	}
	return list
}

// sectionOf is the section that an object is in; that which it is, for one that is a section.
func (r *run) sectionOf(k plan.Key) string {
	if r.env.Of(k).Sections {
		return k.Name
	}
	return k.NS
}
