package agent

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/plumbnet/plumb/pkg/file"
	"github.com/plumbnet/plumb/pkg/plan"
	"github.com/plumbnet/plumb/pkg/reconcile"
	"github.com/plumbnet/plumb/pkg/source"
	"github.com/plumbnet/plumb/pkg/topology"
)

// Host is what the agent needs of [reconcile.Host].
type Host interface {
	Diff(context.Context, *topology.Topology) (plan.Plan, error)
	Destroy(context.Context, string) (reconcile.Report, error)
}

// Source is where an entry's topologies come from.
type Source interface {
	// Read reads what it says now. An error leaves what was read before.
	Read(context.Context) (source.Revision, error)
	// Changed holds one when there may be something else to read; nil where that is not told.
	Changed() <-chan struct{}
}

// Audience hears what an agent does. The loop's goroutine calls Told and Passed; nothing may call the agent from there.
type Audience interface {
	Told(Event)
	Passed(Pass)
	// Fetched: a source was read.
	Fetched(from string, err error)
	// Suspended: a suspension ends then; zero is for none.
	Suspended(topology string, until time.Time)
	// Kept: these topologies are kept from now on.
	Kept(topologies []string)
	// Ready: the last good documents have been tried.
	Ready()
	// Stalled: a topology can't be made what its source says.
	Stalled(topology, reason string)
	// Say is for what a person should know beside.
	Say(text string)
}

// Agent keeps a host as the sources of its config say: it takes what they offer through a gate, goes back to the last
// good document when that fails, and leaves the healing to its [Loop].
type Agent struct {
	Config Config
	// StateDir holds what the agent must know after a boot.
	StateDir string
	// Version is plumb's.
	Version string
	Host    Host
	// Open opens the source of an entry.
	Open func(*Entry, source.Highwater) (Source, error)
	// Probe says whether something works.
	Probe func(context.Context, Probe) error
	// Loop is given inputs, and tells the agent; its Begin, Follow, Heard and Alive are the caller's.
	Loop     Loop
	Audience Audience

	store  *store
	inputs chan []Input
	now    chan struct{}
	wake   chan struct{} // holds one when the inputs may have changed

	mu          sync.Mutex
	entries     []*entry
	units       map[string]*unit
	bad         map[string]Bad
	suspensions map[string]Suspension
	tried       bool          // the last good documents were, since the agent began
	passed      chan struct{} // closed after each pass
}

// entry is an entry of the config.
type entry struct {
	*Entry
	source  Source
	reading sync.Mutex // held while somebody reads it

	revision string    // the newest that could be read
	checked  time.Time // when it was read last
	err      error     // why the newest can't be had, or be used
}

// unit is a topology that the agent keeps.
type unit struct {
	entry    *entry
	offered  *topology.Topology // what the source says; nil after a boot, until it could be read
	revision string             // that it comes from
	good     *topology.Topology // what the host matched last; nil for nothing
	goodFile Good
	attempt  int
	forced   bool // the next attempt passes the guards
	again    bool // the next time the source is asked is another attempt
	last     Pass
	reason   string // why it can't be applied
	worked   []Probe
}

// current is the document to keep. At first that is the last good one, whatever a source has said already: an agent
// that was killed may have left the host with one that nobody has judged yet.
func (a *Agent) current(u *unit) *topology.Topology {
	if u.offered == nil || u.good != nil && (!a.tried || a.isBad(u.offered)) {
		return u.good
	}
	return u.offered
}

// isBad says whether a document has failed not long ago.
func (a *Agent) isBad(t *topology.Topology) bool {
	_, bad := a.bad[a.store.digest(t)]
	return bad
}

// badFor is how long a document that failed is not tried again: why may lie outside of it.
const badFor = time.Hour

// Run keeps the host until ctx is done, after Begin. The host stays as it is then.
func (a *Agent) Run(ctx context.Context) {
	var all sync.WaitGroup
	defer all.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	all.Go(func() {
		a.feed(ctx, func() {
			a.Audience.Ready()
			for _, e := range a.entries {
				all.Go(func() { a.follow(ctx, e) })
			}
		})
	})
	a.Loop.Run(ctx)
}

// Begin opens the sources, and takes what the last run knew. Nothing else of the agent is called before.
func (a *Agent) Begin() (err error) {
	if a.store, err = openStore(a.StateDir, a.Version); err != nil {
		return err
	}
	a.inputs, a.now, a.wake = make(chan []Input), make(chan struct{}), make(chan struct{}, 1)
	a.passed = make(chan struct{})
	a.units, a.bad, a.suspensions = make(map[string]*unit), make(map[string]Bad), make(map[string]Suspension)
	a.Loop.Inputs, a.Loop.Now, a.Loop.Tell, a.Loop.Passed = a.inputs, a.now, a.told, a.note
	for i := range a.Config.Topologies {
		e := &entry{Entry: &a.Config.Topologies[i]}
		if e.source, err = a.Open(e.Entry, a.store); err != nil {
			return fmt.Errorf("%s: %w", e.Name(), err)
		}
		a.entries = append(a.entries, e)
	}
	goods, err := a.store.goods()
	err = errors.Join(err, a.store.read(&a.bad, "bad.json"), a.store.read(&a.suspensions, "suspend.json"),
		a.store.read(&a.store.highwater, "highwater.json"))
	if err != nil { // what can be read is used
		a.Audience.Say(err.Error())
	}
	for name, g := range goods {
		a.remember(name, g)
	}
	for _, s := range a.suspensions {
		time.AfterFunc(time.Until(s.Until), a.changed)
	}
	return nil
}

// remember takes the last good document of a topology, if the config has the entry that it came from.
func (a *Agent) remember(name string, g Good) {
	i := slices.IndexFunc(a.entries, func(e *entry) bool { return e.Name() == g.From })
	if i < 0 {
		return
	}
	g.Keys = a.entries[i].Keys
	t, err := g.load()
	if err != nil {
		a.Audience.Say(fmt.Sprintf("the last good document of %s can't be used any longer: %v", name, err))
		return
	}
	a.units[name] = &unit{entry: a.entries[i], good: t, goodFile: g}
}

// changed has the loop given other inputs.
func (a *Agent) changed() {
	select {
	case a.wake <- struct{}{}:
	default:
	}
}

// feed gives the loop its inputs: at first the last good documents. When these were tried, it calls tried.
func (a *Agent) feed(ctx context.Context, tried func()) {
	give := func() {
		select {
		case a.inputs <- a.wanted():
		case <-ctx.Done():
		}
	}
	give()
	give() // is taken when the first was tried
	a.mu.Lock()
	a.tried = true
	a.mu.Unlock()
	a.changed()
	tried()
	for ctx.Err() == nil {
		select {
		case <-a.wake:
			give()
		case <-ctx.Done():
		}
	}
}

// wanted lists what is to be kept now.
func (a *Agent) wanted() (list []Input) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.expire()
	names := slices.Sorted(maps.Keys(a.units))
	a.Audience.Kept(slices.DeleteFunc(slices.Clone(names), a.suspended))
	for _, name := range names {
		a.Audience.Suspended(name, a.suspensions[name].Until)
		u := a.units[name]
		t := a.current(u)
		in := Input{
			Topology: t, Attempt: u.attempt, Disrupt: bool(u.entry.Disrupt), ReportOnly: u.entry.Mode == "warn" || a.suspended(name),
			Leave: func(ctx context.Context) { a.leave(ctx, u.entry, name) },
		}
		if t != u.good {
			in.Gate = func(ctx context.Context) error { return a.gate(ctx, u, t) }
			in.Accept = func(ctx context.Context) error { return a.accept(ctx, u) }
		}
		list = append(list, in)
	}
	return list
}

// expire forgets what failed long ago, and suspensions that have ended.
func (a *Agent) expire() {
	before := len(a.bad)
	maps.DeleteFunc(a.bad, func(digest string, b Bad) bool {
		old := time.Since(b.When) > badFor
		if u := a.units[b.Topology]; old && u != nil && u.offered != nil && a.store.digest(u.offered) == digest {
			u.attempt++
		}
		return old
	})
	if len(a.bad) < before {
		a.saved(a.store.write(a.bad, "bad.json"))
	}
	before = len(a.suspensions)
	maps.DeleteFunc(a.suspensions, func(_ string, s Suspension) bool { return !time.Now().Before(s.Until) })
	if len(a.suspensions) < before {
		a.saved(a.store.write(a.suspensions, "suspend.json"))
	}
}

// saved tells of what could not be written. The agent goes on without: it knows it until it ends.
func (a *Agent) saved(err error) {
	if err != nil {
		a.Audience.Say(err.Error())
	}
}

func (a *Agent) suspended(name string) bool { return time.Now().Before(a.suspensions[name].Until) }

// leave forgets a topology that comes from its entry no longer, and removes it where the config says so.
func (a *Agent) leave(ctx context.Context, e *entry, name string) {
	a.saved(a.store.forget(name))
	if !bool(e.Prune) {
		return
	}
	begun := time.Now()
	_, err := a.Host.Destroy(ctx, name)
	if err == nil {
		a.Audience.Say(fmt.Sprintf("%s: destroyed in %v, as prune says", name, time.Since(begun).Round(time.Millisecond)))
	} else {
		a.Audience.Say(fmt.Sprintf("%s: %v", name, err))
	}
}

// told hears from the loop.
func (a *Agent) told(e Event) {
	a.mu.Lock()
	if u := a.units[e.Topology.Name]; u != nil {
		switch e.What {
		case Applied:
			a.applied(u, e.Topology)
		case Failed, Refused:
			if e.Err != nil {
				a.failed(u, e)
			}
		}
	}
	a.mu.Unlock()
	a.Audience.Told(e)
}

// applied keeps what the host matches now as the last good document.
func (a *Agent) applied(u *unit, t *topology.Topology) {
	u.forced, u.again = false, false
	if t == u.offered || u.offered == nil {
		u.reason = ""
		a.forgive(t)
	}
	if u.good != nil && u.good.Document() == t.Document() {
		return
	}
	u.good, u.goodFile = t, u.goodOf(t)
	a.saved(a.store.keep(t.Name, u.goodFile))
}

// forgive forgets that a document has failed.
func (a *Agent) forgive(t *topology.Topology) {
	if a.isBad(t) {
		delete(a.bad, a.store.digest(t))
		a.saved(a.store.write(a.bad, "bad.json"))
	}
}

func (u *unit) goodOf(t *topology.Topology) Good {
	return Good{
		Document: t.Document(), File: t.File, Keys: u.entry.Keys, From: u.entry.Name(), Revision: u.revision, When: time.Now(),
	}
}

// failed notes why a document can't be applied, and goes back to the last good one where it was tried.
func (a *Agent) failed(u *unit, e Event) {
	if e.Topology != u.offered && u.offered != nil || e.Topology == u.good && u.offered != nil {
		return // the last good one can't be healed for now, and is tried again
	}
	u.reason, u.forced = e.Err.Error(), false
	a.saved(a.store.unprepare(e.Topology.Name))
	if u.offered == nil {
		return // the last good one, after a boot: there is nothing to go back to
	}
	_, guarded := errors.AsType[guardError](e.Err)
	tried := errors.Is(e.Err, reconcile.ErrRolledBack) || errors.Is(e.Err, reconcile.ErrRollback) ||
		errors.Is(e.Err, reconcile.ErrPartial)
	if !guarded && !tried {
		u.again = true
		return
	}
	a.bad[a.store.digest(e.Topology)] = Bad{e.Topology.Name, u.revision, u.reason, time.Now()}
	a.saved(a.store.write(a.bad, "bad.json"))
	a.Audience.Stalled(e.Topology.Name, u.reason)
	a.changed()
}

// note hears of a pass.
func (a *Agent) note(p Pass) {
	a.mu.Lock()
	if u := a.units[p.Topology]; u != nil {
		switch {
		case a.suspended(p.Topology):
			p.State = Suspended
		case u.offered != nil && a.isBad(u.offered):
			p.State = Stalled
		}
		u.last = p
	}
	close(a.passed)
	a.passed = make(chan struct{})
	a.mu.Unlock()
	a.Audience.Passed(p)
}

// asError is the first error among problems.
func asError(problems file.Problems) error {
	for _, p := range problems {
		if p.Severity == file.Error {
			return errors.New(p.String())
		}
	}
	return nil
}
