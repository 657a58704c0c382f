package reconcile_test

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"

	"golang.org/x/sys/unix"
)

const netnsDir = "/run/netns"

// hostNS is the namespace that the tests began in. That of the process could at any time be another: its first thread
// may be the one that a test is inside a namespace with.
var hostNS *os.File

// inside runs f on a thread in a namespace, "" for the host. Sockets that f opens and processes that it starts stay
// there; goroutines don't.
func inside(ns string, f func() error) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		if ns == "" {
			done <- f()
			runtime.UnlockOSThread()
			return
		}
		home, err := os.Open("/proc/thread-self/ns/net")
		if err != nil {
			done <- err
			return
		}
		defer home.Close() //nolint:errcheck // only read
		if err = enter(ns); err == nil {
			err = f()
		}
		if unix.Setns(int(home.Fd()), unix.CLONE_NEWNET) == nil {
			runtime.UnlockOSThread() // else the thread ends with the goroutine
		}
		done <- err
	}()
	return <-done
}

// openNS opens a namespace by its name, "" for the host.
func openNS(name string) (*os.File, error) {
	if name == "" {
		return os.Open(fmt.Sprintf("/proc/self/fd/%d", hostNS.Fd()))
	}
	return os.Open(filepath.Join(netnsDir, name))
}

func enter(ns string) error {
	f, err := openNS(ns)
	if err != nil {
		return err
	}
	defer f.Close() //nolint:errcheck // only read
	if err := unix.Setns(int(f.Fd()), unix.CLONE_NEWNET); err != nil {
		return fmt.Errorf("enter %s: %w", ns, err)
	}
	return nil
}
