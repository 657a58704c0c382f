package reconcile

import (
	"errors"
	"io/fs"
	"runtime"
	"sync"

	"github.com/plumbnet/plumb/pkg/kernel"
	"github.com/plumbnet/plumb/pkg/kind"
)

// Prefetch is a look at the host and its namespaces that begins before it is known what is wanted, while the file is parsed: on the processor
// that this leaves idle. The first look of a run takes what it has read by then. A nil Prefetch has read nothing.
type Prefetch struct {
	reading sync.WaitGroup

	// beginning ends when it is known where the process runs, and the lock is had if it can be.
	beginning sync.WaitGroup
	here      home
	homeless  error       // why plumb can't run here
	lock      *lock       // nil for none
	spare     *kind.Spare // nil for none

	mu       sync.Mutex
	stopped  bool
	sections map[string]*kind.Section
}

// Purpose is what a [Prefetch] is for.
type Purpose int

// The purposes. Those of runs that have the lock take it before they read.
const (
	ForNothing Purpose = iota // nothing is read
	ForDiff                   // all that is asked of the host, and of namespaces that are some topology's
	ForApply                  // the same
	ForDestroy                // of namespaces their links alone
)

// StartPrefetch begins to read, which writes nothing but the name of who has the lock. For a run that needs the lock nothing is read when
// somebody else has it, or nobody ever had. For the first apply of a host where no namespace has a name one is made, which has none either:
// see [kind.Spare]. What goes wrong is left for the run to find out.
func StartPrefetch(why Purpose) *Prefetch {
	if why == ForNothing || runtime.GOMAXPROCS(0) < 2 { // on one processor it would only be in the way
		return nil
	}
	p := &Prefetch{sections: make(map[string]*kind.Section)}
	p.beginning.Add(1)
	p.reading.Go(func() {
		host := p.begin(why)
		p.beginning.Done()
		if p.spare != nil {
			_ = p.spare.Make() // or there is none
		}
		if host == nil {
			return
		}
		defer host.Close()
		_ = kernel.OnThread(func(t kernel.Thread) error { return p.read(t, host, why) }) // which has read less than it could
	})
	return p
}

// begin finds out whether there is something to read, and gives the host then.
func (p *Prefetch) begin(why Purpose) (host *kernel.Namespace) {
	if p.here, host, p.homeless = findHome(); p.homeless != nil || why == ForDiff {
		return host
	}
	var err error
	if p.lock, err = freeLock(p.here.dir); err != nil {
		host.Close()
		names, unknown := kernel.Names()
		if first := errors.Is(err, fs.ErrNotExist) && why == ForApply; first && unknown == nil && len(names) == 0 {
			p.spare = kind.NewSpare()
		}
		return nil
	}
	return host
}

// home says where the process runs.
func (p *Prefetch) home() (home, error) {
	if p != nil {
		p.beginning.Wait()
		return p.here, p.homeless
	}
	here, host, err := findHome()
	if err == nil {
		host.Close()
	}
	return here, err
}

func (p *Prefetch) read(t kernel.Thread, host *kernel.Namespace, why Purpose) error {
	env := new(kind.Env)
	env.SetWant(nil, nil)
	s, err := readHost(env)
	if err != nil {
		return err
	}
	if !p.keep("", s) {
		s.NS.Close()
		return nil
	}
	names, err := kernel.Names()
	for _, name := range everyOther(names) {
		if !p.keep(name, p.readNamed(t, env, name, host, why)) {
			break
		}
	}
	return err
}

// everyOther gives every second name first. Where cables lead is not known yet: whoever reads the other end later, when it is, asks for
// its neighbours on both sides without another visit, and in a line or a grid those are mostly the names beside it.
func everyOther(names []string) (order []string) {
	for _, first := range []int{0, 1} {
		for i := first; i < len(names); i += 2 {
			order = append(order, names[i])
		}
	}
	return order
}

// readHost reads the host's own section.
func readHost(env *kind.Env) (*kind.Section, error) {
	n, err := kernel.Current(nil)
	if err != nil {
		return nil, err
	}
	s := kind.NewSection(n)
	if err := errors.Join(env.ReadLinks(s, n), s.Read()); err != nil {
		n.Close()
		return nil, err
	}
	return s, nil
}

// readNamed reads the section of a namespace, and lets it rest. It is nil when something went wrong.
func (p *Prefetch) readNamed(t kernel.Thread, env *kind.Env, name string, host *kernel.Namespace, why Purpose) *kind.Section {
	n, err := kernel.Named(t, name, nil)
	if err != nil {
		return nil
	}
	defer n.Rest()
	s := kind.NewSection(n)
	if env.ReadLinks(s, host) != nil {
		return nil
	}
	if why != ForDestroy && kind.Stamped(host.Cookie(), s.Links) && (!p.wanted() || s.Read() != nil) {
		return nil
	}
	return s
}

// keep keeps what was read, nil for nothing. It says whether more is wanted.
func (p *Prefetch) keep(name string, s *kind.Section) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.stopped && s != nil {
		p.sections[name] = s
	}
	return !p.stopped
}

// wanted says whether more is wanted.
func (p *Prefetch) wanted() bool { return p.keep("", nil) }

// take gives what was read, and waits for no more. It can be taken once.
func (p *Prefetch) take() map[string]*kind.Section {
	if p == nil {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	sections := p.sections
	p.stopped, p.sections = true, nil
	return sections
}

// takeLock gives the lock to whoever will release it; nil when there is none, or a run has had it.
func (p *Prefetch) takeLock() *lock {
	if p == nil {
		return nil
	}
	p.beginning.Wait()
	l := p.lock
	p.lock = nil
	return l
}

// forFirst is what there is for the first namespace that a run makes: nothing for one that makes them in turn, each for all to see.
func (p *Prefetch) forFirst(workers int) *kind.Spare {
	if p == nil || workers < 2 {
		return nil
	}
	p.beginning.Wait()
	return p.spare
}

func (p *Prefetch) dropSpare() {
	if p != nil {
		p.beginning.Wait()
		p.spare.Drop()
	}
}

func (p *Prefetch) drop() {
	if host := p.take()[""]; host != nil {
		host.NS.Close() // others rest
	}
}

// Close has no more read than what is being read, and releases the lock if no run has taken it. It can be called again.
func (p *Prefetch) Close() error {
	p.drop()
	p.dropSpare()
	if l := p.takeLock(); l != nil {
		return l.release()
	}
	return nil
}
