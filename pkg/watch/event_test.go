package watch

import (
	"fmt"
	"testing"
	"time"
)

// all takes what waits.
func (q *queue) all() (list []Event) {
	for e, ok := q.take(); ok; e, ok = q.take() {
		list = append(list, e)
	}
	return list
}

// What says the same is folded, and keeps its place and has the later time.
func TestFold(t *testing.T) {
	q := newQueue()
	for range 3 {
		q.add(Event{Section: "a", What: "link x"})
		q.add(Event{Section: "b", What: "link x"})
	}
	q.add(Event{Section: "a", What: "link x", By: "pid 1"})
	again := time.Now()
	q.add(Event{Section: "a", What: "link x"})
	list := q.all()
	for i, want := range []Event{
		{Section: "a", What: "link x"}, {Section: "b", What: "link x"}, {Section: "a", What: "link x", By: "pid 1"},
	} {
		if i >= len(list) || list[i].Section != want.Section || list[i].What != want.What || list[i].By != want.By {
			t.Fatalf("%+v", list)
		}
	}
	if len(list) != 3 || list[0].At.Before(again) || !list[1].At.Before(again) {
		t.Errorf("%+v", list)
	}
	q.add(Event{Section: "a", What: "link x"})
	if list := q.all(); len(list) != 1 {
		t.Errorf("what was taken is not told again: %+v", list)
	}
}

// However much is told of a section, it is few events; and after all those of others there is place for it again.
func TestFoldMany(t *testing.T) {
	q := newQueue()
	for i := range 1000 {
		for _, section := range []string{"", "a"} {
			q.add(Event{Section: section, What: fmt.Sprintf("route %d", i), By: "pid 1"})
		}
		if i == 500 {
			for range 5 {
				q.take()
			}
		}
	}
	list := q.all()
	if len(list) > 2*(most+1) {
		t.Errorf("%d events: %+v", len(list), list)
	}
	if len(q.place)+len(q.held)+len(q.waiting) > 0 {
		t.Errorf("the queue is empty, and holds %v %v %v", q.place, q.held, q.waiting)
	}
}

// That everything may have changed makes all that waits needless, but not what comes later.
func TestFoldAll(t *testing.T) {
	q := newQueue()
	q.add(Event{Section: "a", What: "link x"})
	q.take()
	q.add(Event{Section: "a", What: "link x"})
	q.add(Event{Section: "b", What: "link y"})
	q.add(Event{All: true, What: "overrun"})
	q.add(Event{Section: "a", What: "link x"})
	list := q.all()
	if len(list) != 2 || !list[0].All || list[1].Section != "a" {
		t.Errorf("%+v", list)
	}
}
