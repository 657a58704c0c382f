package agent

import (
	"slices"
	"time"

	"github.com/plumbnet/plumb/pkg/plan"
	"github.com/plumbnet/plumb/pkg/reconcile"
)

// Trigger is why a pass is made.
type Trigger string

// The triggers.
const (
	// Changed: what the topology is to be has changed.
	Changed Trigger = "input"
	// Heard: the watcher has heard of a change on the host.
	Heard Trigger = "change"
	// Interval: all is looked at from time to time.
	Interval Trigger = "interval"
	// Asked: somebody has asked for a look.
	Asked Trigger = "asked"
	// Retry: an earlier pass has left something.
	Retry Trigger = "retry"
	// ByHand: somebody applies it, and no agent keeps it.
	ByHand Trigger = "apply"
)

// State is how a topology is.
type State string

// The states.
const (
	// Waiting: nothing of it has been applied yet.
	Waiting State = "waiting"
	// Synced: the host matches it.
	Synced State = "in-sync"
	// Differs: something differs, and is not healed, or not yet.
	Differs State = "drifted"
	// Suspended: it is not kept for a time.
	Suspended State = "suspended"
	// Disputed: somebody changes something of it back again and again.
	Disputed State = "contested"
	// Stalled: it can't be applied.
	Stalled State = "stalled"
)

// Pass is a pass that was made.
type Pass struct {
	Topology string
	Trigger  Trigger
	Begun    time.Time
	Took     time.Duration
	// Err is why it failed.
	Err   error
	State State
	// Objects is how many the topology wants.
	Objects int
	// Left are the steps to what it wants that were not taken.
	Left []plan.Step
	// Contested are the objects that somebody changes back again and again.
	Contested []plan.Key
}

// Applying is the pass that a single apply makes.
func Applying(topology string, begun time.Time, r reconcile.Report, err error) Pass {
	p := Pass{
		Topology: topology, Trigger: ByHand, Begun: begun, Took: time.Since(begun), Err: err, Objects: r.Plan.Wanted,
		Left: leftOf(r), State: Synced,
	}
	if err != nil {
		p.State = Stalled
	}
	return p
}

// passed makes a pass, and tells how it went.
func (k *kept) passed(l *Loop, f func() error) {
	p := Pass{Topology: k.input.Name, Trigger: k.trigger, Begun: time.Now()}
	if p.Err = f(); p.Err == nil {
		k.away = ""
	}
	if l.Passed == nil {
		return
	}
	p.Took, p.Objects, p.Left = time.Since(p.Begun), k.objects, k.left
	p.Contested = k.rivals.contested(time.Now())
	p.State = k.state(p)
	l.Passed(p)
}

// state is how the topology is after a pass.
func (k *kept) state(p Pass) State {
	switch {
	case k.has == nil && p.Err == nil && !k.barred:
		return Waiting
	case k.has == nil:
		return Stalled
	case len(p.Contested) > 0:
		return Disputed
	case len(p.Left) > 0, p.Err != nil && k.has == k.wanted:
		return Differs
	}
	return Synced
}

// leftOf lists the steps of a run's plan that were not taken.
func leftOf(r reconcile.Report) []plan.Step {
	done := make(map[plan.Key]bool)
	for _, o := range r.Outcomes {
		done[o.Step.Key()] = o.Result == plan.Done
	}
	return slices.DeleteFunc(slices.Clone(r.Plan.Steps), func(s plan.Step) bool { return done[s.Key()] })
}
