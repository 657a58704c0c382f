package reconcile

import (
	"slices"

	"github.com/plumbnet/plumb/pkg/plan"
)

// ledger notes what becomes of a list of steps, and tells of them in their order, whichever ended first.
type ledger struct {
	*run
	outcomes []plan.Outcome // of the steps; without a result those that have not ended
	told     int
	ended    int
}

func (r *run) newLedger(steps []plan.Step, unplanned bool) *ledger {
	l := &ledger{run: r, outcomes: make([]plan.Outcome, len(steps))}
	for i, s := range steps {
		l.outcomes[i] = plan.Outcome{Step: s, Unplanned: unplanned}
	}
	return l
}

// begin says which step the run is at.
func (l *ledger) begin(s plan.Step) {
	l.Working(Working{Done: l.ended, Total: len(l.outcomes), At: s, Undoing: l.undoing})
}

// note says that a step has ended.
func (l *ledger) note(i int, err error) {
	o := &l.outcomes[i]
	l.ended++
	switch {
	case err != nil:
		o.Result, o.Err = plan.Failed, line{err}
	case l.undoing:
		o.Result, o.Unplanned = plan.Undoing, false
	default:
		o.Result = plan.Done
	}
	for ; l.told < len(l.outcomes) && l.outcomes[l.told].Result != ""; l.told++ {
		l.Progress(l.outcomes[l.told])
	}
}

// fail says that the last step of those with an object that have ended has failed after all.
func (l *ledger) fail(k plan.Key, err error) {
	for i := len(l.outcomes) - 1; i >= 0; i-- {
		o := &l.outcomes[i]
		if o.Result == "" || !slices.ContainsFunc(o.Step.Changes, func(c plan.Change) bool { return c.Key() == k }) {
			continue
		}
		if o.Result, o.Err = plan.Failed, (line{err}); i < l.told {
			l.Progress(*o)
		}
		return
	}
}

// close adds the outcomes to the report: those of steps that were not taken as skipped, unless they had failed before.
func (l *ledger) close() {
	failed := make(map[plan.Key]bool)
	for _, o := range l.report.Outcomes {
		failed[o.Step.Key()] = failed[o.Step.Key()] || o.Result == plan.Failed
	}
	for i, o := range l.outcomes {
		switch {
		case o.Result == "" && failed[o.Step.Key()]:
			continue
		case o.Result == "":
			o.Result = plan.Skipped
		case i >= l.told:
			l.Progress(o)
		}
		l.report.Outcomes = append(l.report.Outcomes, o)
	}
}
