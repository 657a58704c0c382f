package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/plumbnet/plumb/pkg/reconcile"
)

func (e *env) confirm() *cobra.Command {
	return &cobra.Command{
		Use:               "confirm NAME",
		ValidArgsFunction: e.completeTopologies,
		Short:             "Keep the changes of a waiting apply --confirm-within",
		Long: `confirm keeps the changes of 'apply --confirm-within', which is waiting for it. Without it, that
apply rolls back. Exit code 1: nothing is waiting for NAME.`,
		Example: "  plumb confirm docker0",
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := checkName(args, "NAME", ""); err != nil {
				return usage(cmd, err)
			}
			h, err := e.open(reconcile.Options{Warn: e.warn})
			if err != nil {
				return hostError(err)
			}
			defer e.closeHost(h)
			err = h.Confirm(args[0])
			switch {
			case errors.Is(err, reconcile.ErrNothingToConfirm):
				return &exitError{exitDiffers, err}
			case err != nil:
				return hostError(err)
			case e.silent():
				return nil
			}
			return e.print(args[0] + ": confirmed\n")
		},
	}
}

// sessionFlag names the descriptor by which an apply that outlives its session notices the session's end. It is
// plumb's own, given by [env.applyDetached].
const sessionFlag = "confirm-session"

// applyDetached runs the same command in a session of its own: neither the end of the terminal nor of the shell stops
// it before it has rolled back. It is interrupted with this process, and by its end.
func (e *env) applyDetached(ctx context.Context) error {
	alive, hold, err := os.Pipe()
	if err != nil {
		return &exitError{exitNotRun, fmt.Errorf("detach from the session: %w", err)}
	}
	defer hold.Close() //nolint:errcheck // its closing is all that it is for
	const fd = 3       // the first of ExtraFiles
	cmd := exec.CommandContext(context.WithoutCancel(ctx), "/proc/self/exe",
		append(os.Args[1:], "--"+sessionFlag, strconv.Itoa(fd))...)
	cmd.Args[0] = os.Args[0]
	cmd.Stdin, cmd.Stdout, cmd.Stderr = e.stdin, e.stdout, e.stderr
	cmd.ExtraFiles = []*os.File{alive}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	ends := hearEndings()
	defer ends.release()
	ends.heard.Wait()
	if err := cmd.Start(); err != nil {
		return &exitError{exitNotRun, fmt.Errorf("detach from the session: %w", err)}
	}
	_ = alive.Close() // the child has its own
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	for {
		select {
		case <-ends.signals:
			_ = hold.Close() // all signals say the same: roll back
		case err := <-ended:
			return detachedEnd(err)
		}
	}
}

// detachedEnd is the end of an apply in a process of its own. Of one that did not end by itself it is not known how far
// it came.
func detachedEnd(err error) error {
	var exit *exec.ExitError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &exit) && exit.Exited():
		return &exitError{code: exit.ExitCode()} // it has said why
	}
	return &exitError{exitPartial, fmt.Errorf("apply: its process was ended (%w), and what it did may stay: "+
		"a new plumb apply, or plumb destroy, puts that right", err)}
}

// watchSession gives a context that is cancelled when the session's end of the pipe is closed.
func watchSession(parent context.Context, fd int) (context.Context, func()) {
	ctx, cancel := context.WithCancel(parent)
	alive := os.NewFile(uintptr(fd), "session")
	go func() {
		_, _ = io.Copy(io.Discard, alive) // nothing is ever written: it ends with the session
		cancel()
	}()
	return ctx, func() {
		cancel()
		_ = alive.Close()
	}
}
