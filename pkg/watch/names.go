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

// patience is how much longer than a look at the names the next one is put off: somebody who makes a thousand
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
	w.mu.Lock()
	defer w.mu.Unlock()
	begin := time.Now()
	var moved []*place
	for _, p := range w.places.all {
		if p.moved() {
			moved = append(moved, p)
		}
	}
	m.next = time.Now().Add(patience * time.Since(begin))
	for _, p := range moved {
		w.refind(p)
	}
}

// refind looks for a namespace again, and tells what became of it.
func (w *Watcher) refind(p *place) {
	if news := w.places.refind(p); news != "" {
		w.queue.add(Event{Section: p.section, What: news})
	}
}
