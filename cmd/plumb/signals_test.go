package main

import (
	"bytes"
	"os"
	"syscall"
	"testing"
)

func TestWatch(t *testing.T) {
	var b bytes.Buffer
	e := &env{stderr: &b}
	signals := make(chan os.Signal)
	ctx, stop, release := e.watch(t.Context(), signals, "finishing")
	if ctx.Err() != nil {
		t.Fatal("cancelled without a signal")
	}
	signals <- syscall.SIGHUP
	<-ctx.Done()
	select {
	case <-stop:
		t.Fatal("stopped by the first signal")
	default:
	}
	signals <- os.Interrupt
	<-stop
	release()
	const want = "plumb: interrupted: finishing; again to stop at once\nplumb: stopping at once\n"
	if b.String() != want {
		t.Errorf("said %q, want %q", b.String(), want)
	}
}

func TestWatchEndsWithoutSignals(t *testing.T) {
	var b bytes.Buffer
	e := &env{stderr: &b}
	ctx, stop, release := e.watch(t.Context(), make(chan os.Signal), "finishing")
	release()
	if ctx.Err() == nil {
		t.Error("the context outlives the run")
	}
	select {
	case <-stop:
		t.Error("stopped without a signal")
	default:
	}
	if b.Len() > 0 {
		t.Errorf("said %q", &b)
	}
}

// A signal to the process arrives, and one that it was started to ignore would not.
func TestInterrupts(t *testing.T) {
	e := &env{stderr: &bytes.Buffer{}}
	ctx, _, release := e.interrupts(t.Context(), "finishing")
	defer release()
	if err := syscall.Kill(os.Getpid(), syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	<-ctx.Done()
}
