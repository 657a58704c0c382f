package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/plumbnet/plumb/pkg/plan"
	"github.com/plumbnet/plumb/pkg/reconcile"
)

// The exit codes.
const (
	exitOK         = 0
	exitDiffers    = 1
	exitUsage      = 2
	exitNotRun     = 3
	exitRefused    = 4
	exitPartial    = 5
	exitRolledBack = 6
	exitRollback   = 7
)

// The exit codes of a command that becomes another program, and so ends with that one's, as those of env(1).
const (
	exitOwn           = 125 // of plumb itself
	exitNotExecutable = 126
	exitNotFound      = 127
)

// exitError is how a command ends other than well. Err is nil when the output has said it all.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit code %d", e.code)
	}
	return e.err.Error()
}

func (e *exitError) Unwrap() error { return e.err }

// usageError is a mistake in the command line. It sends its reader to the help of the command.
type usageError struct {
	about string
	err   error
}

func (e *usageError) Error() string { return e.err.Error() }
func (e *usageError) Unwrap() error { return e.err }

func usage(cmd *cobra.Command, err error) error {
	_, sub, _ := strings.Cut(cmd.CommandPath(), " ")
	return &usageError{about: strings.TrimSpace("plumb help " + sub), err: err}
}

// hostError gives an error of the host its exit code. What this package does not know happened before the first write.
func hostError(err error) error { return endOf(err, exitNotRun) }

// runError is hostError for a run that has begun: what this package does not know happened after who knows what.
func runError(err error) error { return endOf(err, exitPartial) }

func endOf(err error, unknown int) error {
	if err == nil {
		return nil
	}
	for _, end := range []exitError{
		{exitRollback, reconcile.ErrRollback},
		{exitRolledBack, reconcile.ErrRolledBack},
		{exitPartial, reconcile.ErrPartial},
		{exitRefused, reconcile.ErrRefused},
		{exitNotRun, reconcile.ErrNotRun},
	} {
		if errors.Is(err, end.err) {
			return &exitError{end.code, err}
		}
	}
	return &exitError{unknown, err}
}

// atLeast gives an end of a command the code, unless it has a higher one.
func atLeast(code int, err error) error {
	var ended *exitError
	switch {
	case errors.As(err, &ended):
		ended.code = max(ended.code, code)
	case code != exitOK:
		return &exitError{code: code}
	}
	return err
}

// exit reports how a command ended, and gives its exit code.
func (e *env) exit(cmd *cobra.Command, err error) int {
	code := e.report(cmd.Root(), err)
	if becomes(cmd) && code != exitOK && code != exitNotExecutable && code != exitNotFound {
		return exitOwn
	}
	return code
}

// report says how a command ended. Errors that no command classified are cobra's, about the command line.
func (e *env) report(root *cobra.Command, err error) int {
	var (
		ended  *exitError
		misuse *usageError
	)
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &ended):
		if ended.err != nil {
			e.say("%v", ended.err)
		}
		if len(e.unstarted) > 0 {
			e.say("not started: %s", plan.Listing(e.unstarted))
		}
		return ended.code
	case errors.As(err, &misuse):
		e.say("%v", misuse)
		e.hint(misuse.about)
	default:
		e.say("%v", suggest(err, root))
		e.hint("plumb help")
	}
	return exitUsage
}
