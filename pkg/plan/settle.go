package plan

import (
	"fmt"
	"slices"
)

// state of a unit in the imagined kernel.
type state int

const (
	settled state = iota
	needsCreate
	needsUpdate
	needsReplace
)

func (p *planner) state(u *unit) state {
	if u.equal && !p.affected(u) {
		return settled // as it was found
	}
	missing, differ, fixed := 0, false, false
	for _, o := range u.objects {
		h := p.world.Object(o.Key())
		if h == nil {
			missing++
			continue
		}
		fields, f := Compare(o, h)
		differ = differ || len(fields) > 0 || p.adopts(o.Key())
		fixed = fixed || f
	}
	switch {
	case missing == len(u.objects):
		return needsCreate
	case missing > 0 || fixed:
		return needsReplace
	case differ:
		return needsUpdate
	}
	return settled
}

// affected says whether steps have changed a unit, or taken it away, beside what they were for.
func (p *planner) affected(u *unit) bool {
	return len(p.world.affected) > 0 &&
		slices.ContainsFunc(u.objects, func(o Object) bool { return p.world.affected[o.Key()] })
}

// adopts says whether an object is still to be taken over.
func (p *planner) adopts(k Key) bool {
	if !p.Adopt {
		return false // somebody else's is refused
	}
	h, ok := p.have[k]
	return ok && h.Class == Foreign && p.world.Object(k) != nil
}

// settle plans the steps that make a unit, in the state that it is in, as it is wanted.
func (p *planner) settle(u *unit, now state) {
	if now == settled || slices.ContainsFunc(u.objects, func(o Object) bool { return p.refused[o.Key()] }) {
		return
	}
	if p.free(u) {
		now = p.state(u) // which may have fallen
	}
	if u.freed != nil {
		now = needsReplace
	}
	switch now {
	case needsCreate:
		step := Step{Action: Create}
		for _, o := range u.objects {
			step.Changes = append(step.Changes, Change{New: o})
			if k, ok := p.world.felledBy[o.Key()]; ok && step.Reason == "" {
				step.Reason = fmt.Sprintf("lost with %s %s, added again", k.Kind, k.Place())
			}
		}
		p.emit(step)
	case needsUpdate:
		for _, o := range u.objects {
			p.update(o)
		}
	case needsReplace:
		p.replace(u, "")
	}
}

func (p *planner) update(o Object) {
	old := p.world.Object(o.Key())
	fields, _ := Compare(o, old)
	o = Over(o, old)
	step := Step{Action: Update, Changes: []Change{{Old: old, New: o}}, Fields: fields}
	switch {
	case p.adopts(o.Key()):
		step.Action, step.Reason = Adopt, "adopted"
		delete(p.have, o.Key())
	case len(fields) == 0:
		return
	}
	p.emit(step)
}
