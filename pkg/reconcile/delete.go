package reconcile

import (
	"errors"
	"fmt"

	"github.com/plumbnet/plumb/pkg/kernel"
	"github.com/plumbnet/plumb/pkg/plan"
)

// place is a namespace in which one call deletes objects.
type place struct {
	steps   []plan.Step
	objects []plan.Object
	begun   bool
	err     error
}

// places chooses where to delete. Of a cable's two ends either will do, and as few namespaces as may be are wanted: the kernel waits
// for all processors in each of them. So the namespace in which most is left to delete is taken, time after time. Every object of
// a place is named there, also where its step is another place's: a group of links can go as a whole then, and what has gone is
// no error.
func places(b batch) []*place {
	var names []string
	at := make(map[string]int)
	in := make([][]int, 0, len(b)) // the steps of each namespace, by number
	for i, s := range b {
		for _, c := range s.Changes {
			ns := c.Key().NS
			if _, known := at[ns]; !known {
				at[ns] = len(names)
				names, in = append(names, ns), append(in, nil)
			}
			in[at[ns]] = append(in[at[ns]], i)
		}
	}
	left := make([]int, len(names)) // how many steps of each are not taken
	for n := range names {
		left[n] = len(in[n])
	}
	taken := make([]bool, len(b))
	var list []*place
	for {
		most := 0
		for n := range left {
			if left[n] > left[most] {
				most = n
			}
		}
		if left[most] == 0 {
			return list
		}
		p := new(place)
		for _, i := range in[most] {
			for _, c := range b[i].Changes {
				if n := at[c.Key().NS]; n == most {
					p.objects = append(p.objects, c.Old)
				}
			}
			if taken[i] {
				continue
			}
			taken[i] = true
			p.steps = append(p.steps, b[i])
			for _, c := range b[i].Changes {
				left[at[c.Key().NS]]--
			}
		}
		list = append(list, p)
	}
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
