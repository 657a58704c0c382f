package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

// finishStep is what an interrupted run does that has nothing to roll back.
const finishStep = "finishing the step in hand"

// interrupts turns signals into the two ways to end a run: the first cancels the context, the second closes stop.
// Signals that the process was started to ignore, as by nohup, stay ignored. So does SIGPIPE, until release: a reader
// of the output that goes away must not leave a host half changed.
func (e *env) interrupts(parent context.Context, finish string) (ctx context.Context, stop <-chan struct{}, release func()) {
	signals := make(chan os.Signal, 2)
	for _, s := range []os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGHUP} {
		if !signal.Ignored(s) {
			signal.Notify(signals, s)
		}
	}
	pipes := make(chan os.Signal, 1)
	signal.Notify(pipes, syscall.SIGPIPE)
	ctx, stop, end := e.watch(parent, signals, finish)
	return ctx, stop, func() {
		signal.Stop(signals)
		signal.Stop(pipes)
		end()
	}
}

// watch is interrupts on any channel of signals. Finish says what is done before a run ends at the first of them.
func (e *env) watch(parent context.Context, signals <-chan os.Signal, finish string) (context.Context, <-chan struct{}, func()) {
	ctx, cancel := context.WithCancel(parent)
	stop, ended, gone := make(chan struct{}), make(chan struct{}), make(chan struct{})
	next := func() bool {
		select {
		case <-signals:
			return true
		case <-ended:
			return false
		}
	}
	go func() {
		defer close(gone)
		if !next() {
			return
		}
		e.say("interrupted: %s; again to stop at once", finish)
		cancel()
		if !next() {
			return
		}
		e.say("stopping at once")
		close(stop)
	}()
	return ctx, stop, func() {
		close(ended)
		<-gone
		cancel()
	}
}
