package reconcile

import (
	"errors"
	"fmt"

	"github.com/plumbnet/plumb/pkg/kernel"
	"github.com/plumbnet/plumb/pkg/plan"
)

// place is a namespace in which one call deletes objects.
type place struct {
	ns      string
	steps   []plan.Step
	objects []plan.Object
	begun   bool
	err     error
}

// places chooses where to delete: of a cable's two ends either will do, and as few namespaces as may be are wanted, as the kernel
// waits for all processors in each of them. Every object of a place is named there, also where a step is another place's: a
// group of links can go as a whole then, and what has gone is no error.
func places(b batch) []*place {
	at := make(map[string]*place)
	var list []*place
	for _, s := range b {
		chosen := s.Changes[len(s.Changes)-1].Key().NS // the host sorts last, where most cables end
		for _, c := range s.Changes {
			if at[chosen] == nil && at[c.Key().NS] != nil {
				chosen = c.Key().NS
			}
		}
		if at[chosen] == nil {
			at[chosen] = &place{ns: chosen}
			list = append(list, at[chosen])
		}
		at[chosen].steps = append(at[chosen].steps, s)
	}
	for _, s := range b {
		for _, c := range s.Changes {
			if p := at[c.Key().NS]; p != nil {
				p.objects = append(p.objects, c.Old)
			}
		}
	}
	return list
}

// delete carries out deletions of one kind, those of several namespaces at once where they may be.
func (r *run) delete(b batch, l *ledger, pastFailures bool) error {
	k := kindOf(b[0])
	workers := 1
	if k.Apart {
		workers = r.Workers
	}
	list := places(b)
	stopped := kernel.Each(workers, len(list), func(_ kernel.Thread, i int) error {
		if err := r.interrupted(); err != nil {
			return err
		}
		p := list[i]
		p.begun = true
		if p.err = k.Del(r.env, p.objects); p.err != nil && !pastFailures {
			return errFailed
		}
		return nil
	})
	if errors.Is(stopped, errFailed) {
		stopped = nil // it is told with its place
	}
	for _, p := range list {
		if p.err != nil {
			p.err = fmt.Errorf("%s: %w", p.steps[0].Key().Label(), p.err)
		}
		for _, s := range p.steps {
			if p.begun {
				l.note(s, p.err)
			}
		}
		stopped = errors.Join(stopped, p.err)
	}
	return stopped
}

var errFailed = errors.New("failed")
