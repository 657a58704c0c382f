package main

import (
	"bytes"
	"os"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// The first signal interrupts, whichever it is; after it nothing but a Ctrl-C of its own stops at once.
func TestWatch(t *testing.T) {
	const later = time.Second
	type event struct {
		after  time.Duration
		signal os.Signal
	}
	tests := []struct {
		name   string
		events []event
		firm   bool
		stops  bool
	}{
		{"Ctrl-C twice", []event{{0, os.Interrupt}, {later, os.Interrupt}}, false, true},
		{"Ctrl-C after the session's end", []event{{0, syscall.SIGHUP}, {later, os.Interrupt}}, false, true},
		{"Ctrl-C once, and passed on", []event{{0, os.Interrupt}, {20 * time.Millisecond, os.Interrupt}}, false, false},
		{"passed on, then a second time",
			[]event{{0, os.Interrupt}, {20 * time.Millisecond, os.Interrupt}, {later, os.Interrupt}}, false, true},
		{"the terminal's end, and the shell's",
			[]event{{0, syscall.SIGHUP}, {later, syscall.SIGHUP}, {later, syscall.SIGHUP}}, false, false},
		{"a service's stop", []event{{0, syscall.SIGTERM}, {later, syscall.SIGHUP}, {later, syscall.SIGTERM}}, false, false},
		{"a cancelled job", []event{{0, os.Interrupt}, {later, syscall.SIGTERM}}, false, false},
		{"a firm run", []event{{0, os.Interrupt}, {later, os.Interrupt}, {later, os.Interrupt}}, true, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var b bytes.Buffer
				e := &env{stderr: &b}
				signals := make(chan os.Signal, 8)
				ctx, stop, release := e.watch(t.Context(), signals, interrupted("finishing", test.firm, true))
				if ctx.Err() != nil {
					t.Fatal("cancelled without a signal")
				}
				for _, event := range test.events {
					time.Sleep(event.after)
					signals <- event.signal
					synctest.Wait()
					if ctx.Err() == nil {
						t.Error("not cancelled by the first signal")
					}
				}
				stopped := false
				select {
				case <-stop:
					stopped = true
				default:
				}
				if release(); stopped != test.stops {
					t.Errorf("stopped at once: %v, want %v; it said %q", stopped, test.stops, &b)
				}
			})
		})
	}
}

func TestWatchSays(t *testing.T) {
	for firm, want := range map[bool]string{
		false: "plumb: interrupted: finishing; Ctrl-C again to stop at once\nplumb: stopping at once\n",
		true:  "plumb: interrupted: finishing\n",
	} {
		synctest.Test(t, func(t *testing.T) {
			var b bytes.Buffer
			e := &env{stderr: &b}
			signals := make(chan os.Signal, 8)
			_, _, release := e.watch(t.Context(), signals, interrupted("finishing", firm, true))
			for range 2 {
				signals <- os.Interrupt
				time.Sleep(time.Second)
			}
			if release(); b.String() != want {
				t.Errorf("said %q, want %q", &b, want)
			}
		})
	}
}

// interrupted is what a run is at.
func interrupted(finish string, firm, begun bool) *atomic.Pointer[interruption] {
	at := new(atomic.Pointer[interruption])
	at.Store(&interruption{finish, firm, new(atomic.Bool)})
	at.Load().begun.Store(begun)
	return at
}

// Before a run has begun there is nothing to finish, nor to roll back.
func TestInterruptedBeforeItBegan(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b bytes.Buffer
		e := &env{stderr: &b}
		signals := make(chan os.Signal, 8)
		ctx, _, release := e.watch(t.Context(), signals, interrupted("rolling back", false, false))
		signals <- os.Interrupt
		<-ctx.Done()
		if release(); b.String() != "" {
			t.Errorf("said %q", &b)
		}
	})
}

func TestWatchEndsWithoutSignals(t *testing.T) {
	var b bytes.Buffer
	e := &env{stderr: &b}
	ctx, stop, release := e.watch(t.Context(), make(chan os.Signal), interrupted("", false, false))
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

// A signal to the process arrives, and ends a run.
func TestEndings(t *testing.T) {
	e, ends := &env{stderr: &bytes.Buffer{}}, hearEndings()
	defer ends.release()
	ctx, _, end := e.watch(t.Context(), ends.signals, interrupted("", false, false))
	defer end()
	ends.heard.Wait()
	if err := syscall.Kill(os.Getpid(), syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	<-ctx.Done()
}
