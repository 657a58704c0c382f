package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/plumbnet/plumb/pkg/kinds"
	"github.com/plumbnet/plumb/pkg/plan"
	"github.com/plumbnet/plumb/pkg/reconcile"
)

func at(done int, name string, undoing bool) reconcile.Working {
	s := plan.Step{Action: plan.Create, Changes: []plan.Change{{New: kinds.Namespace{Name: name}}}}
	return reconcile.Working{Done: done, Total: 4, At: s, Undoing: undoing}
}

// A live line shows how far a long run is, and leaves nothing behind.
func TestLive(t *testing.T) {
	var b bytes.Buffer
	l := &live{w: &b, width: func() int { return 20 }}
	for _, c := range []struct {
		what string
		do   func()
		want string
	}{
		{"before there is work", l.draw, ""},
		{"at a step", func() { l.work(at(1, "a\x1b", false)); l.draw() }, "\r\x1b[K1/4  namespace a\\x1"},
		{"at the same step", l.draw, ""},
		{"when another line is printed", func() { l.over(func() { b.WriteString("line\n") }) }, "\r\x1b[Kline\n"},
		{"when one more is printed", func() { l.over(func() { b.WriteString("line\n") }) }, "line\n"},
		{"after that", l.draw, "\r\x1b[K1/4  namespace a\\x1"},
		{"on the way back", func() { l.work(at(2, "b", true)); l.draw() }, "\r\x1b[Krolling back: 2/4  "},
		{"at no step", func() { l.work(reconcile.Working{}); l.draw() }, "\r\x1b[Kreading the kernel"},
		{"at the end", l.clear, "\r\x1b[K"},
		{"after the end", l.draw, ""},
	} {
		b.Reset()
		if c.do(); b.String() != c.want {
			t.Errorf("%s it prints %q, want %q", c.what, b.String(), c.want)
		}
	}
}

// A run that is over before the line is due has none; one that is not has it, and none after its end.
func TestLiveAfter(t *testing.T) {
	var b bytes.Buffer
	l := &live{w: &b, width: func() int { return 80 }, ended: make(chan struct{})}
	from, again := make(chan time.Time), make(chan time.Time)
	l.drawing.Go(func() { l.keep(from, again) })
	l.work(at(1, "a", false))
	again <- time.Time{}
	again <- time.Time{} // the first has been seen
	l.over(func() {
		if b.Len() > 0 {
			t.Errorf("at once it shows %q", b.String())
		}
	})
	from <- time.Time{}
	again <- time.Time{}
	l.end()
	if got, want := b.String(), "\r\x1b[K1/4  namespace a\r\x1b[K"; got != want {
		t.Errorf("it shows %q, want %q", got, want)
	}
}

// There is one where all goes to a terminal alone: what passes through a pipe would be printed into it.
func TestLiveTerminal(t *testing.T) {
	t.Setenv("TERM", "xterm")
	terminal := openTerminal(t)
	l := newLive(terminal, terminal)
	if l == nil {
		t.Fatal("on a terminal there is no live line")
	}
	l.end()
	reader, pipe, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close() //nolint:errcheck // nothing is written
	defer pipe.Close()   //nolint:errcheck // as above
	if newLive(pipe, terminal) != nil || newLive(terminal, pipe) != nil {
		t.Error("beside a pipe there is a live line")
	}
	t.Setenv("TERM", "dumb")
	if newLive(terminal, terminal) != nil {
		t.Error("on a dumb terminal there is a live line")
	}
}

// openTerminal opens a terminal that nobody sits at: pty(7).
func openTerminal(t *testing.T) *os.File {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("no terminal can be had: %v", err)
	}
	number, err := unix.IoctlGetUint32(int(master.Fd()), unix.TIOCGPTN)
	if err = errors.Join(err, unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0)); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("no terminal can be had: %v", err)
	}
	t.Cleanup(func() { _ = errors.Join(f.Close(), master.Close()) }) // nothing is written
	return f
}

// There is none where nobody looks.
func TestNoLive(t *testing.T) {
	f, err := os.CreateTemp(t.TempDir(), "stderr")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close() //nolint:errcheck // nothing is written
	var none *live
	none.work(reconcile.Working{})
	none.clear()
	printed := false
	none.over(func() { printed = true })
	none.end()
	if !printed {
		t.Error("without a live line nothing is printed")
	}
	if newLive(f, f) != nil || newLive(&bytes.Buffer{}, &bytes.Buffer{}) != nil {
		t.Error("a file has a live line")
	}
}
