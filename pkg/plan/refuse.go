package plan

import (
	"slices"
	"strings"
)

// refuse plans a refusal for every wanted key at which something foreign stands, and that may not be adopted, and for
// what collides.
func (p *planner) refuse(have []Have) {
	p.refused = make(map[Key]bool)
	if !slices.ContainsFunc(have, func(h Have) bool { return h.Class == Foreign || h.Collides }) {
		return
	}
	for _, u := range p.units {
		for _, o := range u.objects {
			h, ok := p.have[o.Key()]
			if !ok || h.Class != Foreign {
				continue
			}
			fields, fixed := Compare(o, h.Object)
			why := h.Why
			switch {
			case p.Adopt && !h.Final && !fixed:
				continue
			case p.Adopt && !h.Final:
				why = "cannot be adopted, as it would have to be re-created: " + strings.Join(differences(onlyFixed(fields)), ", ")
			}
			p.refused[o.Key()] = true
			p.add(Step{Action: Refuse, Changes: []Change{{Old: h.Object, New: o}}, Reason: why})
		}
	}
	for _, h := range have {
		if k := h.Object.Key(); h.Collides && !p.refused[k] {
			p.refused[k] = true
			p.add(Step{Action: Refuse, Changes: []Change{{Old: h.Object, New: p.want[k]}}, Reason: h.Why})
		}
	}
}
