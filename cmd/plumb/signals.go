package main

import (
	"context"
	"os"
	"os/signal"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// interruption is what an interrupted run still does, and whether it can be kept from that.
type interruption struct {
	finish string
	// firm says that the run does not stop at once, whoever asks.
	firm bool
	// begun says that the run may have changed something, so that there is something to finish.
	begun *atomic.Bool
}

// finishStep is what an interrupted run does that has nothing to roll back.
const finishStep = "finishing the step in hand"

// sameEvent is how long one event may take to bring all its signals: a Ctrl-C reaches every process of a terminal, and
// some of those pass it on. Nobody presses twice as fast.
const sameEvent = 100 * time.Millisecond

// endings are the signals that ask a run to end, from when they are heard until they are released. Those that the
// process was started to ignore, as by nohup, stay ignored.
type endings struct {
	signals chan os.Signal
	heard   sync.WaitGroup
}

// hearEndings begins to hear them, beside what the process does next: the runtime takes as long to arrange that as a
// small file to be parsed. Until it has they end the process, so that whoever changes something waits for it.
func hearEndings() *endings {
	e := &endings{signals: make(chan os.Signal, 8)}
	e.heard.Go(func() {
		for _, s := range []os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGHUP} {
			if !signal.Ignored(s) {
				signal.Notify(e.signals, s)
			}
		}
	})
	return e
}

// release lets them end the process again. It does not wait for that, because mostly the process ends first.
func (e *endings) release() {
	go func() {
		e.heard.Wait()
		signal.Stop(e.signals)
	}()
}

// watch turns signals into the two ways to end a run: the first cancels the context, and a Ctrl-C after that closes
// stop. What that means is for what the run is at.
func (e *env) watch(
	parent context.Context, signals <-chan os.Signal, at *atomic.Pointer[interruption],
) (ctx context.Context, stop <-chan struct{}, end func()) {
	ctx, cancel := context.WithCancel(parent)
	stopped, ended, gone := make(chan struct{}), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(gone)
		if !awaitSignal(signals, ended) {
			return
		}
		i := at.Load()
		switch {
		case !i.begun.Load(): // the error will say what it waited for
		case i.firm:
			e.say("interrupted: %s", i.finish)
		default:
			e.say("interrupted: %s; Ctrl-C again to stop at once", i.finish)
		}
		cancel()
		if !i.firm && awaitCtrlC(signals, ended) {
			e.say("stopping at once")
			close(stopped)
		}
	}()
	return ctx, stopped, func() {
		close(ended)
		<-gone
		cancel()
	}
}

func awaitSignal(signals <-chan os.Signal, ended <-chan struct{}) bool {
	select {
	case <-signals:
		return true
	case <-ended:
		return false
	}
}

// awaitCtrlC waits, after a first signal, for one that a person has sent to stop at once. Only Ctrl-C is that: a
// session that ends sends SIGHUP from the terminal and from the shell, and a service manager its SIGTERM and SIGHUP
// together.
func awaitCtrlC(signals <-chan os.Signal, ended <-chan struct{}) bool {
	first := time.Now()
	for {
		select {
		case s := <-signals:
			if s == os.Interrupt && time.Since(first) > sameEvent {
				return true
			}
		case <-ended:
			return false
		}
	}
}
