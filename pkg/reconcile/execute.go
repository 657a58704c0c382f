package reconcile

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"

	"github.com/plumbnet/plumb/pkg/kernel"
	"github.com/plumbnet/plumb/pkg/object"
	"github.com/plumbnet/plumb/pkg/plan"
)

// executor takes the steps of a plan. A step runs as soon as all that it comes after have ended and its sections are
// free, on as many workers as there are. All that it knows of a kind is its [object.Schedule].
type executor struct {
	*run
	steps []plan.Step
	units []*unit
	// waiters is how many deletions may wait in the kernel beside the workers.
	waiters int
	// pastFailures says that a failure keeps nothing else from being taken.
	pastFailures bool

	mu      sync.Mutex // of all below, and of the units
	ended   sync.Cond  // a call has
	queue   *queue
	ledger  *ledger
	running int  // calls
	waiting int  // those of them that have no worker
	stopped bool // no more calls are made
	failed  []failure
}

// failure is the error of a call, by its number.
type failure struct {
	number int
	err    error
}

// execute takes steps until one fails, or past failures. With one worker it takes them in the order of the plan. Past
// failures it always does, but deletions that wait in the kernel wait together.
func (r *run) execute(steps []plan.Step, unplanned, pastFailures bool) error {
	x := &executor{
		run: r, steps: steps, units: r.graph(steps, pastFailures), queue: newQueue(), ledger: r.newLedger(steps, unplanned),
		waiters: kernel.Waiters(r.Workers) - 1, pastFailures: pastFailures,
	}
	x.ended.L = &x.mu
	r.refused = refusals(steps)
	workers := r.Workers
	if pastFailures {
		workers = 1
	}
	x.setRanks(workers)
	x.readyFirst()
	var others sync.WaitGroup
	for range workers - 1 {
		others.Go(x.work)
	}
	x.work()
	others.Wait()
	return x.end()
}

// setRanks says which calls go first. With one worker that is the order of the plan. Several finish what they have
// begun before they begin something else: so a section is done soon after it was made, and the rest is made meanwhile.
func (x *executor) setRanks(workers int) {
	for _, u := range x.units {
		for _, c := range u.calls {
			switch {
			case x.rank != nil && !x.pastFailures:
				c.rank = x.rank()
			case workers > 1:
				c.rank = int64(c.number) - int64(u.depth)<<32
			default:
				c.rank = int64(c.number)
			}
		}
	}
}

// readyFirst makes those units ready that come after none.
func (x *executor) readyFirst() {
	var first []*unit
	for _, u := range x.units {
		if u.missing == 0 {
			first = append(first, u)
		}
	}
	for _, u := range first {
		x.ready(u)
	}
}

// ready lets the calls of a unit be made. One that has none ends at once.
func (x *executor) ready(u *unit) {
	for _, c := range u.calls {
		x.queue.push(c)
	}
	if len(u.calls) == 0 {
		x.release(u)
	}
}

// release makes those units ready that only waited for this one.
func (x *executor) release(u *unit) {
	for _, next := range u.next {
		if next.missing--; next.missing == 0 {
			x.ready(next)
		}
	}
}

// work makes calls until none is left.
func (x *executor) work() {
	x.mu.Lock()
	defer x.mu.Unlock()
	for {
		c := x.take()
		switch {
		case c != nil && c.waits && x.waiting < x.waiters:
			x.waiting++
			go func() {
				x.mu.Lock()
				defer x.mu.Unlock()
				x.make(c)
				x.waiting--
			}()
		case c != nil:
			x.make(c)
		case x.running == 0:
			return
		default:
			x.ended.Wait()
		}
	}
}

// take takes the call that is to be made next, with those that go with it; nil for none.
func (x *executor) take() *call {
	if x.stopped {
		return nil
	}
	c := x.queue.take()
	if c == nil {
		return nil
	}
	if err := x.interrupted(); err != nil {
		x.stopped = true
		x.failed = append(x.failed, failure{math.MaxInt, err})
		return nil
	}
	if c.batch {
		c.joined = x.queue.takeLike(c)
	}
	for _, c := range append(c.joined, c) {
		c.begun = true
	}
	x.running++
	if len(c.steps) > 0 {
		x.ledger.begin(x.steps[c.steps[0]])
	}
	return c
}

// make makes a call, which was taken, without holding the lock meanwhile, and notes how it ended.
func (x *executor) make(c *call) {
	x.mu.Unlock()
	err := x.call(c)
	x.mu.Lock()
	x.running--
	x.queue.release(c)
	if err != nil {
		x.failed = append(x.failed, failure{c.number, err})
		x.stopped = x.stopped || !x.pastFailures
	}
	for _, c := range append(c.joined, c) {
		c.err = err
		if c.left--; c.left == 0 {
			x.note(c.unit)
			x.release(c.unit)
		}
	}
	x.ended.Broadcast()
}

// note notes what became of the steps of a unit: of a deletion that can be made in several sections one is enough.
func (x *executor) note(u *unit) {
	done, failed := make([]bool, len(u.steps)), make([]error, len(u.steps))
	for _, c := range u.calls {
		for _, step := range c.steps {
			i := step - u.steps[0]
			done[i] = done[i] || c.begun && c.err == nil
			failed[i] = cmp.Or(failed[i], c.err)
		}
	}
	for i, step := range u.steps {
		switch {
		case done[i]:
			x.ledger.note(step, nil)
		case failed[i] != nil:
			x.ledger.note(step, failed[i])
		}
	}
}

// end tells how the steps have ended, those that were not taken too.
func (x *executor) end() error {
	for _, u := range x.units {
		if u.left > 0 { // of its deletions some may have been made
			x.note(u)
		}
	}
	x.ledger.close()
	slices.SortStableFunc(x.failed, func(a, b failure) int { return cmp.Compare(a.number, b.number) })
	var err error
	for _, f := range x.failed {
		err = also(err, f.err)
	}
	return err
}

// call makes a call.
func (x *executor) call(c *call) error {
	switch {
	case len(c.steps) == 0:
		return x.finish(c)
	case c.objects != nil:
		return x.delete(c)
	}
	steps := slices.Clone(c.steps)
	for _, other := range c.joined {
		steps = append(steps, other.steps...)
	}
	slices.Sort(steps)
	var changes []plan.Change
	for _, i := range steps {
		changes = append(changes, x.steps[i].Changes...)
	}
	if err := x.put(c.kind, x.steps[steps[0]], changes); err != nil {
		return fmt.Errorf("%s: %w", x.steps[steps[0]].Key().Label(), err)
	}
	return nil
}

// finish completes what was made of a kind in a section. A step that it completes fails with it.
func (x *executor) finish(c *call) error {
	key, err := c.kind.Finish(x.env, c.sections[0])
	if err == nil {
		return nil
	}
	err = fmt.Errorf("%s: %w", key.Label(), err)
	x.mu.Lock()
	defer x.mu.Unlock()
	x.ledger.fail(key, err)
	return err
}

// put makes the changes of a step, and of others like it.
func (r *run) put(k *object.Kind, s plan.Step, changes []plan.Change) error {
	if s.Action == plan.Refuse { // somebody else's has come to stand there since the run began
		return errors.New(s.Reason)
	}
	if err := r.free(s.Frees); err != nil {
		return err
	}
	remakes := s.Action == plan.Replace
	swaps := remakes && k.Swap != nil && !s.Freed && changes[0].Old != nil
	for i, c := range changes {
		if remakes && c.Old != nil && !s.Freed && !swaps {
			if err := k.Del(r.env, []plan.Object{c.Old}); err != nil {
				return err
			}
		}
		if remakes && !swaps {
			changes[i].Old = nil
		}
		for _, key := range c.New.Needs() {
			if r.refused[key] {
				return fmt.Errorf("%s is not ours", key.Label())
			}
		}
	}
	if err := r.claimAll(changes); err != nil {
		return err
	}
	if swaps { // a pair is never swapped
		return k.Swap(r.env, changes[0])
	}
	return k.Put(r.env, changes)
}

// free deletes what holds claims that a step takes over, those of one kind in one section together.
func (r *run) free(objects []plan.Object) error {
	for len(objects) > 0 {
		first := objects[0].Key()
		like := func(o plan.Object) bool { return o.Key().Kind == first.Kind && o.Key().NS == first.NS }
		var group []plan.Object
		for _, o := range objects {
			if like(o) {
				group = append(group, o)
			}
		}
		if err := r.env.Of(first).Del(r.env, group); err != nil {
			return fmt.Errorf("%s: %w", first.Label(), err)
		}
		objects = slices.DeleteFunc(slices.Clone(objects), like)
	}
	return nil
}

// refusals are the keys of the steps that are refused.
func refusals(steps []plan.Step) map[plan.Key]bool {
	refused := make(map[plan.Key]bool)
	for _, s := range steps {
		if s.Action == plan.Refuse {
			refused[s.Key()] = true
		}
	}
	return refused
}

func (r *run) interrupted() error {
	select {
	case <-r.Stop:
		return errStopped
	default:
	}
	if r.ctx.Err() != nil {
		return errInterrupted
	}
	return nil
}

// claimAll records what is claimed in namespaces that were not there yet when the run was prepared.
func (r *run) claimAll(changes []plan.Change) error {
	if r.undoing {
		return nil
	}
	claimed := false
	for _, c := range changes {
		added, err := r.claim(c.New)
		if err != nil {
			return err
		}
		claimed = claimed || added
	}
	if !claimed {
		return nil
	}
	return r.record.Save(r.Seam)
}
