package host

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"

	"golang.org/x/sys/unix"
)

// Inside runs f on a thread in a namespace, "" for the host. Sockets that f opens and processes that it starts stay
// there; goroutines don't.
func Inside(ns string, f func() error) error {
	n, err := Open(ns)
	if err != nil {
		return err
	}
	defer n.Close() //nolint:errcheck // only read
	return InsideOpen(n, f)
}

// Open opens a namespace by its name, "" for the host.
func Open(ns string) (*os.File, error) {
	if ns == "" {
		return os.Open(NetNS)
	}
	return os.Open(filepath.Join(NetnsDir, ns))
}

// InsideOpen is [Inside] for a namespace that is open.
func InsideOpen(ns *os.File, f func() error) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		done <- func() error {
			home, err := os.Open("/proc/thread-self/ns/net")
			if err != nil {
				return err
			}
			defer home.Close() //nolint:errcheck // only read
			if err := unix.Setns(int(ns.Fd()), unix.CLONE_NEWNET); err != nil {
				return fmt.Errorf("enter %s: %w", ns.Name(), err)
			}
			defer func() {
				if unix.Setns(int(home.Fd()), unix.CLONE_NEWNET) == nil {
					runtime.UnlockOSThread() // else the thread ends with the goroutine
				}
			}()
			return f()
		}()
	}()
	return <-done
}

// Apart runs f on a thread in a new network namespace, which ends with it.
func Apart(f func() error) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // the thread ends with the goroutine
		if unix.Gettid() == unix.Getpid() {
			// The first one never ends, and where it is, the process is. While it waits another one does it.
			done <- Apart(f)
			runtime.UnlockOSThread()
			return
		}
		err := unix.Unshare(unix.CLONE_NEWNET)
		if err == nil {
			err = f()
		}
		done <- err
	}()
	return <-done
}
