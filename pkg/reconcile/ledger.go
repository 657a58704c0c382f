package reconcile

import "github.com/plumbnet/plumb/pkg/plan"

// ledger notes what becomes of a list of steps, and tells of them in their order, whichever ended first.
type ledger struct {
	*run
	outcomes []plan.Outcome // of the steps; without a result those that have not ended
	at       map[plan.Key][]int
	told     int
	ended    int
}

func (r *run) newLedger(steps []plan.Step, unplanned bool) *ledger {
	l := &ledger{run: r, outcomes: make([]plan.Outcome, len(steps)), at: make(map[plan.Key][]int, len(steps))}
	for i, s := range steps {
		l.outcomes[i] = plan.Outcome{Step: s, Unplanned: unplanned}
		l.at[s.Key()] = append(l.at[s.Key()], i)
	}
	return l
}

// begin says which step the run is at.
func (l *ledger) begin(s plan.Step) {
	l.Working(Working{Done: l.ended, Total: len(l.outcomes), At: s, Undoing: l.undoing})
}

// note says that a step has ended. A key that several steps have, as when an address is deleted and put back, is theirs
// in their order.
func (l *ledger) note(s plan.Step, err error) {
	i := l.at[s.Key()][0]
	if rest := l.at[s.Key()][1:]; len(rest) > 0 {
		l.at[s.Key()] = rest
	}
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

// fail says that a step has failed after all.
func (l *ledger) fail(k plan.Key, err error) {
	for _, i := range l.at[k] {
		o := &l.outcomes[i]
		if o.Result, o.Err = plan.Failed, (line{err}); i < l.told {
			l.Progress(*o)
		}
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
