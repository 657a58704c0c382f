package kernel

import (
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// Thread stands for an OS thread that its goroutine has for itself, and may take from namespace to namespace. F of
// [OnThread] must not start goroutines that depend on where it is.
type Thread struct{ *thread }

type thread struct {
	home  int
	using []*Namespace // see Use
}

// rest closes the sockets of what the thread has used.
func (t *thread) rest() {
	for _, n := range t.using {
		n.rest()
	}
	t.using = t.using[:0]
}

// OnThread runs f on a thread of its own, and puts the thread back into the namespace that it came from. When that
// fails the thread is never used again: it ends with its goroutine.
func OnThread(f func(Thread) error) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		home, err := unix.Open("/proc/thread-self/ns/net", unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err != nil {
			runtime.UnlockOSThread()
			done <- fmt.Errorf("open the current network namespace: %w", err)
			return
		}
		t := Thread{&thread{home: home}}
		err = f(t)
		t.rest()
		if back := unix.Setns(home, unix.CLONE_NEWNET); back == nil {
			runtime.UnlockOSThread()
		}
		unix.Close(home) //nolint:errcheck // nothing was written through it
		done <- err
	}()
	return <-done
}

// Waiters is how many threads to have, where there may be as many workers, for calls that do nothing but wait in the
// kernel, as for all processors to have noticed what was unlinked: a deletion does for 20 ms, and many at once hardly
// longer. One is one.
func Waiters(workers int) int {
	const many = 32
	if workers <= 1 {
		return workers
	}
	return max(workers, many)
}

// Each calls f with the numbers below n, in their order, on so many threads at once. After an error no more calls
// begin; the one returned is that of the lowest number.
func Each(threads, n int, f func(Thread, int) error) error {
	var next, failed atomic.Int64
	errs := make([]error, n)
	work := func(t Thread) error {
		for failed.Load() == 0 {
			i := int(next.Add(1)) - 1
			if i >= n {
				break
			}
			errs[i] = f(t, i)
			t.rest()
			if errs[i] != nil {
				failed.Store(1)
				return errs[i]
			}
		}
		return nil
	}
	started := make([]error, min(threads, n))
	var wait sync.WaitGroup
	for i := range started {
		wait.Go(func() { started[i] = OnThread(work) })
	}
	wait.Wait()
	for _, err := range append(errs, started...) {
		if err != nil {
			return err
		}
	}
	return nil
}
