package kernel

import (
	"fmt"
	"sync/atomic"
)

// Write is one change that is about to be made to the kernel, or to a file of plumb's own.
type Write struct {
	// NS is the namespace that changes, empty for the host's own.
	NS string
	// What says in a few words what changes: "link eth0: set mtu 1400".
	What string
}

// String names the write with its namespace, as errors and logs show it.
func (w Write) String() string {
	if w.NS == "" {
		return w.What
	}
	return w.NS + ": " + w.What
}

// Seam is the one place that writes leave through. The zero value lets them pass and counts them.
type Seam struct {
	// Around, if set, is called in place of each write, and calls it. It sees the write's error and may change it.
	Around func(w Write, write func() error) error

	count atomic.Int64
}

// Count is the number of writes so far.
func (s *Seam) Count() int64 { return s.count.Load() }

// Do makes a write. Its error is wrapped with what was tried.
func (s *Seam) Do(w Write, write func() error) error {
	if err := s.Pass(w, write); err != nil {
		return fmt.Errorf("%s: %w", w.What, err)
	}
	return nil
}

// Pass is Do with the error as it is.
func (s *Seam) Pass(w Write, write func() error) error {
	s.count.Add(1)
	if s.Around != nil {
		return s.Around(w, write)
	}
	return write()
}
