package reconcile

import (
	"errors"
	"fmt"

	"github.com/plumbnet/plumb/pkg/plan"
)

// How a run can end other than in the asked state. Errors of this package wrap one of them.
var (
	// ErrNotRun: nothing was changed, because the run could not begin: permission, lock, a missing kernel feature.
	ErrNotRun = errors.New("could not run, nothing was changed")
	// ErrRefused: nothing was changed, because something of a wanted name is not ours.
	ErrRefused = errors.New("refused, nothing was changed")
	// ErrPartial: a step failed or the run was stopped, and what was done is kept.
	ErrPartial = errors.New("stopped part-way, changes are kept")
	// ErrRolledBack: a step failed or the run was interrupted; all is as before, and that was verified.
	ErrRolledBack = errors.New("rolled back, all is as before")
	// ErrRollback: a step failed, and undoing what was done before it failed too.
	ErrRollback = errors.New("rollback failed")
)

// ended says how a run ended, and before that why.
func ended(how, why error) error { return fmt.Errorf("%w; %w", why, how) }

// Report is what a run set out to do and what it did.
type Report struct {
	Plan     plan.Plan
	Outcomes []plan.Outcome
}
