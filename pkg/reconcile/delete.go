package reconcile

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/plumbnet/plumb/pkg/kernel"
	"github.com/plumbnet/plumb/pkg/plan"
)

// place is a namespace in which one call deletes objects.
type place struct {
	ns      string
	all     []plan.Step // that have an object in it
	left    int         // how many of them no other place has taken
	steps   []plan.Step // that it has taken
	objects []plan.Object
	begun   bool
	err     error
}

// places chooses where to delete. Of a cable's two ends either will do, and as few namespaces as may be are wanted: the kernel waits
// for all processors in each of them. So the one in which most is left to delete is taken, time after time. Every object of a place
// is named there, also where its step is another place's: a group of links can go as a whole then, and what has gone is no
// error.
func places(b batch) (chosen []*place) {
	all, at := placesOf(b)
	taken := make(map[plan.Key]bool, len(b))
	for p := busiest(all); p.left > 0; p = busiest(all) {
		for _, s := range p.all {
			p.objects = append(p.objects, objectIn(s, p.ns))
			if taken[s.Key()] {
				continue
			}
			taken[s.Key()] = true
			p.steps = append(p.steps, s)
			for _, ns := range namespacesOf(s) {
				at[ns].left--
			}
		}
		chosen = append(chosen, p)
	}
	return chosen
}

func placesOf(b batch) (all []*place, at map[string]*place) {
	at = make(map[string]*place)
	for _, s := range b {
		for _, ns := range namespacesOf(s) {
			p := at[ns]
			if p == nil {
				p = &place{ns: ns}
				at[ns], all = p, append(all, p)
			}
			p.all, p.left = append(p.all, s), p.left+1
		}
	}
	return all, at
}

func busiest(all []*place) *place {
	return slices.MaxFunc(all, func(a, b *place) int { return cmp.Compare(a.left, b.left) })
}

// namespacesOf lists where a deletion can be made, each once.
func namespacesOf(s plan.Step) (list []string) {
	for _, c := range s.Changes {
		if ns := c.Key().NS; !slices.Contains(list, ns) {
			list = append(list, ns)
		}
	}
	return list
}

// objectIn is what a step deletes in a namespace: of a cable inside it, one end is enough.
func objectIn(s plan.Step, ns string) (o plan.Object) {
	for _, c := range s.Changes {
		if c.Key().NS == ns {
			o = c.Old
		}
	}
	return o
}

// delete carries out deletions of one kind, those of several namespaces at once where they may be.
func (r *run) delete(b batch, l *ledger, pastFailures bool) error {
	k := kindOf(b[0])
	workers := 1
	if k.Apart {
		workers = kernel.Waiters(r.Workers)
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
