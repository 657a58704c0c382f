package main

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"golang.org/x/term"

	"github.com/plumbnet/plumb/pkg/plan"
	"github.com/plumbnet/plumb/pkg/reconcile"
)

const (
	// liveAfter is how long a run is too short for a live line.
	liveAfter = time.Second
	// liveEvery is how often it is drawn anew: what changes faster nobody can read.
	liveEvery = 100 * time.Millisecond
)

// live is the last line of a terminal while a long run goes on: how many of its steps are done, and the one that it is
// at. Nil is none: where nobody looks.
type live struct {
	w     io.Writer
	width func() int // of the terminal, in characters

	mu    sync.Mutex
	now   *reconcile.Working // nil for nothing
	shown string

	ended   chan struct{}
	drawing sync.WaitGroup
}

// newLive begins a live line for a run, if all that it prints goes to a terminal.
func newLive(stdout, stderr io.Writer) *live {
	f := terminal(stderr)
	if f == nil || terminal(stdout) == nil {
		return nil
	}
	l := &live{w: f, ended: make(chan struct{}), width: func() int {
		const usual = 80
		if width, _, err := term.GetSize(int(f.Fd())); err == nil && width > 0 {
			return width
		}
		return usual
	}}
	l.drawing.Go(func() { l.keep(time.After(liveAfter), time.Tick(liveEvery)) })
	return l
}

// terminal is the file that a writer writes to a terminal with which can do more than print, nil for none.
func terminal(w io.Writer) *os.File {
	if o, ok := w.(*outlet); ok {
		w = o.to
	}
	if f, ok := w.(*os.File); ok && os.Getenv("TERM") != "dumb" && term.IsTerminal(int(f.Fd())) {
		return f
	}
	return nil
}

// keep draws the line again and again, from the time on that is too long for none.
func (l *live) keep(from, again <-chan time.Time) {
	for {
		select {
		case <-l.ended:
			return
		case <-from:
			from = nil
		case <-again:
		}
		if from == nil {
			l.draw()
		}
	}
}

// work says what the run is at.
func (l *live) work(w reconcile.Working) {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.now = &w
}

// text is what the line says, empty for nothing.
func (l *live) text() string {
	if l.now == nil {
		return ""
	}
	text := "reading the kernel"
	if len(l.now.At.Changes) > 0 {
		text = fmt.Sprintf("%d/%d  %s", l.now.Done, l.now.Total, l.now.At.Key().Label())
	}
	if l.now.Undoing {
		text = "rolling back: " + text
	}
	return plan.Printable(text)
}

func (l *live) draw() {
	l.mu.Lock()
	defer l.mu.Unlock()
	text := []rune(l.text())
	if fits := string(text[:min(len(text), max(l.width()-1, 0))]); fits != l.shown {
		_, _ = io.WriteString(l.w, "\r\x1b[K"+fits) // it is no loss
		l.shown = fits
	}
}

// over calls f, which prints other lines where the live one stands.
func (l *live) over(f func()) {
	if l != nil {
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.shown != "" {
			_, _ = io.WriteString(l.w, "\r\x1b[K") // as draw
			l.shown = ""
		}
	}
	f()
}

// clear takes the line away, until there is work again.
func (l *live) clear() {
	if l != nil {
		l.over(func() { l.now = nil })
	}
}

// end takes it away for good.
func (l *live) end() {
	if l != nil {
		close(l.ended)
		l.drawing.Wait()
		l.clear()
	}
}
