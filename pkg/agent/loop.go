package agent

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/plumbnet/plumb/pkg/kernel"
	"github.com/plumbnet/plumb/pkg/plan"
	"github.com/plumbnet/plumb/pkg/reconcile"
	"github.com/plumbnet/plumb/pkg/topology"
	"github.com/plumbnet/plumb/pkg/watch"
)

// Session is what the loop needs of [reconcile.Session].
type Session interface {
	Want(*topology.Topology)
	Change(context.Context, *topology.Topology, func(context.Context) error) (reconcile.Report, error)
	Look(context.Context, reconcile.Touched) (plan.Plan, error)
	Heal(context.Context, reconcile.Touched, func(plan.Key) bool) (reconcile.Report, error)
	Close()
}

// When a pass begins.
const (
	// quiet is how long nothing must have been heard, so that one pass sees all of a change.
	quiet = 10 * time.Millisecond
	// latest is how long a storm puts off a pass.
	latest = 500 * time.Millisecond
	// moment is how long something must be in the way to be told.
	moment = 100 * time.Millisecond
	// whole is how often all is looked at, heard of or not, with a tenth of it more or less.
	whole = 5 * time.Minute
)

// Loop keeps topologies. Its one goroutine owns all sessions of a host.
type Loop struct {
	// Begin begins a session; disrupt says that it may cut the host off.
	Begin func(disrupt bool) Session
	// Follow tells the watcher which namespaces are to be heard of: by their names, and those of others by [Attached].
	Follow func(names, attached []string) error
	// Heard is what the watcher hears.
	Heard <-chan watch.Event
	// Inputs are all topologies to keep, whenever one of them has changed.
	Inputs <-chan []Input
	// Now asks for a look at all.
	Now <-chan struct{}
	// Tell is called with each event, by the loop's goroutine.
	Tell func(Event)
	// Passed, unless nil, is called after each pass, by the loop's goroutine.
	Passed func(Pass)
	// Alive, unless nil, is sent to whenever the loop has nothing else to do.
	Alive chan<- struct{}

	kept map[string]*kept
}

// Input is a topology to keep, and how.
type Input struct {
	*topology.Topology
	// ReportOnly has nothing changed: drift is reported, and that is all.
	ReportOnly bool
	// Disrupt lets a change cut the host off.
	Disrupt bool
	// Gate, unless nil, is asked before the host is made to match a new document. Its error leaves the host as it is.
	Gate func(context.Context) error
	// Accept, unless nil, is asked afterwards. Its error takes back what was done.
	Accept func(context.Context) error
	// Attempt is another number when the same document is to be tried anew.
	Attempt int
	// Leave, unless nil, is called when the topology is not among the inputs any longer.
	Leave func(context.Context)
}

// same says whether nothing is to be done for an input that another one is there for already.
func (in Input) same(o Input) bool {
	return o.Topology != nil && in.ReportOnly == o.ReportOnly && in.Attempt == o.Attempt && in.Document() == o.Document()
}

// Run keeps the topologies until ctx is done. The host stays as it is then.
func (l *Loop) Run(ctx context.Context) {
	l.kept = make(map[string]*kept)
	defer func() {
		for _, k := range l.kept {
			k.session.Close()
		}
	}()
	all := time.NewTimer(about(whole))
	defer all.Stop()
	due := time.NewTimer(0)
	defer due.Stop()
	for ctx.Err() == nil {
		due.Reset(time.Until(l.due()))
		select {
		case <-ctx.Done():
		case e := <-l.Heard:
			l.hear(e, Heard)
		case list := <-l.Inputs:
			l.input(ctx, list)
		case <-l.Now:
			l.hear(watch.Event{All: true, At: time.Now()}, Asked)
		case <-all.C:
			all.Reset(about(whole))
			l.hear(watch.Event{All: true, At: time.Now()}, Interval)
		case l.Alive <- struct{}{}:
		case <-due.C:
			l.passes(ctx)
		}
	}
}

// about is a duration with some jitter, so that many hosts do not look at the same time.
func about(d time.Duration) time.Duration {
	return d - d/10 + rand.N(d/5)
}

// due is when the next pass is to begin.
func (l *Loop) due() time.Time {
	next := time.Now().Add(whole)
	for _, k := range l.kept {
		if at, ok := k.due(); ok && at.Before(next) {
			next = at
		}
	}
	return next
}

func (l *Loop) hear(e watch.Event, t Trigger) {
	if topology, section, ok := strings.Cut(e.Section, attachedIn); ok {
		if k := l.kept[topology]; k != nil {
			e.Section = section
			k.hear(e, t)
		}
		return
	}
	for _, k := range l.kept {
		k.hear(e, t)
	}
}

// Attach has the watcher told where the namespaces of others are that passes have looked into (see
// [reconcile.Options]). An error is of one that can't be heard.
func Attach(w *watch.Watcher, failed func(error)) func(topology, section string, n *kernel.Namespace) {
	return func(topology, section string, n *kernel.Namespace) {
		if err := w.Attach(Attached(topology, section), n); err != nil {
			failed(fmt.Errorf("changes in it are not heard of: %w", err))
		}
	}
}

// Attached is what the watcher calls the namespace of others that a section of a topology is attached to: another
// topology's section of that name is another namespace.
func Attached(topology, section string) string { return topology + attachedIn + section }

// attachedIn stands in no name of a topology or a namespace.
const attachedIn = "/"

// passes makes those passes that are due.
func (l *Loop) passes(ctx context.Context) {
	for _, name := range slices.Sorted(maps.Keys(l.kept)) {
		k := l.kept[name]
		if at, ok := k.due(); ok && !at.After(time.Now()) && ctx.Err() == nil {
			k.pass(ctx, l)
		}
	}
}

// input takes what the files say now.
func (l *Loop) input(ctx context.Context, list []Input) {
	named := make(map[string]bool)
	for _, in := range list {
		named[in.Name] = true
		k := l.kept[in.Name]
		if k == nil {
			k = &kept{session: l.Begin(in.Disrupt), rivals: make(rivals)}
			l.kept[in.Name] = k
		}
		again := !in.same(k.input)
		if k.input = in; again {
			k.wanted, k.why = in.Topology, ""
			k.trigger = Changed
			k.passed(l, func() error { return k.change(ctx, l) })
		}
	}
	for name, k := range l.kept {
		if !named[name] {
			k.session.Close()
			delete(l.kept, name)
			l.Tell(Event{At: time.Now(), What: Left, Topology: k.wanted})
			if k.input.Leave != nil {
				k.input.Leave(ctx)
			}
		}
	}
	l.follow()
}

// follow has the namespaces of all topologies heard of.
func (l *Loop) follow() {
	var names, attached []string
	for _, k := range l.kept {
		own, others := k.wanted.Namespaces()
		names = append(names, own...)
		for _, name := range others {
			attached = append(attached, Attached(k.wanted.Name, name))
		}
	}
	slices.Sort(names)
	slices.Sort(attached)
	if err := l.Follow(slices.Compact(names), slices.Compact(attached)); err != nil {
		for _, k := range l.kept {
			l.Tell(Event{At: time.Now(), What: Failed, Topology: k.wanted, Err: err})
		}
	}
}
