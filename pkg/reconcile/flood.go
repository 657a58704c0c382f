package reconcile

import (
	"maps"
	"slices"

	"github.com/plumbnet/plumb/pkg/kernel"
	"github.com/plumbnet/plumb/pkg/kind"
	"github.com/plumbnet/plumb/pkg/plan"
)

// As soon as a new bridge is up it floods what each end of its cables has to say, groups that it joins and routers that it looks for,
// over all ports. With a thousand that keeps a processor busy for a second, and what is done meanwhile takes several times as
// long. So all is done before that can be.

// besideBridgesLast moves what wants new bridges to be up behind what is made at the same time in sections that have none. First is
// the number of the first batch that does, that of all when none does.
func besideBridgesLast(list []batch) (_ []batch, first int) {
	waits := make(map[string]bool)
	for _, b := range list {
		if l, ok := b[0].Changes[0].New.(kind.Link); ok && l.Type == kind.Bridge && b[0].Action == plan.Create {
			waits[l.NS] = true
		}
	}
	last := func(b batch) int {
		if waits[b[0].Key().NS] {
			return 1
		}
		return 0
	}
	for i := 0; i < len(list); i++ {
		end := i
		for end < len(list) && afterLinks(list[end]) {
			end++
		}
		slices.SortStableFunc(list[i:end], func(a, b batch) int { return last(a) - last(b) })
		i = end
	}
	if first = slices.IndexFunc(list, func(b batch) bool { return afterLinks(b) && last(b) == 1 }); first < 0 {
		first = len(list)
	}
	return list, first
}

// afterLinks says whether a batch makes something that wants links to be finished.
func afterLinks(b batch) bool { return !deletes(b[0]) && !alone(b[0]) && kindOf(b[0]).AfterLinks }

// readEarly reads the namespaces that are done with, if a crowd of ports is about to be flooded: what is still to be made, and that
// bridges come up in others, changes nothing in them. The look that verifies the run takes them as they are: those of early.
func (r *run) readEarly(done, rest []batch) (early sections, err error) {
	waiting := r.env.WithCrowd()
	if waiting == nil {
		return nil, nil
	}
	touched, again := touchedBy(slices.Concat(done...)), touchedBy(slices.Concat(rest...))
	if touched == nil || again == nil {
		return nil, nil // all may be
	}
	names := slices.Sorted(maps.Keys(touched))
	names = slices.DeleteFunc(names, func(name string) bool { return name == "" || again[name] || waiting[name] })
	found := make([]*kind.Section, len(names))
	err = kernel.Each(r.Workers, len(names), func(t kernel.Thread, i int) (err error) {
		found[i], _, err = r.openNamed(t, names[i], r.env.Sections[""].NS)
		return err
	})
	if err != nil {
		return nil, err
	}
	early = make(sections, len(found))
	for i, s := range found {
		if s == nil {
			continue // it is gone: the look will tell
		}
		if old := r.env.Sections[names[i]]; old != nil {
			old.NS.Close()
		}
		r.env.Sections[names[i]], early[names[i]] = s, true
		delete(r.lists, names[i])
	}
	return early, nil
}
