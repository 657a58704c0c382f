package plan

import "slices"

// rival is an object that holds what another wants to claim.
type rival struct {
	wants  Object
	claim  Key
	holder Key
}

// rivals lists those of a unit in the imagined kernel.
func (p *planner) rivals(u *unit) (list []rival) {
	if len(p.world.claimed) == 0 {
		return nil
	}
	for _, o := range u.objects {
		for _, claim := range claims(o) {
			list = append(list, p.rivalsFor(claim, o)...)
		}
	}
	return list
}

// rivalsFor lists those for one claim. Who has it already is no rival of those who have it too, unless they share it
// now and can't any longer.
func (p *planner) rivalsFor(claim Key, o Object) (list []rival) {
	holders, now := p.world.holders(claim), p.world.Object(o.Key())
	held := slices.Contains(holders, o.Key())
	if held && shares(o, claim, now) {
		return nil
	}
	for _, k := range holders {
		other := p.world.Object(k)
		if k != o.Key() && !shares(o, claim, other) && (!held || shares(now, claim, other)) {
			list = append(list, rival{o, claim, k})
		}
	}
	return list
}

// shares says whether an object may have a claim together with the one that holds it.
func shares(o Object, claim Key, holder Object) bool {
	s, ok := o.(Sharing)
	return ok && s.Shares(claim, holder)
}

// contest decides about the rivals of what waits: those that are ours, and go, are deleted by steps of their own, so
// that they are gone in time; for one that is not ours the plan is refused.
func (p *planner) contest() {
	p.contested = make(map[Key]bool)
	for _, u := range p.units {
		if !u.waits {
			continue
		}
		for _, r := range p.rivals(u) {
			class, wanted := p.had(r.holder).Class, p.want[r.holder] != nil
			switch {
			case class == Ours && !wanted:
				p.contested[r.holder] = true
			case class == Foreign || class == Loose && !wanted:
				p.refuseClaim(u, r)
			}
		}
	}
}

// refuseClaim refuses a unit, once, for a rival. The step comes before all others, as refusals do.
func (p *planner) refuseClaim(u *unit, r rival) {
	o := u.objects[0]
	for _, other := range u.objects {
		if p.refused[other.Key()] {
			return
		}
		if slices.Contains(claims(other), r.claim) {
			o = other
		}
	}
	p.refused[o.Key()] = true
	at := slices.IndexFunc(p.plan.Steps, func(s Step) bool { return s.Action != Refuse })
	if at < 0 {
		at = len(p.plan.Steps)
	}
	p.plan.Steps = slices.Insert(p.plan.Steps, at, Step{
		Action: Refuse, Changes: []Change{{Old: p.world.Object(o.Key()), New: o}},
		Reason: r.claim.Label() + " is taken by " + r.holder.Label() +
			", which does not belong to this topology: remove it, or choose another " + r.claim.Kind,
	})
	p.touched = slices.Insert(p.touched, at, 0)
}

// free takes away, in the imagined kernel, the rivals of a unit that is about to be made or changed, their own rivals,
// and so on, as far as they give up what they hold. The next step deletes them. It says whether there are any.
func (p *planner) free(u *unit) bool {
	group := []*unit{u}
	for i := 0; i < len(group); i++ {
		for _, r := range p.rivals(group[i]) {
			if v := p.unitOf(r.holder); v != nil && p.givesUp(v, r) && !slices.Contains(group, v) {
				group = append(group, v)
			}
		}
	}
	for _, v := range group[1:] {
		v.freed = make([]Object, len(v.objects))
		for i, o := range v.objects {
			v.freed[i] = p.world.Object(o.Key())
		}
	}
	for _, v := range group[1:] {
		p.frees = append(p.frees, slices.DeleteFunc(slices.Clone(v.freed), func(o Object) bool { return o == nil })...)
		v.fell = p.remove(v)
	}
	return len(group) > 1
}

// unitOf is the unit of a wanted object, nil for none.
func (p *planner) unitOf(k Key) *unit {
	if p.unit == nil {
		p.unit = make(map[Key]*unit)
		for _, u := range p.units {
			for _, o := range u.objects {
				p.unit[o.Key()] = u
			}
		}
	}
	return p.unit[k]
}

// givesUp says whether a unit can be made anew, and does not keep what it holds from who wants that.
func (p *planner) givesUp(u *unit, r rival) bool {
	return !slices.ContainsFunc(u.objects, func(o Object) bool {
		return p.refused[o.Key()] || slices.Contains(claims(o), r.claim) && !shares(r.wants, r.claim, o)
	})
}
