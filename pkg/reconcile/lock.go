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

// runDir is where the host record and the lock are, in a directory per host.
const runDir = "/run/plumb"

// lockFile is the name of the lock's file, which is never removed.
const lockFile = "lock"

const lockFlags = os.O_RDWR | unix.O_NOFOLLOW

// takeLock waits for the lock in dir, which the one run has that may change the host. Closing its file releases it.
func takeLock(ctx context.Context, dir string, timeout time.Duration, seam *kernel.Seam) (*os.File, error) {
	if err := privateDir(runDir, seam); err != nil {
		return nil, err
	}
	if err := privateDir(dir, seam); err != nil {
		return nil, err
	}
	f, err := openLock(filepath.Join(dir, lockFile), seam)
	if err != nil {
		return nil, fmt.Errorf("lock: %w", err)
	}
	if err := waitLock(ctx, f, timeout); err != nil {
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

func waitLock(ctx context.Context, f *os.File, timeout time.Duration) error {
	deadline := time.Now().Add(timeout)
	for {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		switch {
		case err == nil:
			return nil
		case !errors.Is(err, unix.EWOULDBLOCK):
			return fmt.Errorf("lock %s: %w", f.Name(), err)
		case ctx.Err() != nil:
			return fmt.Errorf("lock: %w", context.Cause(ctx))
		case time.Now().After(deadline):
			return fmt.Errorf("lock: held by %s for longer than %s (see --lock-timeout)", holder(f), timeout)
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
