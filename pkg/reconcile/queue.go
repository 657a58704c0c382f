package reconcile

import (
	"cmp"
	"container/heap"
	"slices"
)

// queue holds the calls that can be made when their sections are free.
type queue struct {
	free  calls             // none of whose sections is in use, as far as is known
	wait  map[string]*calls // for a section that is in use
	inUse map[string]bool   // by a call that was taken
}

func newQueue() *queue { return &queue{wait: make(map[string]*calls), inUse: make(map[string]bool)} }

func (q *queue) push(c *call) {
	for _, s := range c.sections {
		if q.inUse[s] {
			if q.wait[s] == nil {
				q.wait[s] = new(calls)
			}
			heap.Push(q.wait[s], c)
			return
		}
	}
	heap.Push(&q.free, c)
}

// take takes the first call whose sections are free; nil for none.
func (q *queue) take() *call {
	for len(q.free) > 0 {
		c := heap.Pop(&q.free).(*call)
		if !slices.ContainsFunc(c.sections, func(s string) bool { return q.inUse[s] }) {
			for _, s := range c.sections {
				q.inUse[s] = true
			}
			return c
		}
		q.push(c)
		q.retry(c.sections)
	}
	return nil
}

// takeLike takes all calls that one can be joined with, which was taken.
func (q *queue) takeLike(c *call) (taken []*call) {
	for _, from := range []*calls{&q.free, q.wait[c.sections[0]]} {
		if from == nil {
			continue
		}
		*from = slices.DeleteFunc(*from, func(other *call) bool {
			joins := c.joins(other.unit)
			if joins {
				taken = append(taken, other)
			}
			return joins
		})
		heap.Init(from)
	}
	slices.SortFunc(taken, func(a, b *call) int { return cmp.Compare(a.number, b.number) })
	return taken
}

// release frees the sections of a call that has ended.
func (q *queue) release(c *call) {
	for _, s := range c.sections {
		delete(q.inUse, s)
	}
	q.retry(c.sections)
}

// retry has the first call that waits for each section, if that is free now, be looked at again.
func (q *queue) retry(sections []string) {
	for _, s := range sections {
		if w := q.wait[s]; w != nil && len(*w) > 0 && !q.inUse[s] {
			heap.Push(&q.free, heap.Pop(w))
		}
	}
}

// calls is a heap by rank.
type calls []*call

func (h calls) Len() int           { return len(h) }
func (h calls) Less(i, j int) bool { return h[i].rank < h[j].rank }
func (h calls) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *calls) Push(x any)        { *h = append(*h, x.(*call)) }
func (h *calls) Pop() any {
	last := len(*h) - 1
	c := (*h)[last]
	*h = (*h)[:last]
	return c
}
