package reconcile

import (
	"errors"
	"io/fs"
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/plumbnet/plumb/pkg/plan"
)

// However many errors a run ends with, its own is one line, and wraps them all.
func TestEnded(t *testing.T) {
	var err error
	for _, more := range []error{
		nil, errInterrupted, &fs.PathError{Op: "open", Path: "a", Err: unix.EIO}, errInterrupted,
	} {
		err = also(err, more)
	}
	err = ended(ErrRolledBack, err)
	if got, want := err.Error(), "interrupted; open a: input/output error; rolled back, all is as before"; got != want {
		t.Errorf("the error is %q, want %q", got, want)
	}
	var path *fs.PathError
	if !errors.Is(err, ErrRolledBack) || !errors.Is(err, errInterrupted) || !errors.Is(err, unix.EIO) ||
		!errors.As(err, &path) {
		t.Errorf("%v does not wrap all of its causes", err)
	}
	if also(nil, nil) != nil {
		t.Error("no errors are one")
	}
}

// So is that of a step that fails, when it ends or after all.
func TestFailedStep(t *testing.T) {
	b := cables("a", "b", "c")
	var told []string
	r := &run{Host: &Host{Options: Options{Progress: func(o plan.Outcome) {
		if o.Err != nil {
			told = append(told, o.Err.Error())
		}
	}}}}
	l := r.newLedger(b, false)
	l.note(0, errors.Join(unix.EIO, unix.ENODEV))
	l.note(1, nil)
	l.fail(b[1].Key(), errors.Join(unix.ENODEV, unix.EIO))
	want := []string{"input/output error; no such device", "no such device; input/output error"}
	if !slices.Equal(told, want) {
		t.Errorf("the steps failed with %q, want %q", told, want)
	}
}
