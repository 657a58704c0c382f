package plan

import (
	"cmp"
	"container/heap"
	"slices"
)

// unit is what one step can create: an object, or a pair.
type unit struct {
	objects []Object
	rank    int  // of its kind
	index   int  // of its first object among the wanted ones
	waits   bool // for something that is replaced
	equal   bool // to what was found
	// freed is what there was of it, when a step before it has deleted that ([Step].Frees), and fell what went with it.
	freed []Object
	fell  []Key

	missing  int // how many of those that it needs are not sorted in yet
	neededBy []*unit
}

// units groups the wanted objects and sorts them so that what an object needs comes before it; where that leaves a
// choice, the order of kinds, then that of want, decides. Equal says which of them are as they were found.
func units(want []Object, equal []bool, kinds []string) []*unit {
	rank := make(map[string]int, len(kinds))
	for i, k := range kinds {
		rank[k] = i
	}
	of := make(map[Key]*unit, len(want))
	all := make([]*unit, 0, len(want))
	room := make([]unit, len(want)) // for all, at once
	for i, o := range want {
		if p, ok := o.(Paired); ok {
			if pair, ok := p.Pair(); ok && of[pair] != nil {
				u := of[pair]
				u.objects, u.equal = append(u.objects, o), u.equal && equal[i]
				slices.SortFunc(u.objects, func(a, b Object) int { return comparePair(a.Key(), b.Key()) })
				of[o.Key()] = u
				continue
			}
		}
		u := &room[i]
		*u = unit{objects: want[i : i+1 : i+1], rank: rank[o.Key().Kind], index: i, equal: equal[i]}
		of[o.Key()] = u
		all = append(all, u)
	}
	return sortUnits(all, of)
}

// comparePair puts the end that names a pair first: namespaces before the host, then by name.
func comparePair(a, b Key) int {
	if (a.NS == "") != (b.NS == "") {
		return -cmp.Compare(a.NS, b.NS)
	}
	return a.Compare(b)
}

// sortUnits is Kahn's algorithm with a heap. Units in a circle of needs, which no topology has, come last.
func sortUnits(all []*unit, of map[Key]*unit) []*unit {
	ready := make(unitHeap, 0, len(all))
	for _, u := range all {
		for _, o := range u.objects {
			for _, k := range o.Needs() {
				if n := of[k]; n != nil && n != u {
					u.missing++
					n.neededBy = append(n.neededBy, u)
				}
			}
		}
		if u.missing == 0 {
			ready = append(ready, u)
		}
	}
	heap.Init(&ready)
	sorted := make([]*unit, 0, len(all))
	for len(ready) > 0 {
		u := heap.Pop(&ready).(*unit)
		sorted = append(sorted, u)
		for _, n := range u.neededBy {
			if n.missing--; n.missing == 0 {
				heap.Push(&ready, n)
			}
		}
	}
	for _, u := range all {
		if u.missing > 0 {
			sorted = append(sorted, u)
		}
	}
	return sorted
}

// unitHeap implements [heap.Interface].
type unitHeap []*unit

func (h unitHeap) Len() int { return len(h) }
func (h unitHeap) Less(i, j int) bool {
	return cmp.Or(cmp.Compare(h[i].rank, h[j].rank), cmp.Compare(h[i].index, h[j].index)) < 0
}
func (h unitHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h *unitHeap) Push(x any)   { *h = append(*h, x.(*unit)) }
func (h *unitHeap) Pop() any {
	last := (*h)[len(*h)-1]
	*h = (*h)[:len(*h)-1]
	return last
}
