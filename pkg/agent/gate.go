package agent

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/plumbnet/plumb/pkg/object"
	"github.com/plumbnet/plumb/pkg/plan"
	"github.com/plumbnet/plumb/pkg/topology"
)

// guardError is why a document is not let through the gate.
type guardError struct{ reason string }

func (e guardError) Error() string { return e.reason }

// gate is asked before the host is changed to what a source offers. It notes which probes work before.
func (a *Agent) gate(ctx context.Context, u *unit, t *topology.Topology) error {
	a.mu.Lock()
	forced := u.forced || bool(u.entry.Disrupt)
	good := u.goodOf(t)
	a.mu.Unlock()
	if !forced {
		if err := a.guard(ctx, t); err != nil {
			return err
		}
	}
	if err := a.store.prepare(t.Name, good); err != nil {
		return err
	}
	u.worked = a.working(ctx, u.entry.Probes)
	return nil
}

// few objects may go at once, whatever the rest.
const few = 3

// guard refuses what would leave little of what is there.
func (a *Agent) guard(ctx context.Context, t *topology.Topology) error {
	p, err := a.Host.Diff(ctx, t)
	if err != nil {
		return nil // as the change will, and say more
	}
	gone, come := 0, 0
	for _, s := range p.Steps {
		switch s.Action {
		case plan.Delete:
			gone += len(s.Changes)
		case plan.Create:
			come += len(s.Changes)
		}
	}
	there := p.Wanted - come + gone
	if gone == 0 || len(t.Objects()) > 0 && (gone <= few || 2*gone <= there) {
		return nil
	}
	return guardError{fmt.Sprintf("it would delete %d of the %s that are there: 'plumb reconcile %s --force' does it once, and "+
		"allow-disruptive: true in the agent's config each time", gone, plan.Count(there, "object"), t.Name)}
}

// allowed says whether topologies stay within what their entry lets them reach.
func (e *entry) allowed(list []*topology.Topology) error {
	var errs []error
	for _, t := range list {
		for _, r := range t.Reaches() {
			if e.allows(r.Beyond) {
				continue
			}
			errs = append(errs, fmt.Errorf("%s:%d:%d: the agent's config does not let %s reach this (%s): %s",
				r.File, r.Line, r.Column, e.Name(), r.Beyond, way(r.Beyond)))
		}
	}
	return errors.Join(errs...)
}

// way is how the config lets a topology reach so far.
func way(b object.Beyond) string {
	if b == object.BeyondKeys {
		return "keys: DIRECTORY says where they are"
	}
	return fmt.Sprintf("allow: [%s] lets it", b)
}

// working lists the probes that work now.
func (a *Agent) working(ctx context.Context, probes []Probe) (list []Probe) {
	const patience = 2 * time.Second // an answer may be lost
	works := make([]bool, len(probes))
	each(probes, func(i int, p Probe) {
		ctx, cancel := context.WithTimeout(ctx, patience)
		defer cancel()
		works[i] = a.until(ctx, p) == nil
	})
	for i, p := range probes {
		if works[i] {
			list = append(list, p)
		}
	}
	return list
}

// accept says whether all that worked before works after a change too.
func (a *Agent) accept(ctx context.Context, u *unit) error {
	errs := make([]error, len(u.worked))
	each(u.worked, func(i int, p Probe) {
		ctx, cancel := context.WithTimeout(ctx, time.Duration(p.Within))
		defer cancel()
		errs[i] = a.until(ctx, p)
	})
	return errors.Join(errs...)
}

// until waits for a probe to work.
func (a *Agent) until(ctx context.Context, p Probe) error {
	const between = 200 * time.Millisecond
	for {
		begun := time.Now()
		err := a.Probe(ctx, p)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s, which worked before, does not work within %v: %w", p, time.Duration(p.Within), err)
		case <-time.After(between - time.Since(begun)):
		}
	}
}

// each calls f with all probes at once.
func each(probes []Probe, f func(int, Probe)) {
	done := make(chan struct{})
	for i, p := range probes {
		go func() { f(i, p); done <- struct{}{} }()
	}
	for range probes {
		<-done
	}
}

// String says what the probe tries.
func (p Probe) String() string {
	what := "tcp " + p.TCP
	if p.Ping.IsValid() {
		what = "ping " + p.Ping.String()
	}
	return fmt.Sprintf("the probe %s from %s", what, p.From)
}
