package reconcile

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/plumbnet/plumb/pkg/kernel"
	"github.com/plumbnet/plumb/pkg/object"
)

// RunDir is where the host record and the lock are, in a directory per host.
const RunDir = "/run/plumb"

// lockFile is the name of the lock's file, which is never removed.
const lockFile = "lock"

const lockFlags = os.O_RDWR | unix.O_NOFOLLOW

// takeLock waits for the lock of the host, which the one run has that may change it. Closing its file releases it.
func (h *Host) takeLock(ctx context.Context) (*os.File, error) {
	if err := privateDir(RunDir, h.Seam); err != nil {
		return nil, err
	}
	if err := privateDir(h.dir, h.Seam); err != nil {
		return nil, err
	}
	f, err := openLock(filepath.Join(h.dir, lockFile), h.Seam)
	if err != nil {
		return nil, fmt.Errorf("lock: %w", err)
	}
	if err := h.waitLock(ctx, f); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	sign(f)
	return f, nil
}

// openLock opens the file of the lock, and makes it when there is none.
func openLock(path string, seam *kernel.Seam) (f *os.File, err error) {
	if f, err = os.OpenFile(path, lockFlags, 0); !errors.Is(err, os.ErrNotExist) {
		return f, err
	}
	err = seam.Do(kernel.Write{What: "create " + path}, func() (err error) {
		f, err = os.OpenFile(path, lockFlags|os.O_CREATE, 0o600)
		return err
	})
	return f, err
}

// sign writes into the lock's file who holds it, for those who wait. It is held without that too: a destroy must run
// on a file system that is full.
func sign(f *os.File) {
	who := fmt.Sprintf("process %d (%s)\n", os.Getpid(), strings.Join(os.Args, " "))
	if f.Truncate(0) == nil {
		_, _ = f.WriteAt([]byte(who), 0)
	}
}

// lockPoll is how often a lock that is taken is tried again.
const lockPoll = 20 * time.Millisecond

func (h *Host) waitLock(ctx context.Context, f *os.File) error {
	deadline, told := time.Now().Add(h.LockTimeout), false
	for {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		switch {
		case err == nil:
			return nil
		case !errors.Is(err, unix.EWOULDBLOCK):
			return fmt.Errorf("lock %s: %w", f.Name(), err)
		case ctx.Err() != nil:
			return fmt.Errorf("%w while waiting for the lock, which is held by %s", errInterrupted, holder(f))
		case time.Now().After(deadline):
			return fmt.Errorf("lock: held by %s for longer than %s (see --lock-timeout)", holder(f), h.LockTimeout)
		}
		if !told && h.LockTimeout > 0 {
			h.Queued(holder(f), h.LockTimeout)
			told = true
		}
		time.Sleep(lockPoll)
	}
}

// holder reads who wrote itself into the lock file.
func holder(f *os.File) string {
	b := make([]byte, 300)
	n, _ := f.ReadAt(b, 0) // short at the end of the file
	if who := strings.TrimSpace(string(b[:n])); who != "" {
		return who
	}
	return "another process"
}

// privateDir makes a directory for root alone; one that others can write to, or that is a link, is not used.
func privateDir(path string, seam *kernel.Seam) error {
	if _, err := os.Lstat(path); errors.Is(err, os.ErrNotExist) {
		err := seam.Do(kernel.Write{What: "create " + path}, func() error { return os.Mkdir(path, 0o700) })
		if err != nil && !errors.Is(err, os.ErrExist) {
			return err
		}
	}
	return object.IsPrivate(path)
}
