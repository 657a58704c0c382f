package main

import (
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// outlet hands on what is written to a goroutine: whoever reads it may stop for a time, as a pager does, and nothing is to
// wait for that. What there is no room for is dropped. Of errors only that of a reader who has gone is one: a full disk may
// have room again.
type outlet struct {
	to      io.Writer
	gap     string // says how many writes were dropped, with a %d; empty for nothing
	waiting chan []byte
	gone    atomic.Bool
	done    chan struct{}

	mu      sync.Mutex
	dropped int // since the last that there was room for
	ended   bool
}

// waitingWrites is how many writes may wait.
const waitingWrites = 4096

func newOutlet(to io.Writer, gap string) *outlet {
	o := &outlet{to: to, gap: gap, waiting: make(chan []byte, waitingWrites), done: make(chan struct{})}
	go o.run()
	return o
}

func (o *outlet) run() {
	defer close(o.done)
	for text := range o.waiting {
		if _, err := o.to.Write(text); errors.Is(err, syscall.EPIPE) {
			o.gone.Store(true)
		}
	}
}

// Write implements [io.Writer]. It never waits.
func (o *outlet) Write(text []byte) (int, error) {
	if o.gone.Load() {
		return 0, syscall.EPIPE
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.ended {
		return len(text), nil
	}
	select {
	case o.waiting <- append(o.missing(), text...):
		o.dropped = 0
	default:
		o.dropped++
	}
	return len(text), nil
}

// missing tells what was dropped.
func (o *outlet) missing() []byte {
	if o.dropped == 0 || o.gap == "" {
		return nil
	}
	return fmt.Appendf(nil, o.gap, o.dropped)
}

// end waits a moment for what is still to be written. Nothing is written afterwards.
func (o *outlet) end() {
	o.mu.Lock()
	o.ended = true
	close(o.waiting)
	o.mu.Unlock()
	const patience = time.Second
	select {
	case <-o.done:
	case <-time.After(patience):
	}
}

// unhurried has what is printed not waited for, until end is called.
func (e *env) unhurried() (end func()) {
	stdout, stderr := e.stdout, e.stderr
	gap := "plumb: %d lines are missing here: nobody has read them\n"
	err := newOutlet(stderr, gap)
	if e.json() {
		gap = ""
	}
	out := newOutlet(stdout, gap)
	e.stdout, e.stderr = out, err
	return func() {
		e.stdout, e.stderr = stdout, stderr
		out.end()
		err.end()
	}
}
