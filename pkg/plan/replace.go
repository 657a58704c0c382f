package plan

import "slices"

// replace plans to delete what there is of a unit, if it is not freed yet, and to create it anew.
func (p *planner) replace(u *unit, why string) {
	step := Step{Action: Replace, Freed: u.freed != nil}
	for i, o := range u.objects {
		old := p.world.Object(o.Key())
		if step.Freed {
			old = u.freed[i]
		}
		step.Changes = append(step.Changes, Change{Old: old, New: o})
		if old == nil {
			continue
		}
		fields, _ := Compare(o, old)
		for _, f := range fields {
			if i > 0 {
				f.Name = o.Key().Place() + " " + f.Name
			}
			step.Fields = append(step.Fields, f)
		}
	}
	if !step.Freed {
		u.fell = p.remove(u)
	}
	step.Reason = joinReasons(why, p.takesDown(step, u.fell), p.had(step.Key()).Note)
	u.freed = nil
	for _, c := range step.Changes {
		p.world.put(c.New)
		delete(p.have, c.Key()) // what is made anew need not be taken over
	}
	p.add(step)
}

// remove takes a unit away in the imagined kernel, and lists what falls.
func (p *planner) remove(u *unit) (fell []Key) {
	mark := len(p.world.fell)
	for _, o := range u.objects {
		p.world.remove(o.Key())
	}
	return slices.Clone(p.world.fell[mark:])
}
