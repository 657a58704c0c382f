package reconcile

import (
	"maps"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/plumbnet/plumb/pkg/kernel"
	"github.com/plumbnet/plumb/pkg/kind"
)

// follower reads the namespaces that a run is done with, beside what is still to be made: the look that verifies the run takes what it has
// read. It begins when no more namespaces are made beside the steps, which leaves a processor idle. Nil follows nothing.
type follower struct {
	env     *kind.Env
	host    *kernel.Namespace
	workers int
	done    [][]string // by the index of a batch, what the run is done with after it

	names    chan string
	reading  sync.WaitGroup
	stopped  atomic.Bool
	finished bool

	mu   sync.Mutex
	read map[string]*kind.Section
}

// follow begins to follow a run, if it goes on for a while after it is done with something.
func (r *run) follow(list []batch, a *ahead) *follower {
	done := doneWith(list)
	names := len(slices.Concat(done...))
	if names == 0 {
		return nil
	}
	f := &follower{
		env: r.env, host: r.env.Sections[""].NS, workers: r.Workers, done: done,
		names: make(chan string, names), read: make(map[string]*kind.Section, names),
	}
	if f.workers > 1 {
		f.reading.Go(func() {
			a.ended()
			f.work()
		})
	}
	return f
}

// after tells that a batch was taken.
func (f *follower) after(i int) {
	if f == nil || f.finished {
		return
	}
	for _, name := range f.done[i] {
		f.names <- name
	}
}

// work reads what it is told of, until there is no more. What it can't read is left for the look.
func (f *follower) work() {
	_ = kernel.OnThread(func(t kernel.Thread) error {
		for name := range f.names {
			if f.stopped.Load() {
				continue
			}
			if s := readNamed(t, f.env, name, f.host, func(*kind.Section) bool { return true }); s != nil {
				f.mu.Lock()
				f.read[name] = s
				f.mu.Unlock()
			}
		}
		return nil
	})
}

// finish gives what was read, when all is that the run is done with; when that failed, nothing.
func (f *follower) finish(well bool) map[string]*kind.Section {
	if f == nil {
		return nil
	}
	f.stopped.Store(!well)
	if !f.finished {
		f.finished = true
		close(f.names)
		for range max(f.workers-1, 1) {
			f.reading.Go(f.work)
		}
		f.reading.Wait()
	}
	if !well {
		return nil
	}
	return f.read
}

// doneWith tells, by the index of a batch but the last, which namespaces are as they will be after it: nothing is written to them any more,
// nor to those that new cables lead to from there. What the host still does at its ends, as bringing up bridges, changes nothing in them.
func doneWith(list []batch) [][]string {
	last := make(map[string]int)
	everywhere := 0           // the last batch that can have changed all
	bridged := make(sections) // where a bridge waits to be brought up: see finishLinks
	neighbours := make(map[string][]string)
	for i, b := range list {
		touched := touchedBy(b)
		if touched == nil {
			everywhere = i
		}
		for name := range touched {
			last[name] = i
		}
		if afterLinks(b) {
			delete(bridged, b[0].Key().NS)
		}
		maps.Copy(bridged, withNewBridges([]batch{b}))
		for name := range touched {
			if len(touched) > 1 {
				neighbours[name] = slices.AppendSeq(neighbours[name], maps.Keys(touched))
			}
		}
	}
	done := make([][]string, len(list))
	for name, i := range last {
		i, open := max(i, everywhere), name == "" || bridged[name]
		for _, n := range neighbours[name] {
			if n != "" {
				i, open = max(i, last[n]), open || bridged[n]
			}
		}
		if !open && i < len(list)-1 {
			done[i] = append(done[i], name)
		}
	}
	return done
}
