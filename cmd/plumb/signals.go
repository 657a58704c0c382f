package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// interruption is what an interrupted run still does, and whether it can be kept from that.
type interruption struct {
	finish string
	// firm says that the run does not stop at once, whoever asks.
	firm bool
}

// finishStep is what an interrupted run does that has nothing to roll back.
const finishStep = "finishing the step in hand"

// sameEvent is how long one event may take to bring all its signals: a Ctrl-C reaches every process of a terminal, and
// some of those pass it on. Nobody presses twice as fast.
const sameEvent = 100 * time.Millisecond

// interrupts turns signals into the two ways to end a run: the first cancels the context, and a Ctrl-C after that closes
// stop. SIGPIPE is ignored until release: a reader of the output that goes away must not leave a host half changed.
func (e *env) interrupts(parent context.Context, i interruption) (ctx context.Context, stop <-chan struct{}, release func()) {
	signals, unnotify := endSignals()
	pipes := make(chan os.Signal, 1)
	signal.Notify(pipes, syscall.SIGPIPE)
	ctx, stop, end := e.watch(parent, signals, i)
	return ctx, stop, func() {
		unnotify()
		signal.Stop(pipes)
		end()
	}
}

// endSignals are the signals that ask a run to end. Those that the process was started to ignore, as by nohup, stay
// ignored.
func endSignals() (signals chan os.Signal, stop func()) {
	signals = make(chan os.Signal, 8)
	for _, s := range []os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGHUP} {
		if !signal.Ignored(s) {
			signal.Notify(signals, s)
		}
	}
	return signals, func() { signal.Stop(signals) }
}

// watch is interrupts on any channel of signals.
func (e *env) watch(parent context.Context, signals <-chan os.Signal, i interruption) (context.Context, <-chan struct{}, func()) {
	ctx, cancel := context.WithCancel(parent)
	stop, ended, gone := make(chan struct{}), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(gone)
		if !awaitSignal(signals, ended) {
			return
		}
		if i.firm {
			e.say("interrupted: %s", i.finish)
		} else {
			e.say("interrupted: %s; Ctrl-C again to stop at once", i.finish)
		}
		cancel()
		if !i.firm && awaitCtrlC(signals, ended) {
			e.say("stopping at once")
			close(stop)
		}
	}()
	return ctx, stop, func() {
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

// awaitCtrlC waits, after a first signal, for one that a person has sent to stop at once. Only Ctrl-C is that: a session
// that ends sends SIGHUP from the terminal and from the shell, and a service manager its SIGTERM and SIGHUP together.
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
