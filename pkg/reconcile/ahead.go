package reconcile

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"

	"github.com/plumbnet/plumb/pkg/object"
	"github.com/plumbnet/plumb/pkg/plan"
)

// ahead is a run of creations that goes on beside the steps after it: nil for none.
type ahead struct {
	*ledger
	steps   []plan.Step
	at      map[plan.Key]int
	made    int
	next    func() error
	stopped atomic.Bool
}

var errAbandoned = errors.New("abandoned")

// lookAhead begins the creations that the steps begin with, if they can go on beside others. Going on past failures it begins none: what
// comes after a failure is taken for itself.
func (r *run) lookAhead(list []batch, l *ledger, pastFailures bool) *ahead {
	if r.Workers < 2 || pastFailures {
		return nil
	}
	a := &ahead{ledger: l, at: make(map[plan.Key]int)}
	for _, b := range list {
		s := b[0]
		if len(b) > 1 || s.Action != plan.Create || kindOf(s).Begin == nil {
			break // what comes before others must be done before them
		}
		a.steps = append(a.steps, s)
	}
	if len(a.steps) < 2 {
		return nil
	}
	a.sort(list[len(a.steps):])
	objects := make([]plan.Object, len(a.steps))
	for i, s := range a.steps {
		a.at[s.Key()], objects[i] = i, s.Changes[0].New
	}
	a.next = kindOf(a.steps[0]).Begin(r.env, objects, func() error {
		if a.stopped.Load() {
			return errAbandoned
		}
		return r.interrupted()
	})
	return a
}

// sort puts the creations into the order in which others need them.
func (a *ahead) sort(others []batch) {
	at := make(map[plan.Key]int, len(a.steps))
	for _, s := range a.steps {
		at[s.Key()] = len(others) // for what nobody needs
	}
	for i, b := range slices.Backward(others) {
		if kindOf(b[0]).Within {
			continue // which is made when its namespace is there
		}
		for _, k := range needs(b) {
			if _, ours := at[k]; ours {
				at[k] = i
			}
		}
	}
	slices.SortStableFunc(a.steps, func(s, t plan.Step) int { return cmp.Compare(at[s.Key()], at[t.Key()]) })
}

// needs lists what the steps of a batch need, the namespaces that they are in included.
func needs(b batch) (keys []plan.Key) {
	for _, s := range b {
		for _, c := range s.Changes {
			if c.New != nil {
				keys = append(append(keys, c.New.Needs()...), object.NamespaceKey(c.Key().NS))
			}
		}
	}
	return keys
}

// has says whether a batch is among the creations.
func (a *ahead) has(b batch) bool {
	if a == nil {
		return false
	}
	_, has := a.at[b[0].Key()]
	return has && b[0].Action == plan.Create
}

// needed is how many of the creations must have ended before a batch can be taken.
func (a *ahead) needed(b batch) (n int) {
	switch {
	case a == nil || a.has(b) || b[0].Action == plan.Refuse:
		return 0
	case deletes(b[0]) || !beside(b[0]):
		return len(a.steps)
	}
	for _, k := range needs(b) {
		if i, ok := a.at[k]; ok {
			n = max(n, i+1)
		}
	}
	return n
}

func beside(s plan.Step) bool {
	k := kindOf(s)
	return k.Beside != nil && k.Beside(s.Changes[0].New)
}

// wait waits for the first n creations to have ended.
func (a *ahead) wait(n int) error {
	if a == nil {
		return nil
	}
	for a.made < n {
		s := a.steps[a.made]
		a.begin(s)
		err := a.next()
		if errors.Is(err, errAbandoned) || errors.Is(err, errInterrupted) || errors.Is(err, errStopped) {
			a.steps = nil
			return err
		}
		if err != nil {
			err = fmt.Errorf("%s: %w", s.Key().Label(), err)
			a.steps = nil // no more are made
		}
		a.note(s, err)
		if err != nil {
			return err
		}
		a.made++
	}
	return nil
}

// end waits for all creations; when others failed, for those that can't be called back.
func (a *ahead) end(well bool) error {
	if a == nil {
		return nil
	}
	a.stopped.Store(!well)
	if err := a.wait(len(a.steps)); !errors.Is(err, errAbandoned) {
		return err
	}
	return nil
}
