package plan

// Options say how to plan.
type Options struct {
	// Kinds lists the kinds of object in the order in which they are created.
	Kinds []string
	// Last lists the kinds whose removal can't be undone: it comes last of all.
	Last []string
	// Namespaces is the kind whose objects are sections: its key names the section that it makes. Empty for none.
	Namespaces string
	// Inherited lists the kinds of which a new section takes a copy of what the host has: their steps on the host keep
	// their place in the plan relative to the creation of sections.
	Inherited []string
	// Adopt takes over foreign objects of a wanted key, where that needs no re-creation.
	Adopt bool
	// Gone is the reason of a deletion: "no longer in the file".
	Gone string
}

// Diff plans the steps from have to want. The order is the one that a rollback can follow back:
//
//  1. deletes of what others would be made differently under;
//  2. creates, and updates in place, of all that stands on nothing that is replaced;
//  3. deletes, in the reverse order of kinds;
//  4. replaces, and what falls with them or with a deletion and is put back;
//  5. deletes of the last kinds.
//
// What claims something that another object holds ([Exclusive]) waits for 4: by then those that go are deleted, and
// have left their claims. Holders that stay, and give up their claims, are replaced, and go as a group: with the first
// step that claims what one of them holds, all go that hold what it claims, or what these claim in their turn
// ([Step].Frees).
//
// Each step is tried on an imagined kernel, so that what it takes down is planned for. [Step] says how far the steps
// may be taken in another order.
func Diff(want []Object, have []Have, o Options) Plan {
	p := newPlanner(have, o)
	p.plan.Wanted = len(want)
	equal, same := p.match(want, have)
	if same {
		return p.plan
	}
	p.want = make(map[Key]Object, len(want))
	for _, w := range want {
		p.want[w.Key()] = w
	}
	imagined := make(chan *world, 1)
	go func() { imagined <- newWorld(have, len(want)) }() // which takes as long as to sort what is wanted
	p.units = units(want, equal, o.Kinds)
	p.sequences = sequences(p.units)
	p.world = <-imagined
	p.refuse(have)
	var last []Key
	for _, phase := range []func(){
		func() { p.deleteYielding(have) },
		p.createAndUpdate,
		func() { p.contest(); last = p.delete(have) },
		p.replaceAndPutBack,
		func() { p.deleteAll(last) },
	} {
		p.phase++
		phase()
	}
	p.order()
	return p.plan
}

type planner struct {
	Options
	want  map[Key]Object
	have  map[Key]*Have
	found map[*Have]int // at the key of something wanted: its number, from 1
	units []*unit
	unit  map[Key]*unit // by key, once that is asked for
	// sequences holds the wanted keys of each sequence in the wanted order.
	sequences map[string][]Key
	refused   map[Key]bool
	contested map[Key]bool // what is ours and not wanted, and holds a claim that is
	world     *world
	// frees is what the next step deletes before all else.
	frees []Object
	plan  Plan
	phase int // of the steps that are being planned
	// touched counts, for each step, what has been touched in the world when it was taken.
	touched []int
}

func newPlanner(have []Have, o Options) *planner {
	p := &planner{Options: o, have: make(map[Key]*Have, len(have))}
	for i := range have {
		p.have[have[i].Object.Key()] = &have[i]
	}
	return p
}

// had is what was found at a key, and is not made anew.
func (p *planner) had(k Key) Have {
	if h := p.have[k]; h != nil {
		return *h
	}
	return Have{}
}

// emit adds a step to the plan and takes it in the imagined kernel.
func (p *planner) emit(s Step) {
	for _, c := range s.Changes {
		if c.New == nil {
			p.world.remove(c.Key())
			continue
		}
		p.world.put(c.New)
		if s.Action == Create {
			delete(p.have, c.Key()) // what is made anew need not be taken over
		}
	}
	p.add(s)
}

// add adds a step that has been taken in the imagined kernel.
func (p *planner) add(s Step) {
	s.Phase, s.Frees, p.frees = p.phase, p.frees, nil
	p.plan.Steps = append(p.plan.Steps, s)
	p.touched = append(p.touched, len(p.world.touched))
}
