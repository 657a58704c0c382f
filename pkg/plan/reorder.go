package plan

import "slices"

func sequences(units []*unit) map[string][]Key {
	seq := make(map[string][]Key)
	for _, u := range units {
		for _, o := range u.objects {
			if s, ok := o.(Sequenced); ok {
				seq[s.Sequence()] = append(seq[s.Sequence()], o.Key())
			}
		}
	}
	return seq
}

// reorder re-creates the members of a sequence that stand in a wrong place. What goes may move others, so that once is
// not always enough.
func (p *planner) reorder(sequence string) {
	for _, k := range p.sequences[sequence] {
		u := p.single(k)
		p.settle(u, p.state(u))
	}
	for _, rest := range p.rearrangement(sequence) {
		if len(rest) == 1 {
			p.replace(p.single(rest[0]), "out of order")
			continue
		}
		for _, k := range slices.Backward(rest) {
			p.emit(Step{Action: Delete, Changes: []Change{{Old: p.world.Object(k)}}, Reason: "out of order"})
		}
		for _, k := range rest {
			p.emit(Step{Action: Create, Changes: []Change{{New: p.want[k]}}, Reason: "out of order, added again"})
		}
	}
}

// rearrangement lists which members to make anew, time after time, for the wanted order; none when that can't be had,
// as where somebody else's address is the first of its subnet.
func (p *planner) rearrangement(sequence string) (rounds [][]Key) {
	var live []Object
	for _, k := range p.world.sequence(sequence) {
		live = append(live, p.world.Object(k))
	}
	const tries = 4
	for range tries {
		rest := misplaced(keys(live), p.sequences[sequence])
		if len(rest) == 0 {
			return rounds
		}
		for _, k := range slices.Backward(rest) {
			i := slices.IndexFunc(live, func(o Object) bool { return o.Key() == k })
			if i < 0 || p.refused[k] {
				return nil
			}
			live = live[i].(Sequenced).Leave(live)
		}
		for _, k := range rest {
			live = p.want[k].(Sequenced).Join(live)
		}
		rounds = append(rounds, rest)
	}
	return nil
}

// misplaced lists the wanted members behind the longest beginning of the wanted order that the kernel's order holds.
func misplaced(live, wanted []Key) []Key {
	at := 0
	for kept, k := range wanted {
		i := slices.Index(live[at:], k)
		if i < 0 {
			return wanted[kept:]
		}
		at += i + 1
	}
	return nil
}

func (p *planner) single(k Key) *unit { return &unit{objects: []Object{p.want[k]}} }
