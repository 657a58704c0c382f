package reconcile

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"github.com/plumbnet/plumb/pkg/kernel"
)

// ErrNothingToConfirm is the error of [Host.Confirm] when no apply of that topology waits.
var ErrNothingToConfirm = errors.New("nothing to confirm")

// errUnconfirmed is why an apply is rolled back that nobody confirmed.
var errUnconfirmed = errors.New("not confirmed in time")

// confirmed is what a waiting apply answers.
const confirmed = "confirmed\n"

func (h *Host) confirmPath(name string) string { return filepath.Join(h.dir, name+".confirm") }

// awaitConfirm waits until somebody confirms what was applied. Any error means that it must be rolled back. The lock is
// held meanwhile: what another run changed could not be rolled back.
func (r *run) awaitConfirm() error {
	path := r.confirmPath(r.topology)
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("wait for a confirmation: %w", err) // of a run that was killed
	}
	var l *net.UnixListener
	err := r.Seam.Do(kernel.Write{What: "create " + path}, func() (err error) {
		l, err = net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
		return err
	})
	if err != nil {
		return err
	}
	defer l.Close() //nolint:errcheck // removes the socket, which the next wait would too
	answered := make(chan error, 1)
	go func() { answered <- answer(l) }()
	timeout := time.NewTimer(r.ConfirmWithin)
	defer timeout.Stop()
	r.Waiting(r.ConfirmWithin)
	select {
	case err := <-answered:
		return err
	case <-timeout.C:
		return errUnconfirmed
	case <-r.ctx.Done():
		return errInterrupted
	case <-r.Stop:
		return errStopped
	}
}

func answer(l *net.UnixListener) error {
	c, err := l.Accept()
	if err != nil {
		return fmt.Errorf("wait for a confirmation: %w", err)
	}
	// The one who confirmed may be gone; that it was confirmed stands.
	_, _ = c.Write([]byte(confirmed))
	_ = c.Close()
	return nil
}

// Confirm keeps what an apply that waits for it has done.
func (h *Host) Confirm(name string) error {
	c, err := net.Dial("unix", h.confirmPath(name))
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ECONNREFUSED) {
		return fmt.Errorf("%s: %w", name, ErrNothingToConfirm)
	}
	if err != nil {
		return fmt.Errorf("confirm %s: %w", name, err)
	}
	defer c.Close() //nolint:errcheck // only read
	text := make([]byte, len(confirmed))
	if _, err := c.Read(text); err != nil || string(text) != confirmed {
		return fmt.Errorf("confirm %s: it was being rolled back already", name)
	}
	return nil
}
