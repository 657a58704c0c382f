package link

import (
	"errors"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/plumbnet/plumb/pkg/kernel"
)

// What the kernel refuses to tell is no number, not even that for none.
func TestNSIDRefused(t *testing.T) {
	refused := kernel.Reply{Err: unix.EPERM}
	if _, err := kernel.NSID(refused); !errors.Is(err, unix.EPERM) {
		t.Errorf("the error is %v, want EPERM", err)
	}
	n := numbers{of: make(map[kernel.ID]int)}
	if err := n.note(kernel.ID{Ino: 1}, refused); !errors.Is(err, unix.EPERM) || len(n.of) > 0 {
		t.Errorf("the error is %v, want EPERM; known are %v", err, n.of)
	}
}
