package reconcile

import (
	"errors"
	"fmt"
	"slices"

	"github.com/plumbnet/plumb/pkg/kinds"
	"github.com/plumbnet/plumb/pkg/link"
	"github.com/plumbnet/plumb/pkg/object"
	"github.com/plumbnet/plumb/pkg/plan"
)

// batch is a run of steps that one call to the kernel's side carries out; one for each namespace, where they are deletions.
type batch []plan.Step

// batches joins deletions of one kind, and of the kinds that take several at once what is to be made in one namespace.
func batches(steps []plan.Step) []batch {
	var list []batch
	for i, s := range steps {
		if i > 0 && joins(steps[i-1], s) {
			list[len(list)-1] = append(list[len(list)-1], s)
		} else {
			list = append(list, batch{s})
		}
	}
	return list
}

func joins(a, b plan.Step) bool {
	if a.Key().Kind != b.Key().Kind || deletes(a) != deletes(b) || alone(a) || alone(b) {
		return false
	}
	return deletes(a) || a.Key().NS == b.Key().NS && kindOf(a).Batch
}

func alone(s plan.Step) bool { return s.Action == plan.Replace || s.Action == plan.Refuse }

func deletes(s plan.Step) bool { return s.Action == plan.Delete }

func kindOf(s plan.Step) *object.Kind { return kinds.Of(s.Key()) }

// execute takes the steps in the order of [arrange], up to the first that fails, or past failures.
func (r *run) execute(steps []plan.Step, unplanned, pastFailures bool) (failed error) {
	l := r.newLedger(steps, unplanned)
	list := batches(steps)
	ahead := r.lookAhead(list, l, pastFailures)
	list, flooded := arrange(list, ahead.needed)
	list, links, namespaces := r.withLinks(list)
	for i, b := range list {
		err := r.interrupted()
		if err == nil && i == flooded && !pastFailures {
			err = ahead.end(true)
		}
		switch {
		case err != nil:
		case i == links:
			err = r.deleteWith(b, namespaces, l)
		default:
			err = r.take(b, ahead, l, pastFailures)
		}
		failed = also(failed, err)
		pastFailures = pastFailures && r.interrupted() == nil
		if err != nil && !pastFailures {
			break
		}
	}
	failed = also(failed, ahead.end(failed == nil))
	if failed == nil || pastFailures {
		failed = also(failed, r.finishLinks(l, func(string) bool { return true }))
	}
	l.close()
	return failed
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

// take carries out one batch and notes what became of its steps.
func (r *run) take(b batch, ahead *ahead, l *ledger, pastFailures bool) error {
	if err := ahead.wait(ahead.needed(b)); err != nil || ahead.has(b) {
		return err
	}
	l.begin(b[0])
	if deletes(b[0]) {
		return r.delete(b, l, pastFailures)
	}
	if kindOf(b[0]).AfterLinks {
		if err := r.finishLinks(l, func(ns string) bool { return ns == b[0].Key().NS }); err != nil {
			return err
		}
	}
	err := r.carryOut(b)
	if err != nil {
		err = fmt.Errorf("%s: %w", b[0].Key().Label(), err)
	}
	for _, s := range b {
		l.note(s, err)
	}
	return err
}

func (r *run) carryOut(b batch) error {
	k := kindOf(b[0])
	var changes []plan.Change
	for _, s := range b {
		changes = append(changes, s.Changes...)
	}
	switch b[0].Action {
	case plan.Refuse: // somebody else's has come to stand there since the run began
		r.refused = append(r.refused, b[0].Key())
		return errors.New(b[0].Reason)
	case plan.Replace:
		for i, c := range changes {
			if c.Old != nil {
				if err := k.Del(r.env, []plan.Object{c.Old}); err != nil {
					return err
				}
			}
			changes[i].Old = nil
		}
	}
	for _, c := range changes {
		for _, k := range c.New.Needs() {
			if slices.Contains(r.refused, k) {
				return fmt.Errorf("%s is not ours", k.Label())
			}
		}
	}
	if err := r.claimAll(changes); err != nil {
		return err
	}
	return k.Put(r.env, changes)
}

// finishLinks completes the links that were made so far in the sections that in says.
func (r *run) finishLinks(l *ledger, in func(ns string) bool) error {
	k, err := link.Finish(r.env, in)
	if err != nil {
		err = fmt.Errorf("%s: %w", k.Label(), err)
		l.fail(k, err)
	}
	return err
}

// claimAll records the originals of sysctls of namespaces that were not there yet when the run was prepared.
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
