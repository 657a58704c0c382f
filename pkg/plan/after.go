package plan

import "slices"

// order fills in [Step.After] for all steps. Within a phase, a step comes after an earlier one of the plan for
// these reasons:
//
//   - Keys. Both change the same object; or one changes what the other needs ([Object].Needs) or stands on
//     ([Dependent].On), be it as the object was or as it becomes. So what stands on something that goes is deleted
//     before it, and what falls is put back after what it stands on. What falls or changes because of a step is
//     changed by that step, and so are the keys that a removed object reports to ([Bearer]).
//   - Sequences. Both change members of one sequence ([Sequenced]).
//   - Claims. Both change who holds one claim ([Exclusive]).
//   - Kinds. Both are in one section, and of different kinds: the plan has them in the order of Options.Kinds, or
//     backwards for deletes. An object is in the section that its key names, but one of the kind Options.Namespaces
//     is in the section that it makes, and in no other. A step is in the sections of all its objects.
//   - Inheritance. One makes a section, and the other is of the host, and of a kind in Options.Inherited.
//
// What yields ([Yielding]) goes in a phase of its own. Edges that follow from others are left out where that is
// cheap: their number grows with that of the steps and of what the objects need and stand on, no faster.
func (p *planner) order() {
	o := orderer{planner: p, number: make(map[Key]int, 2*len(p.plan.Steps)), last: make(map[string]*run)}
	o.collect()
	var all []int
	phase := 0
	for i := range p.plan.Steps {
		s := &p.plan.Steps[i]
		if s.Phase != phase {
			phase = s.Phase
			clear(o.last)
		}
		o.after = o.after[:0]
		o.keys(i, s)
		o.kinds(i, s)
		slices.Sort(o.after)
		if after := slices.Compact(o.after); len(after) > 0 {
			from := len(all)
			all = append(all, after...)
			s.After = all[from:len(all):len(all)]
		}
	}
}

type orderer struct {
	*planner
	// number is that of each key that a step changes; a sequence and a claim are such keys too.
	number map[Key]int
	// changes lists the numbers of what each step changes, one step after the other; ends has the end of each.
	changes, ends []int
	usages        []usage         // by the number of the key
	last          map[string]*run // by section
	after         []int           // what the step at hand comes after
}

// usage is what the steps so far have done to a key.
type usage struct {
	changed int   // the step that changed it, from 1
	used    []int // those that needed it, or stood on it, since
	changes int   // how many are still to come
}

// collect finds out what each step changes.
func (o *orderer) collect() {
	begin := 0
	for i, s := range o.plan.Steps {
		for _, c := range s.Changes {
			if c.Old != nil && !s.Freed {
				o.changed(c.Old, c.New == nil || s.Action == Replace)
			}
			if c.New != nil {
				o.changed(c.New, false)
			}
		}
		for _, object := range s.Frees {
			o.changed(object, true)
		}
		for _, touched := range o.world.touched[begin:o.touched[i]] {
			o.changed(touched, true)
		}
		begin = o.touched[i]
		o.ends = append(o.ends, len(o.changes))
	}
	o.usages = make([]usage, len(o.number))
	for _, n := range o.changes {
		o.usages[n].changes++
	}
}

// changed notes what a change of an object changes.
func (o *orderer) changed(object Object, removed bool) {
	k := object.Key()
	o.add(k)
	if s, ok := object.(Sequenced); ok {
		o.add(Key{NS: k.Kind, Kind: "sequence of that kind", Name: s.Sequence()})
	}
	for _, claim := range claims(object) {
		o.add(claim)
	}
	if b, ok := object.(Bearer); ok && removed {
		for _, k := range b.Bears() {
			o.add(k)
		}
	}
}

func (o *orderer) add(k Key) {
	n, ok := o.number[k]
	if !ok {
		n = len(o.number)
		o.number[k] = n
	}
	o.changes = append(o.changes, n)
}

// keys puts a step after those that changed what it uses, and after those that used or changed what it changes.
func (o *orderer) keys(i int, s *Step) {
	for _, c := range s.Changes {
		if c.New != nil {
			o.use(i, c.New.Needs())
		}
		o.use(i, on(c.New))
		o.use(i, on(c.Old))
	}
	for _, object := range s.Frees {
		o.use(i, on(object))
	}
	begin := 0
	if i > 0 {
		begin = o.ends[i-1]
	}
	for _, n := range o.changes[begin:o.ends[i]] {
		u := &o.usages[n]
		o.wait(i, u.changed-1)
		for _, user := range u.used {
			o.wait(i, user)
		}
		u.changed, u.used, u.changes = i+1, nil, u.changes-1
	}
}

// on lists what an object stands on, if anything.
func on(object Object) []Key {
	if d, ok := object.(Dependent); ok {
		return d.On()
	}
	return nil
}

// use notes that step i uses some keys as they are, and puts it after those that changed them.
func (o *orderer) use(i int, keys []Key) {
	for _, k := range keys {
		if n, ok := o.number[k]; ok {
			u := &o.usages[n]
			o.wait(i, u.changed-1)
			if u.changes > 0 {
				u.used = append(u.used, i)
			}
		}
	}
}

// wait makes step i wait for another, unless that is none, or itself, or of an earlier phase.
func (o *orderer) wait(i, other int) {
	if other >= 0 && other != i && o.plan.Steps[other].Phase == o.plan.Steps[i].Phase {
		o.after = append(o.after, other)
	}
}

// run is a row of steps of one kind in a section, as the plan has them, with the steps of the row before it.
type run struct {
	kind          string
	steps, before []int
}

// kinds puts a step after what is before it in its sections, and is of another kind.
func (o *orderer) kinds(i int, s *Step) {
	for _, c := range s.Changes {
		k := c.Key()
		section := k.NS
		makes := k.Kind == o.Namespaces && o.Namespaces != ""
		if makes {
			section = k.Name
		}
		o.join(i, k.Kind, section)
		if makes && (s.Action == Create || s.Action == Replace) || k.NS == "" && slices.Contains(o.Inherited, k.Kind) {
			o.join(i, k.Kind, inheritance)
		}
	}
}

// inheritance is the name of a section that stands for what new sections inherit; no other section can be called so.
const inheritance = "/"

// join adds a step to a section. The first of a run waits for the whole run before it, and the others for the first:
// where many come after many, that takes a step for each of them, and not for each pair.
func (o *orderer) join(i int, kind, section string) {
	r := o.last[section]
	switch {
	case r == nil:
		r = &run{kind: kind}
		o.last[section] = r
	case r.kind != kind:
		r.kind, r.before, r.steps = kind, r.steps, nil
	case len(r.steps) > 0 && r.steps[len(r.steps)-1] == i:
		return // a pair within one section
	}
	const few = 4
	if len(r.steps) == 0 || len(r.before) <= few {
		o.after = append(o.after, r.before...)
	} else {
		o.after = append(o.after, r.steps[0])
	}
	r.steps = append(r.steps, i)
}
