package reconcile

import (
	"cmp"
	"math"
	"slices"

	"github.com/plumbnet/plumb/pkg/link"
	"github.com/plumbnet/plumb/pkg/object"
	"github.com/plumbnet/plumb/pkg/plan"
)

// arrange moves batches to where they wait for less. What is in one namespace is made as soon as its links are, while others are
// still to come: needed is how many of those that are made beside the batches one has to wait for. What wants new bridges to be up
// comes last, for as soon as a new bridge is up it floods what each end of its cables has to say, groups that it joins and routers that
// it looks for, over all ports: with a thousand that keeps a processor busy for a second, and what is done meanwhile takes several times
// as long. Flooded is the number of the first such batch, that of all when there is none.
//
// Nothing passes what it needs, nor what is not [movable]: a deletion, a replacement, a refusal, a namespace that is not made beside
// others, a change of a link or of a parameter, a parameter of the host.
func arrange(list []batch, needed func(batch) int) (arranged []batch, flooded int) {
	bridges := withNewBridges(list)
	for len(list) > 0 {
		n := 1
		for movable(list[0]) && n < len(list) && movable(list[n]) {
			n++
		}
		for _, t := range inTurn(list[:n], needed, bridges) {
			arranged = append(arranged, t.batch)
		}
		list = list[n:]
	}
	flooded = slices.IndexFunc(arranged, func(b batch) bool { return afterLinks(b) && bridges[b[0].Key().NS] })
	if flooded < 0 {
		flooded = len(arranged)
	}
	return arranged, flooded
}

// withNewBridges tells the sections in which bridges are made.
func withNewBridges(list []batch) sections {
	found := make(sections)
	for _, b := range list {
		if l, ok := b[0].Changes[0].New.(link.Link); ok && l.Type == link.TypeBridge && b[0].Action == plan.Create {
			found[l.NS] = true
		}
	}
	return found
}

// movable says whether a batch is one of a run that may change places: new links and parameters, and all that wants links to be
// finished.
func movable(b batch) bool {
	return afterLinks(b) || b[0].Action == plan.Create && beside(b[0])
}

// afterLinks says whether a batch makes or changes something that wants links to be finished.
func afterLinks(b batch) bool { return !deletes(b[0]) && !alone(b[0]) && kindOf(b[0]).AfterLinks }

// turn is a batch with how many of what is made beside it must be there.
type turn struct {
	batch
	after int
}

// inTurn sorts a run of batches, those of the same turn as they were. What wants the links of one section to be finished keeps its order:
// each waits for all links before it, so that turns only grow from one to the next, and a route stays behind its gateway's address. (NAT
// waits for all namespaces; it is last.)
func inTurn(run []batch, needed func(batch) int, bridges sections) []turn {
	made := make(map[plan.Key]int) // when an object is
	linked := make(map[string]int) // when all links of a section are
	turns := make([]turn, len(run))
	for i, b := range run {
		after := needed(b)
		for _, k := range needs(b) {
			after = max(after, made[k])
		}
		if ns := b[0].Key().NS; afterLinks(b) {
			after = max(after, linked[ns])
			if bridges[ns] {
				after = math.MaxInt
			}
		}
		turns[i] = turn{b, after}
		for _, s := range b {
			for _, c := range s.Changes {
				k := c.Key()
				made[k] = after
				if k.Kind == object.KindLink {
					linked[k.NS] = max(linked[k.NS], after)
				}
			}
		}
	}
	slices.SortStableFunc(turns, func(a, b turn) int { return cmp.Compare(a.after, b.after) })
	return turns
}
