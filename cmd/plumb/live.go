package main

import (
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/term"

	"github.com/plumbnet/plumb/pkg/plan"
)

// liveAfter is how long a run is too short for a live line.
const liveAfter = time.Second

// live is the last line of a terminal while a long run goes on: how many of its steps are done, and the one that was
// done last. Nil is none: where stderr is no terminal.
type live struct {
	w           io.Writer
	width       func() int // of the terminal, in characters
	since       func() time.Duration
	done, total int
	shown       bool
}

// newLive begins a live line for a run, if there is a terminal to show it on.
func newLive(stderr io.Writer) *live {
	f, ok := stderr.(*os.File)
	if !ok || os.Getenv("TERM") == "dumb" || !term.IsTerminal(int(f.Fd())) {
		return nil
	}
	start := time.Now()
	return &live{w: f, since: func() time.Duration { return time.Since(start) }, width: func() int {
		const usual = 80
		if width, _, err := term.GetSize(int(f.Fd())); err == nil && width > 0 {
			return width
		}
		return usual
	}}
}

// expect says how many steps there will be.
func (l *live) expect(steps int) {
	if l != nil {
		l.done, l.total = 0, steps
	}
}

// step shows that a step has ended. What was planned alone is counted: a rollback has steps of its own.
func (l *live) step(k plan.Key) {
	if l == nil || l.done >= l.total {
		return
	}
	l.done++
	if l.done == l.total || l.since() < liveAfter {
		return
	}
	text := []rune(plan.Printable(fmt.Sprintf("%d/%d  %s", l.done, l.total, k.Label())))
	_, _ = fmt.Fprintf(l.w, "\r\x1b[K%s", string(text[:min(len(text), max(l.width()-1, 0))])) // it is no loss
	l.shown = true
}

// clear takes the line away, so that another can be printed in its place.
func (l *live) clear() {
	if l != nil && l.shown {
		_, _ = io.WriteString(l.w, "\r\x1b[K") // as step
		l.shown = false
	}
}
