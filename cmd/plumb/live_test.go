package main

import (
	"bytes"
	"os"
	"testing"
	"time"

	"github.com/plumbnet/plumb/pkg/plan"
)

// A live line shows how far a long run is, and leaves nothing behind.
func TestLive(t *testing.T) {
	var b bytes.Buffer
	var since time.Duration
	l := &live{w: &b, width: func() int { return 20 }, since: func() time.Duration { return since }}
	l.expect(4)
	step := func(name string) string {
		b.Reset()
		l.clear()
		l.step(plan.Key{Kind: "link", Name: name})
		return b.String()
	}
	if got := step("short"); got != "" {
		t.Errorf("within %v it shows %q", liveAfter, got)
	}
	since = liveAfter
	if got, want := step("a\x1b"), "\r\x1b[K2/4  link a\\x1b"; got != want {
		t.Errorf("it shows %q, want %q", got, want)
	}
	if got, want := step("a-name-that-is-too-long"), "\r\x1b[K\r\x1b[K3/4  link a-name-th"; got != want {
		t.Errorf("it shows %q, want %q", got, want)
	}
	if got, want := step("last"), "\r\x1b[K"; got != want {
		t.Errorf("at the end it shows %q, want %q", got, want)
	}
	if got := step("of a rollback"); got != "" {
		t.Errorf("after the last it shows %q", got)
	}
}

// There is none where nobody looks.
func TestNoLive(t *testing.T) {
	f, err := os.CreateTemp(t.TempDir(), "stderr")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close() //nolint:errcheck // nothing is written
	var none *live
	none.expect(1)
	none.step(plan.Key{})
	none.clear()
	if newLive(f) != nil || newLive(&bytes.Buffer{}) != nil {
		t.Error("a file has a live line")
	}
}
