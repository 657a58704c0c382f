package reconcile

import (
	"errors"
	"fmt"
	"strings"

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

// ErrAway: a namespace of others that a section is to be attached to can't be found, as that of a container that is not
// running. Such errors wrap [ErrNotRun] too.
var ErrAway = errors.New("the namespace can't be found")

// away is an error that is [ErrAway] beside what it says.
type away struct{ error }

func (a away) Unwrap() error        { return a.error }
func (a away) Is(target error) bool { return target == ErrAway }

// ErrPowerless: the process may not look at the kernel. Such errors wrap [ErrNotRun] too.
var ErrPowerless = errors.New("capabilities are missing")

// powerless is an error that is [ErrPowerless] beside what it says.
type powerless struct{ error }

func (p powerless) Unwrap() error        { return p.error }
func (p powerless) Is(target error) bool { return target == ErrPowerless }

// ended says how a run ended, and before that why, in one line.
func ended(how, why error) error { return fmt.Errorf("%w; %w", line{why}, how) }

// line is an error that may join several, whose text is one line.
type line struct{ error }

func (l line) Error() string { return strings.ReplaceAll(l.error.Error(), "\n", "; ") }
func (l line) Unwrap() error { return l.error }

// also joins an error to others, unless they say it already.
func also(err, more error) error {
	if errors.Is(err, more) {
		return err
	}
	return errors.Join(err, more)
}

// Working is what a run is at.
type Working struct {
	// Done of Total steps have ended: of its plan, of what it found to be missing after that, or of the way back.
	Done, Total int
	// At is the step that it is at, or the first of several that are taken together. It has no changes while the kernel
	// is read.
	At plan.Step
	// Undoing says that the run is on the way back.
	Undoing bool
}

// Report is what a run set out to do and what it did.
type Report struct {
	Plan     plan.Plan
	Outcomes []plan.Outcome
}
