package reconcile

import (
	"maps"
	"slices"

	"github.com/plumbnet/plumb/pkg/kernel"
	"github.com/plumbnet/plumb/pkg/kind"
)

// readEarly reads the namespaces that are done with, if a crowd of ports is about to be flooded (see [arrange]): what is still to be
// made, and that bridges come up in others, changes nothing in them. The look that verifies the run takes them as they are: those of
// early.
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
		found[i], _, err = r.openNamed(t, names[i], r.env.Sections[""].NS, nil, r.env.Sections[names[i]])
		return err
	})
	if err != nil {
		return nil, err
	}
	early, r.lists = make(sections, len(found)), maps.Clone(r.lists)
	for i, s := range found {
		if s == nil {
			continue // it is gone: the look will tell
		}
		if old := r.env.Sections[names[i]]; old != nil && old.NS != s.NS {
			old.NS.Close()
		}
		r.env.Sections[names[i]], early[names[i]] = s, true
		delete(r.lists, names[i])
	}
	return early, nil
}
