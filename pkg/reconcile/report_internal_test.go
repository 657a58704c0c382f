package reconcile

import (
	"errors"
	"io/fs"
	"testing"

	"golang.org/x/sys/unix"
)

// However many errors a run ends with, its own is one line, and wraps them all.
func TestEnded(t *testing.T) {
	var err error
	for _, more := range []error{nil, errInterrupted, &fs.PathError{Op: "open", Path: "a", Err: unix.EIO}, errInterrupted} {
		err = also(err, more)
	}
	err = ended(ErrRolledBack, err)
	if got, want := err.Error(), "interrupted; open a: input/output error; rolled back, all is as before"; got != want {
		t.Errorf("the error is %q, want %q", got, want)
	}
	var path *fs.PathError
	if !errors.Is(err, ErrRolledBack) || !errors.Is(err, errInterrupted) || !errors.Is(err, unix.EIO) || !errors.As(err, &path) {
		t.Errorf("%v does not wrap all of its causes", err)
	}
	if also(nil, nil) != nil {
		t.Error("no errors are one")
	}
}
