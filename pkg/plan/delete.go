package plan

import (
	"cmp"
	"slices"
)

// deleteYielding plans to delete what must be gone before anything is made.
func (p *planner) deleteYielding(have []Have) {
	if !slices.ContainsFunc(have, func(h Have) bool { y, ok := h.Object.(Yielding); return ok && y.Yields() }) {
		return // what goes needs not be found out yet
	}
	for _, k := range p.unwanted(have) {
		if y, ok := p.world.Object(k).(Yielding); ok && y.Yields() {
			p.emit(Step{Action: Delete, Changes: p.removal(k), Reason: p.gone(k)})
		}
	}
}

// unwanted lists what is ours and not wanted, in the order of kinds, but for what falls with something else that goes.
func (p *planner) unwanted(have []Have) []Key {
	var gone []Key
	for i := range have {
		h := &have[i]
		if h.Class != Ours || p.found[h] != 0 {
			continue
		}
		// Of two at one key one is found, and the other is wanted as well.
		if k := h.Object.Key(); p.want[k] == nil && p.world.Object(k) != nil {
			gone = append(gone, k)
		}
	}
	if len(gone) == 0 {
		return nil
	}
	rank := func(k Key) int { return slices.Index(p.Kinds, k.Kind) }
	slices.SortStableFunc(gone, func(a, b Key) int { return cmp.Compare(rank(a), rank(b)) })
	return p.standingAlone(gone)
}

// delete plans to delete what is ours and not wanted. It returns the keys whose deletion comes last.
func (p *planner) delete(have []Have) (last []Key) {
	for _, k := range slices.Backward(p.unwanted(have)) {
		if slices.Contains(p.Last, k.Kind) {
			last = append(last, k)
		} else if p.world.Object(k) != nil {
			p.emit(Step{Action: Delete, Changes: p.removal(k), Reason: p.gone(k)})
		}
	}
	slices.Reverse(last)
	return last
}

func (p *planner) deleteAll(gone []Key) {
	for _, k := range gone {
		p.emit(Step{Action: Delete, Changes: p.removal(k), Reason: p.gone(k)})
	}
}

// standingAlone leaves out what falls with something that is replaced, or that comes before it in the list. What falls
// at second hand stays: whether it does is for the kernel to know.
func (p *planner) standingAlone(gone []Key) []Key {
	scratch := p.world.scratch()
	named := make(map[Key]bool)
	for _, u := range p.units {
		if p.state(u) == needsReplace {
			for _, o := range u.objects {
				named[o.Key()] = true
				scratch.remove(o.Key())
			}
			for _, o := range u.objects {
				scratch.put(o) // so that what falls with the last of several does not fall with all of them
			}
		}
	}
	var alone []Key
	for _, k := range gone {
		if cause := scratch.felledBy[k]; scratch.Object(k) == nil && named[cause] && !p.contested[k] {
			named[k] = paired(p.had(k).Object, cause) // one line names both ends
			continue
		}
		alone, named[k] = append(alone, k), true
		scratch.remove(k)
	}
	return alone
}

func paired(o Object, k Key) bool {
	p, ok := o.(Paired)
	if !ok {
		return false
	}
	pair, ok := p.Pair()
	return ok && pair == k
}

// removal is what the deletion of k changes: the object, and its other half, when nobody wants that.
func (p *planner) removal(k Key) []Change {
	o := p.world.Object(k)
	changes := []Change{{Old: o}}
	if paired, ok := o.(Paired); ok {
		if pair, ok := paired.Pair(); ok && p.want[pair] == nil && p.world.Object(pair) != nil {
			changes = append(changes, Change{Old: p.world.Object(pair)})
			slices.SortFunc(changes, func(a, b Change) int { return comparePair(a.Key(), b.Key()) })
		}
	}
	return changes
}

func (p *planner) gone(k Key) string {
	h := p.had(k)
	return joinReasons(cmp.Or(h.Why, p.Gone), h.Note)
}
