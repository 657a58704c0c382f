package reconcile

import (
	"runtime"
	"sync/atomic"

	"github.com/plumbnet/plumb/pkg/kernel"
	"github.com/plumbnet/plumb/pkg/kind"
)

// Prefetch is a look at the host's namespaces that begins before it is known what is wanted, while the file is parsed: on the processor
// that this leaves idle. The first look of a run takes what it has read by then. A nil Prefetch has read nothing.
type Prefetch struct {
	purpose  Purpose
	lock     *lock // nil for none
	stopped  atomic.Bool
	done     chan struct{}
	sections map[string]*kind.Section // of those that are some topology's
}

// Purpose is what a [Prefetch] is for.
type Purpose int

// The purposes. Those of runs that have the lock take it before they read.
const (
	ForNothing Purpose = iota // nothing is read
	ForDiff                   // all that is asked of a namespace
	ForApply                  // the same
	ForDestroy                // its links alone
)

// StartPrefetch begins to read, which writes nothing. It gives nil when it can't, as when somebody else has the lock, or nobody ever
// had. What goes wrong is left for the run to find out.
func StartPrefetch(why Purpose) *Prefetch {
	if why == ForNothing || runtime.GOMAXPROCS(0) < 2 { // on one processor it would only be in the way
		return nil
	}
	host, err := kernel.Current(nil)
	if err != nil {
		return nil
	}
	p := &Prefetch{purpose: why, done: make(chan struct{}), sections: make(map[string]*kind.Section)}
	if why != ForDiff {
		if p.lock = freeLock(hostDir(host)); p.lock == nil {
			host.Close()
			return nil
		}
	}
	go func() {
		defer close(p.done)
		defer host.Close()
		_ = kernel.OnThread(func(t kernel.Thread) error { return p.read(t, host) }) // which has read less than it could
	}()
	return p
}

func (p *Prefetch) read(t kernel.Thread, host *kernel.Namespace) error {
	names, err := kernel.Names()
	if err != nil {
		return err
	}
	env := new(kind.Env)
	env.SetWant(nil, nil)
	for _, name := range names {
		if p.stopped.Load() {
			break
		}
		n, err := kernel.Named(t, name, nil) // nothing is written
		if err != nil {
			continue
		}
		s := kind.NewSection(n)
		if p.readSection(env, s, host) {
			p.sections[name] = s
		}
		n.Rest()
	}
	return nil
}

// readSection says whether the section is some topology's, and all was read.
func (p *Prefetch) readSection(env *kind.Env, s *kind.Section, host *kernel.Namespace) bool {
	if env.ReadLinks(s, host) != nil || !kind.Stamped(host.Cookie(), s.Links) {
		return false
	}
	return p.purpose == ForDestroy || s.Read() == nil
}

// take stops the reading, and gives what was read, if it is enough for a run that is leaving, or for another. It can be taken once.
func (p *Prefetch) take(leaving bool) map[string]*kind.Section {
	if p == nil {
		return nil
	}
	p.stopped.Store(true)
	<-p.done
	sections := p.sections
	p.sections = nil
	if p.purpose == ForDestroy && !leaving {
		return nil
	}
	return sections
}

// takeLock gives the lock to whoever will release it; nil when there is none, or somebody has taken it.
func (p *Prefetch) takeLock() *lock {
	if p == nil {
		return nil
	}
	l := p.lock
	p.lock = nil
	return l
}

// Close stops the reading, and releases the lock if no run has taken it. It can be called again.
func (p *Prefetch) Close() error {
	p.take(true)
	if l := p.takeLock(); l != nil {
		return l.release()
	}
	return nil
}
