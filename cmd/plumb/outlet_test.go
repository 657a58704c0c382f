package main

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestOutlet holds that a reader who stops is not waited for, that what is missing is told, and that one who has gone is
// an error.
func TestOutlet(t *testing.T) {
	r, w := io.Pipe()
	o := newOutlet(w, "%d are missing\n")
	const writes = waitingWrites + 100
	for i := range writes {
		if _, err := fmt.Fprintf(o, "%d\n", i); err != nil {
			t.Fatal(err)
		}
	}
	ended := make(chan string)
	go func() {
		text, _ := io.ReadAll(r)
		ended <- string(text)
	}()
	for len(o.waiting) > 0 {
		time.Sleep(time.Millisecond)
	}
	_, _ = io.WriteString(o, "last\n")
	o.end()
	_ = w.Close()
	_, _ = io.WriteString(o, "too late\n")
	text := <-ended
	head, tail, ok := strings.Cut(text, " are missing\n")
	if !ok || tail != "last\n" || !strings.HasPrefix(head, "0\n1\n") || strings.Count(head, "\n") < waitingWrites {
		t.Errorf("%.100s ... %s", head, tail)
	}

	r, w = io.Pipe()
	_ = r.CloseWithError(syscall.EPIPE)
	o = newOutlet(w, "")
	var err error
	for err == nil {
		_, err = io.WriteString(o, "x")
	}
	if o.end(); !errors.Is(err, syscall.EPIPE) {
		t.Errorf("the error is %v", err)
	}
	o = newOutlet(full{}, "")
	for range 10 {
		if _, err := io.WriteString(o, "x"); err != nil {
			t.Errorf("a full disk: %v", err)
		}
	}
	o.end()
}

// full is a disk without room.
type full struct{}

func (full) Write([]byte) (int, error) { return 0, syscall.ENOSPC }
