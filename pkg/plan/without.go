package plan

import "slices"

// Without is the plan without the steps that leave names, and without those that can't be taken then: what needs an
// object of such a step, and what was to be made anew because such a step deletes it first.
func (p Plan) Without(leave func(Step) bool) Plan {
	left := make(map[Key]bool)
	drops := func(s Step) bool {
		return leave(s) || slices.ContainsFunc(s.Changes, func(c Change) bool {
			needs := c.New != nil && slices.ContainsFunc(c.New.Needs(), func(k Key) bool { return left[k] })
			return needs || s.Freed && left[c.Key()]
		})
	}
	dropped := make([]bool, len(p.Steps))
	for again := true; again; {
		again = false
		for i, s := range p.Steps {
			if dropped[i] || !drops(s) {
				continue
			}
			dropped[i], again = true, true
			for _, k := range s.concerns() {
				left[k] = true
			}
		}
	}
	return p.keep(func(i int) bool { return !dropped[i] })
}

// concerns are the keys of a step's objects, and of what it deletes first.
func (s Step) concerns() (keys []Key) {
	for _, c := range s.Changes {
		keys = append(keys, c.Key())
	}
	for _, o := range s.Frees {
		keys = append(keys, o.Key())
	}
	return keys
}

// keep is the plan with some of its steps, by number. A step that came after one that is not kept comes after those
// before that.
func (p Plan) keep(kept func(int) bool) Plan {
	rest := Plan{Wanted: p.Wanted}
	number, after := make([]int, len(p.Steps)), make([][]int, len(p.Steps))
	for i, s := range p.Steps {
		for _, j := range s.After {
			if kept(j) {
				after[i] = append(after[i], number[j])
			} else {
				after[i] = append(after[i], after[j]...)
			}
		}
		slices.Sort(after[i])
		after[i] = slices.Compact(after[i])
		if kept(i) {
			number[i], s.After = len(rest.Steps), after[i]
			rest.Steps = append(rest.Steps, s)
		}
	}
	return rest
}
