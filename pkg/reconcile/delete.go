package reconcile

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/plumbnet/plumb/pkg/kernel"
	"github.com/plumbnet/plumb/pkg/object"
	"github.com/plumbnet/plumb/pkg/plan"
)

// place is a namespace in which one call deletes objects.
type place struct {
	ns      string
	steps   []int // that have an object in it, by number
	left    int   // how many of them no chosen place has
	objects []plan.Object
	begun   bool
	err     error
}

// fail notes the error of deleting steps of a batch here, nil for none.
func (p *place) fail(b batch, err error) {
	if err != nil {
		p.err = fmt.Errorf("%s: %w", b[p.steps[0]].Key().Label(), err)
	}
}

// places chooses where to delete. Of a cable's two ends either will do, and as few namespaces as may be are wanted: the kernel waits
// for all processors in each of them. So the one in which most is left to delete is taken, time after time. A place deletes all
// that is in it, also what another has deleted already: a group of links can go as a whole then, and what has gone is no
// error.
func places(b batch) (chosen []*place) {
	all, at, shared := placesOf(b)
	if !shared {
		return all
	}
	taken := make([]bool, len(b))
	for p := busiest(all); p.left > 0; p = busiest(all) {
		for _, i := range p.steps {
			if taken[i] {
				continue
			}
			taken[i] = true
			for _, ns := range namespacesOf(b[i]) {
				at[ns].left--
			}
		}
		chosen = append(chosen, p)
	}
	return chosen
}

// placesOf lists all namespaces in which there is something to delete; shared says that something can be deleted in two.
func placesOf(b batch) (all []*place, at map[string]*place, shared bool) {
	at = make(map[string]*place)
	for i, s := range b {
		list := namespacesOf(s)
		shared = shared || len(list) > 1
		for _, ns := range list {
			p := at[ns]
			if p == nil {
				p = &place{ns: ns}
				at[ns], all = p, append(all, p)
			}
			p.steps, p.left = append(p.steps, i), p.left+1
			p.objects = append(p.objects, objectIn(s, ns))
		}
	}
	return all, at, shared
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

// many is from how many namespaces on it is worth it to delete them beside links: a few are unmounted sooner than both hinder each other.
const many = 50

// withLinks takes the deletion of many namespaces out of the batches of a destroy, to be made with that of links, if nothing is between.
func (r *run) withLinks(list []batch) (rest []batch, links int, namespaces batch) {
	begins := func(b batch) bool { return deletes(b[0]) && kindOf(b[0]).BeginDel != nil }
	links = slices.IndexFunc(list, func(b batch) bool { return deletes(b[0]) && b[0].Key().Kind == object.KindLink })
	last := slices.IndexFunc(list, begins)
	if !r.leaving || r.Workers < 2 || links < 0 || last != links+1 || len(list[last]) < many {
		return list, -1, nil
	}
	return slices.Delete(slices.Clone(list), last, last+1), links, list[last]
}

// deleteWith deletes links, and beside them namespaces: while the kernel waits for all processors there is time to unmount. Where links are
// deleted in namespaces those come after.
func (r *run) deleteWith(links, namespaces batch, l *ledger) error {
	l.begin(links[0])
	names := places(namespaces)[0] // all are on the host
	begin := func() (wait func() error) {
		names.begun = true
		return kindOf(namespaces[0]).BeginDel(r.env, names.objects)
	}
	var wait func() error
	if list := places(links); len(list) == 1 && list[0].ns == "" {
		wait = begin()
	}
	failed := r.delete(links, l, true)
	if wait == nil {
		if err := r.interrupted(); err != nil {
			return also(failed, err)
		}
		wait = begin()
	}
	l.begin(namespaces[0])
	names.fail(namespaces, wait())
	noteDeletions(namespaces, []*place{names}, l)
	return errors.Join(failed, names.err)
}

// delete carries out deletions of one kind, those of several namespaces at once where they may be.
func (r *run) delete(b batch, l *ledger, pastFailures bool) error {
	k := kindOf(b[0])
	workers := 1
	if k.Apart {
		workers = kernel.Waiters(r.Workers)
	}
	list := places(b)
	stopped := kernel.Each(workers, len(list), func(t kernel.Thread, i int) error {
		if err := r.interrupted(); err != nil {
			return err
		}
		p := list[i]
		p.begun = true
		p.fail(b, r.deleteIn(t, p, k))
		if p.err != nil && !pastFailures {
			return errFailed
		}
		return nil
	})
	if errors.Is(stopped, errFailed) {
		stopped = nil // it is told with its place
	}
	for _, p := range list {
		stopped = errors.Join(stopped, p.err)
	}
	noteDeletions(b, list, l)
	return stopped
}

var errFailed = errors.New("failed")

// deleteIn deletes the objects of one place. With a namespace that is gone they are too.
func (r *run) deleteIn(t kernel.Thread, p *place, k *object.Kind) error {
	if s := r.env.Sections[p.ns]; s != nil {
		s.NS.Use(t)
	}
	err := k.Del(r.env, p.objects)
	if errors.Is(err, kernel.ErrGone) && !k.Last {
		err = nil
	}
	return err
}

// noteDeletions notes what has become of each step: it is done if it was in one of its places.
func noteDeletions(b batch, list []*place, l *ledger) {
	done, failed := make([]bool, len(b)), make([]error, len(b))
	for _, p := range list {
		for _, i := range p.steps {
			done[i] = done[i] || p.begun && p.err == nil
			if failed[i] == nil {
				failed[i] = p.err
			}
		}
	}
	for i, s := range b {
		switch {
		case done[i]:
			l.note(s, nil)
		case failed[i] != nil:
			l.note(s, failed[i])
		}
	}
}
