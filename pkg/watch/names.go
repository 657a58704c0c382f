package watch

import (
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// mounts hears of mounts and unmounts, and so of each namespace that gets a name in /run/netns or loses it. A watch of
// that directory would tell of no more than the file that somebody is about to mount a namespace on.
type mounts struct {
	fd   int
	next time.Time // not to be asked before
}

func openMounts() (*mounts, error) {
	fd, err := unix.Open("/proc/self/mountinfo", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open the list of mounts: %w", err)
	}
	return &mounts{fd: fd}, nil
}

func (m *mounts) close() { unix.Close(m.fd) } //nolint:errcheck // only read

// patience is how much longer than the names took the next look at them is put off: somebody who makes a thousand
// namespaces would else have us look a thousand times at all of them.
const patience = 10

// pause is for how long the mounts are not to be asked for.
func (m *mounts) pause() time.Duration {
	if rest := time.Until(m.next); rest >= time.Millisecond {
		return rest
	}
	return 0
}

// names sees which of the names that are followed are another namespace's by now, or nobody's.
func (w *Watcher) names(m *mounts) {
	begin := time.Now()
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, p := range w.places.all {
		if p.open == nil {
			w.recheck(p)
		}
	}
	m.next = time.Now().Add(patience * time.Since(begin))
}

// recheck looks at the name of a namespace again, and tells what became of that.
func (w *Watcher) recheck(p *place) {
	if news := w.places.recheck(p); news != "" {
		w.queue.add(Event{Section: p.section, What: news})
	}
}
