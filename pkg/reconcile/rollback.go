package reconcile

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/plumbnet/plumb/pkg/object"
	"github.com/plumbnet/plumb/pkg/plan"
)

// fail ends an apply that could not be carried through: it goes back to what was there, unless told to keep what was
// done.
func (r *run) fail(cause error, start lists, before *object.Record) error {
	if r.keeps(cause) {
		return ended(ErrPartial, cause)
	}
	rest, err := r.rollBack(start, before)
	switch {
	case errors.Is(err, errStopped):
		return ended(ErrPartial, fmt.Errorf("%w; left while rolling back: %s", cause, left(rest)))
	case err != nil || len(rest.Steps) > 0:
		err = cmp.Or(err, errNotBack)
		if len(rest.Steps) > 0 {
			err = fmt.Errorf("%w; left: %s", err, left(rest))
		}
		return ended(ErrRollback, fmt.Errorf("%w; then %w", cause, err))
	}
	for i, o := range r.report.Outcomes {
		if o.Result == plan.Done {
			r.report.Outcomes[i].Result = plan.Undone
		}
	}
	return ended(ErrRolledBack, cause)
}

// keeps says whether what was done stays. With a confirmation to come, an interruption may be the end of the session
// that would have given it.
func (r *run) keeps(cause error) bool {
	switch {
	case errors.Is(cause, errStopped):
		return true
	case errors.Is(cause, errUnconfirmed), errors.Is(cause, errInterrupted) && r.ConfirmWithin > 0:
		return false
	}
	return r.Keep
}

// errNotBack is why a rollback failed of which every step went well.
var errNotBack = errors.New("the rollback is incomplete")

// rollBack is a plan like any other: from what is there now to what was there at the start. It returns what it could
// not do.
func (r *run) rollBack(start lists, before *object.Record) (rest plan.Plan, err error) {
	r.undoing, r.ctx = true, context.WithoutCancel(r.ctx)
	outcomes := r.report.Outcomes
	defer func() { r.report.Outcomes = outcomes }()
	rest = inverse(outcomes) // until the kernel has told
	want := r.before(start.all(), before)
	r.record.Recall(before, r.topology)
	var taken []plan.Step
	for range rounds {
		full, failed := r.observe(want, nil)
		if failed != nil {
			return rest, failed
		}
		if rest = r.diff(full); len(rest.Steps) == 0 {
			r.done(taken)
			r.record.Pending, r.record.Held, r.record.Claims = before.Pending, before.Held, before.Claims
			r.record.Attached = before.Attached
			r.record.Moved = before.Moved
			ours := func(k plan.Key) bool { return r.env.Wanted(k) && !r.others[k] }
			r.record.RecallTold(before, r.topology, ours)
			return rest, r.record.Save(r.Seam)
		}
		// Should the process die on the way, the record must know what it was about to do; but the way back is worth
		// trying without.
		err = r.prepare(rest, nil)
		failed = r.execute(rest.Steps, true, true)
		taken = append(taken, rest.Steps...)
		if err = errors.Join(err, failed); errors.Is(err, errStopped) {
			return rest, err
		}
	}
	full, failed := r.observe(want, nil)
	if failed != nil {
		return rest, failed
	}
	if err != nil {
		err = fmt.Errorf("%w: %w", errNotBack, err)
	}
	return r.diff(full), err
}

// inverse names what is to be undone of what a run did or tried, the last first.
func inverse(outcomes []plan.Outcome) plan.Plan {
	var p plan.Plan
	for _, o := range slices.Backward(outcomes) {
		if o.Result != plan.Done && o.Result != plan.Failed {
			continue
		}
		switch s := o.Step; s.Action {
		case plan.Create:
			p.Steps = append(p.Steps, plan.Step{Action: plan.Delete, Changes: s.Changes})
		case plan.Delete:
			p.Steps = append(p.Steps, plan.Step{Action: plan.Create, Changes: s.Changes})
		case plan.Update, plan.Replace, plan.Adopt:
			p.Steps = append(p.Steps, s)
		}
	}
	return p
}

// before makes of what was found what is wanted back.
func (r *run) before(start []plan.Have, before *object.Record) []plan.Object {
	r.others = make(map[plan.Key]bool)
	adopted := make(map[plan.Key]bool)
	for _, s := range r.report.Plan.Steps {
		adopted[s.Key()] = s.Action == plan.Adopt
	}
	var want []plan.Object
	for _, h := range start {
		k := h.Object.Key()
		if h.Class == plan.Foreign && !adopted[k] {
			continue
		}
		row := r.env.Of(k)
		if c := before.At(k); row.Claimed && (c == nil || c.Wants[r.topology] == "") {
			continue // what the topology had not claimed goes back to its original, and the claim with it
		}
		if row.Undo != nil {
			back, ok := row.Undo(h)
			if !ok {
				continue
			}
			h.Object = back
		}
		r.others[k] = h.Class != plan.Ours
		want = append(want, h.Object)
	}
	return want
}
