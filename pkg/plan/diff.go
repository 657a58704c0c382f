package plan

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

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
				why = "cannot be adopted, as it would have to be re-created: " + differences(onlyFixed(fields))
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

func (p *planner) single(k Key) *unit { return &unit{objects: []Object{p.want[k]}} }

// state of a unit in the imagined kernel.
type state int

const (
	settled state = iota
	needsCreate
	needsUpdate
	needsReplace
)

func (p *planner) state(u *unit) state {
	if u.equal && !p.affected(u) {
		return settled // as it was found
	}
	missing, differ, fixed := 0, false, false
	for _, o := range u.objects {
		h := p.world.Object(o.Key())
		if h == nil {
			missing++
			continue
		}
		fields, f := Compare(o, h)
		differ = differ || len(fields) > 0 || p.adopts(o.Key())
		fixed = fixed || f
	}
	switch {
	case missing == len(u.objects):
		return needsCreate
	case missing > 0 || fixed:
		return needsReplace
	case differ:
		return needsUpdate
	}
	return settled
}

// affected says whether steps have changed a unit, or taken it away, beside what they were for.
func (p *planner) affected(u *unit) bool {
	return len(p.world.affected) > 0 &&
		slices.ContainsFunc(u.objects, func(o Object) bool { return p.world.affected[o.Key()] })
}

// adopts says whether an object is still to be taken over.
func (p *planner) adopts(k Key) bool {
	if !p.Adopt {
		return false // somebody else's is refused
	}
	h, ok := p.have[k]
	return ok && h.Class == Foreign && p.world.Object(k) != nil
}

// settle plans the steps that make a unit, in the state that it is in, as it is wanted.
func (p *planner) settle(u *unit, now state) {
	if now == settled || slices.ContainsFunc(u.objects, func(o Object) bool { return p.refused[o.Key()] }) {
		return
	}
	if p.free(u) {
		now = p.state(u) // which may have fallen
	}
	if u.freed != nil {
		now = needsReplace
	}
	switch now {
	case needsCreate:
		step := Step{Action: Create}
		for _, o := range u.objects {
			step.Changes = append(step.Changes, Change{New: o})
			if k, ok := p.world.felledBy[o.Key()]; ok && step.Reason == "" {
				step.Reason = fmt.Sprintf("falls with %s %s, put back", k.Kind, k.Place())
			}
		}
		p.emit(step)
	case needsUpdate:
		for _, o := range u.objects {
			p.update(o)
		}
	case needsReplace:
		p.replace(u, "")
	}
}

func (p *planner) update(o Object) {
	old := p.world.Object(o.Key())
	fields, _ := Compare(o, old)
	o = Over(o, old)
	step := Step{Action: Update, Changes: []Change{{Old: old, New: o}}, Fields: fields}
	switch {
	case p.adopts(o.Key()):
		step.Action, step.Reason = Adopt, "is taken over"
		delete(p.have, o.Key())
	case len(fields) == 0:
		return
	}
	p.emit(step)
}

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

// takesDown counts by kind what falls with a step: "takes down 1 address, 2 routes".
func (p *planner) takesDown(s Step, fell []Key) string {
	count := make(map[string]int)
	for _, k := range fell {
		if !slices.ContainsFunc(s.Changes, func(c Change) bool { return c.Key() == k }) {
			count[k.Kind]++
		}
	}
	var words []string
	for _, kind := range p.Kinds {
		if count[kind] > 0 {
			words = append(words, Count(count[kind], kind))
		}
	}
	if len(words) == 0 {
		return ""
	}
	return "takes down " + strings.Join(words, ", ")
}

// Count writes a number with its noun in the right form: "1 address", "2 addresses".
func Count(n int, noun string) string {
	switch {
	case n == 1:
	case strings.HasSuffix(noun, "ss"):
		noun += "es"
	default:
		noun += "s"
	}
	return fmt.Sprintf("%d %s", n, noun)
}

func joinReasons(reasons ...string) string {
	return strings.Join(slices.DeleteFunc(reasons, func(r string) bool { return r == "" }), "; ")
}

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

// had is what was found at a key, and is not made anew.
func (p *planner) had(k Key) Have {
	if h := p.have[k]; h != nil {
		return *h
	}
	return Have{}
}

func (p *planner) gone(k Key) string {
	h := p.had(k)
	return joinReasons(cmp.Or(h.Why, p.Gone), h.Note)
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
