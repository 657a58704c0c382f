package agent

import (
	"context"
	"fmt"
	"time"
)

// DefaultSuspension is how long a topology is suspended when nobody says: it always ends.
const DefaultSuspension = 2 * time.Hour

// Suspend leaves a topology alone until a time: it is only looked at. It survives a reboot.
func (a *Agent) Suspend(name string, until time.Time, reason string) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.units[name] == nil {
		return a.unknown(name)
	}
	if !until.After(time.Now()) {
		return fmt.Errorf("suspend %s: %s is over", name, until.Format(time.RFC3339))
	}
	a.suspensions[name] = Suspension{until, reason}
	time.AfterFunc(time.Until(until), a.changed)
	defer a.changed()
	return a.store.write(a.suspensions, "suspend.json")
}

// Resume ends the suspension of a topology, and returns when that was applied; of one that is not suspended it does
// nothing.
func (a *Agent) Resume(ctx context.Context, name string) error {
	a.mu.Lock()
	known, suspended, begun := a.units[name] != nil, a.suspended(name), time.Now()
	if suspended {
		delete(a.suspensions, name)
		a.saved(a.store.write(a.suspensions, "suspend.json"))
	}
	a.mu.Unlock()
	if !known {
		return a.unknown(name)
	}
	if !suspended {
		return nil
	}
	a.changed()
	return a.await(ctx, name, begun)
}

func (a *Agent) unknown(name string) error { return unknownError{name} }

// unknownError is that of a topology that the agent does not keep.
type unknownError struct{ name string }

func (e unknownError) Error() string {
	return fmt.Sprintf("the agent keeps no topology %s: 'plumb status' lists those that it does", e.name)
}

// Reconcile asks the source of a topology now, or of all for an empty name, and has all of it looked at. Forced, it tries
// what has failed, and lets it pass the guards, once. It returns when that was done.
func (a *Agent) Reconcile(ctx context.Context, name string, forced bool) error {
	a.mu.Lock()
	u := a.units[name]
	a.mu.Unlock()
	if name != "" && u == nil {
		return a.unknown(name)
	}
	for _, e := range a.entries {
		if name == "" || u.entry == e {
			a.ask(ctx, e)
		}
	}
	a.mu.Lock()
	for of, u := range a.units {
		if forced && (name == "" || name == of) {
			a.force(u)
		}
	}
	a.mu.Unlock()
	begun := time.Now()
	a.changed()
	select {
	case a.now <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	return a.await(ctx, name, begun)
}

// force has a document tried again that has failed, past the guards.
func (a *Agent) force(u *unit) {
	if u.offered == nil {
		return
	}
	a.forgive(u.offered)
	u.forced, u.attempt = true, u.attempt+1
}

// await waits until all that is asked for has been looked at since a time.
func (a *Agent) await(ctx context.Context, name string, since time.Time) error {
	for {
		a.mu.Lock()
		done, passed := true, a.passed
		for of, u := range a.units {
			done = done && (name != "" && name != of || !u.last.Begun.Before(since))
		}
		a.mu.Unlock()
		if done {
			return nil
		}
		select {
		case <-passed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
