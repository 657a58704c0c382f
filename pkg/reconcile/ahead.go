package reconcile

import (
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/plumbnet/plumb/pkg/kind"
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
	var objects []plan.Object
	for _, b := range list {
		s := b[0]
		if len(b) > 1 || s.Action != plan.Create || kindOf(s).Begin == nil {
			break // what comes before others must be done before them
		}
		a.at[s.Key()] = len(a.steps)
		a.steps, objects = append(a.steps, s), append(objects, s.Changes[0].New)
	}
	if len(a.steps) < 2 {
		return nil
	}
	a.next = kindOf(a.steps[0]).Begin(r.env, objects, func() error {
		if a.stopped.Load() {
			return errAbandoned
		}
		return r.interrupted()
	})
	return a
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
	for _, s := range b {
		for _, c := range s.Changes {
			for _, k := range append(c.New.Needs(), kind.NamespaceKey(c.Key().NS)) {
				if i, ok := a.at[k]; ok {
					n = max(n, i+1)
				}
			}
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
