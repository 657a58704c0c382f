package reconcile

import (
	"errors"
	"fmt"
	"slices"

	"github.com/plumbnet/plumb/pkg/kind"
	"github.com/plumbnet/plumb/pkg/plan"
)

// batch is a run of steps that one call to the kernel's side carries out.
type batch []plan.Step

// batches cuts steps where the kind, the action or the namespace that is worked in changes.
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
	return where(a) == where(b) && (deletes(a) || kindOf(a).Batch)
}

func alone(s plan.Step) bool { return s.Action == plan.Replace || s.Action == plan.Refuse }

func deletes(s plan.Step) bool { return s.Action == plan.Delete }

// where is the namespace that a step works in. A cable is deleted by the end that sorts last: most end on one host.
func where(s plan.Step) string { return s.Changes[len(s.Changes)-1].Key().NS }

func kindOf(s plan.Step) kind.Kind {
	table := kind.Table()
	return table[slices.IndexFunc(table, func(k kind.Kind) bool { return k.Name == s.Key().Kind })]
}

// execute takes the steps in their order, up to the first that fails.
func (r *run) execute(steps []plan.Step, unplanned bool) error {
	list := batches(steps)
	for i, b := range list {
		err := r.interrupted()
		if err == nil {
			err = r.take(b, unplanned)
		}
		if err != nil {
			for _, rest := range list[i:] {
				r.skip(rest, unplanned)
			}
			return err
		}
	}
	return nil
}

// executeAll takes all steps, also when some fail.
func (r *run) executeAll(steps []plan.Step, unplanned bool) (failed error) {
	for _, b := range batches(steps) {
		if err := r.interrupted(); err != nil {
			r.skip(b, unplanned)
			return errors.Join(failed, err)
		}
		failed = errors.Join(failed, r.take(b, unplanned))
	}
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

// skip notes the steps of a batch that were not taken.
func (r *run) skip(b batch, unplanned bool) {
	for _, s := range b {
		if !slices.ContainsFunc(r.report.Outcomes, func(o plan.Outcome) bool { return o.Result == plan.Failed && o.Step.Key() == s.Key() }) {
			r.report.Outcomes = append(r.report.Outcomes, plan.Outcome{Step: s, Result: plan.Skipped, Unplanned: unplanned})
		}
	}
}

// take carries out one batch and reports its steps.
func (r *run) take(b batch, unplanned bool) error {
	err := r.carryOut(b)
	if err != nil {
		err = fmt.Errorf("%s: %w", b[0].Key().Label(), err)
	}
	for _, s := range b {
		o := plan.Outcome{Step: s, Result: plan.Done, Err: err, Unplanned: unplanned}
		switch {
		case err != nil:
			o.Result = plan.Failed
		case r.undoing:
			o.Result, o.Unplanned = plan.Undoing, false
		}
		r.report.Outcomes = append(r.report.Outcomes, o)
		r.Progress(o)
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
	case plan.Delete:
		var objects []plan.Object
		for _, s := range b {
			objects = append(objects, s.Changes[len(s.Changes)-1].Old)
		}
		return k.Del(r.env, objects)
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

// claimAll records the originals of sysctls of namespaces that were not there yet when the run was prepared.
func (r *run) claimAll(changes []plan.Change) error {
	if r.undoing {
		return nil
	}
	for _, c := range changes {
		if v, ok := c.New.(kind.Sysctl); ok {
			if err := r.claim(v); err != nil {
				return err
			}
		}
	}
	return r.record.save(r.Seam)
}
