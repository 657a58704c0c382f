package reconcile

import (
	"slices"

	"github.com/plumbnet/plumb/pkg/kernel"
	"github.com/plumbnet/plumb/pkg/object"
	"github.com/plumbnet/plumb/pkg/plan"
)

// oneNameEach leaves each namespace one of its names, for a namespace is its inode: the others are nobody's. It is the
// one that the topology wants, or else the one by which plumb knows it. The first section is the host's.
func (r *run) oneNameEach(found []*object.Section, stamps []object.NamespaceStamp) {
	named := make(map[kernel.ID][]int)
	for i, s := range found {
		if s != nil {
			named[s.NS.ID()] = append(named[s.NS.ID()], i)
		}
	}
	for _, list := range named {
		if len(list) == 1 {
			found[list[0]].AlsoNamed = nil
			continue
		}
		keep := list[0]
		if keep > 0 {
			keep = slices.MaxFunc(list, func(a, b int) int { return r.knownAs(found[a]) - r.knownAs(found[b]) })
		}
		var others []string
		for _, i := range list {
			if i == keep {
				continue
			}
			others = append(others, found[i].NS.Name)
			why := "is another name of namespace " + found[keep].NS.Name + ": leave one of them out"
			if keep == 0 {
				why = "is the host's own namespace: choose another name"
			}
			stamps[i] = object.NamespaceStamp{Class: plan.Foreign, Final: true, Why: why}
			found[i].NS.Close()
			found[i] = nil
		}
		found[keep].AlsoNamed = others
	}
}

// knownAs says how well plumb knows a namespace by the name that its section has.
func (r *run) knownAs(s *object.Section) (points int) {
	k := object.NamespaceKey(s.NS.Name)
	if r.env.Wanted(k) {
		points += 4
	}
	if r.env.Record.Holds(k) || r.env.Record.Pending(k) {
		points += 2
	}
	if slices.ContainsFunc(s.Links, func(l object.LiveLink) bool {
		topology, ns, _, ok := object.ParseAlias(l.Alias)
		return ok && topology == r.topology && ns == s.NS.Name
	}) {
		points++
	}
	return points
}
