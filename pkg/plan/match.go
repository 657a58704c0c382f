package plan

// match finds what stands at the keys of what is wanted, and says which of that is equal. Same is the short way out:
// all is, nothing is in a wrong place, nothing is ours and unwanted.
func (p *planner) match(want []Object, have []Have) (equal []bool, same bool) {
	equal, same = make([]bool, len(want)), true
	p.found = make(map[*Have]int, min(len(want), len(have)))
	for i, w := range want {
		if h := p.have[w.Key()]; h != nil {
			p.found[h] = i + 1
			fields, _ := Compare(w, h.Object)
			equal[i] = h.Class != Foreign && len(fields) == 0
		}
		same = same && equal[i]
	}
	for i := range have {
		same = same && !p.unplanned(&have[i])
	}
	return equal, same && p.inPlace(have)
}

// unplanned says whether something that is not wanted must not stay as it is.
func (p *planner) unplanned(h *Have) bool { return p.found[h] == 0 && (h.Class == Ours || h.Collides) }

// inPlace says whether what is wanted, and is there, is in the wanted order where that matters.
func (p *planner) inPlace(have []Have) bool {
	last := make(map[string]int)
	for i := range have {
		number := p.found[&have[i]]
		s, ok := have[i].Object.(Sequenced)
		if !ok || number == 0 {
			continue
		}
		sequence := s.Sequence()
		if number < last[sequence] {
			return false
		}
		last[sequence] = number
	}
	return true
}
