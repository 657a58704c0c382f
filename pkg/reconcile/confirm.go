package reconcile

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"github.com/plumbnet/plumb/pkg/kernel"
)

// ErrNothingToConfirm is the error of [Host.Confirm] when no apply of that topology waits, or waits any longer.
var ErrNothingToConfirm = errors.New("nothing to confirm")

// errUnconfirmed is why an apply is rolled back that nobody confirmed.
var errUnconfirmed = errors.New("not confirmed")

// What an apply that waits answers.
const (
	confirmed = "confirmed\n"
	tooLate   = "rolling back\n"
)

func (h *Host) confirmPath(name string) string { return filepath.Join(h.dir, name+".confirm") }

// awaitConfirm waits until somebody confirms what was applied. Any error is errUnconfirmed, and means that it must be
// rolled back. The lock is held meanwhile: what another run changed could not be rolled back.
func (r *run) awaitConfirm() error {
	l, err := r.listen(r.confirmPath(r.topology))
	if err != nil {
		return fmt.Errorf("%w: %w", errUnconfirmed, err)
	}
	defer l.Close() //nolint:errcheck // removes the socket, which the next wait would too
	asked, verdict := make(chan net.Conn), make(chan string, 1)
	go accept(l, asked, verdict)
	timeout := time.NewTimer(r.ConfirmWithin)
	defer timeout.Stop()
	r.Waiting(r.ConfirmWithin)
	select { // this alone decides; whoever asks is answered after it
	case c := <-asked:
		answer(c, confirmed)
		verdict <- confirmed
		return nil
	case <-timeout.C:
		err = fmt.Errorf("%w within %v", errUnconfirmed, r.ConfirmWithin)
	case <-r.ctx.Done():
		err = fmt.Errorf("%w: %w", errUnconfirmed, errInterrupted)
	}
	verdict <- tooLate
	return err
}

// listen makes the socket on which a confirmation comes, in the place of one that a killed run left.
func (r *run) listen(path string) (l *net.UnixListener, err error) {
	if _, err := os.Lstat(path); err == nil {
		err = r.Seam.Do(kernel.Write{What: "remove " + path}, func() error { return os.Remove(path) })
		if err != nil {
			return nil, err
		}
	}
	err = r.Seam.Do(kernel.Write{What: "create " + path}, func() (err error) {
		l, err = net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
		return err
	})
	return l, err
}

// accept passes on who asks, until there is a verdict, which it tells one who comes at that moment. Later ones find no
// one.
func accept(l *net.UnixListener, asked chan<- net.Conn, verdict <-chan string) {
	for {
		c, err := l.Accept()
		if err != nil {
			return // closed; or nobody can confirm, and the time will be over
		}
		select {
		case asked <- c:
		case text := <-verdict:
			answer(c, text)
			return
		}
	}
}

// answer tells one who asked what was decided. That stands, also when they are gone.
func answer(c net.Conn, text string) {
	_, _ = c.Write([]byte(text))
	_ = c.Close()
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
	defer c.Close()                                 //nolint:errcheck // only read
	switch text, _ := io.ReadAll(c); string(text) { // the error is that of an apply that has ended meanwhile
	case confirmed:
		return nil
	case tooLate:
		return fmt.Errorf("%s: %w: it is being rolled back", name, ErrNothingToConfirm)
	}
	return fmt.Errorf("%s: %w: its apply no longer waits", name, ErrNothingToConfirm)
}
