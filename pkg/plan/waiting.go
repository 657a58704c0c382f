package plan

import "slices"

// createAndUpdate plans what can be done before anything is taken away. What needs something that is replaced, or
// something that waits for such a thing, waits.
func (p *planner) createAndUpdate() {
	waiting := make(map[Key]bool)
	for _, u := range p.units {
		now := p.state(u)
		if now == needsReplace || p.waits(u, waiting) {
			u.waits = true
			for _, o := range u.objects {
				p.markWaiting(o, waiting)
			}
			continue
		}
		p.settle(u, now)
	}
}

// markWaiting notes that an object waits, and with it what reports to keys of no object: a route with a source address
// that is yet to come does not name the address.
func (p *planner) markWaiting(o Object, waiting map[Key]bool) {
	waiting[o.Key()] = true
	if b, ok := o.(Bearer); ok {
		for _, k := range b.Bears() {
			waiting[k] = waiting[k] || p.want[k] == nil
		}
	}
}

// waits says whether a unit stands on something that waits, or claims what something else holds.
func (p *planner) waits(u *unit, waiting map[Key]bool) bool {
	if len(p.rivals(u)) > 0 {
		return true
	}
	if len(waiting) == 0 {
		return false
	}
	for _, o := range u.objects {
		if slices.ContainsFunc(slices.Concat(o.Needs(), on(o)), func(k Key) bool { return waiting[k] }) {
			return true
		}
	}
	return false
}

// replaceAndPutBack plans all that is still different: what waited, and what has changed since it was settled.
func (p *planner) replaceAndPutBack() {
	checked := make(map[string]bool)
	for _, u := range p.units {
		for _, o := range u.objects {
			if s, ok := o.(Sequenced); ok && !checked[s.Sequence()] {
				checked[s.Sequence()] = true
				p.reorder(s.Sequence())
			}
		}
		if u.waits || p.affected(u) {
			p.settle(u, p.state(u))
		}
	}
}
