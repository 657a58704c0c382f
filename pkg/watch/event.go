package watch

import (
	"sync"
	"time"
)

// Event says that something has changed, or may have.
type Event struct {
	// Section is empty for the host's own network, else the name that the namespace is followed by.
	Section string
	// All says that everything may have changed, in all sections.
	All bool
	// What changed, in plain words: "link eth0", "route default deleted".
	What string
	// By is who did it, as "pid 123 (ip)", where the kernel tells; empty is unknown. For addresses, routes and rules it
	// is a hint: programs may call themselves otherwise.
	By string
	// At is when it was heard of. A look at the section that began later has seen the change.
	At time.Time
}

// most is how many different events of a section wait to be taken. What comes on top is told as one.
const most = 8

// queue keeps events until they are taken, and folds those that say the same. Adding never waits.
type queue struct {
	wake chan struct{} // holds one when there may be events

	mu      sync.Mutex
	waiting []Event
	taken   int            // how many have been taken from the front since the beginning
	place   map[Event]int  // of each that waits, without its time, counted since the beginning
	held    map[string]int // how many of each section wait
}

func newQueue() *queue {
	return &queue{wake: make(chan struct{}, 1), place: make(map[Event]int), held: make(map[string]int)}
}

// add adds an event that is heard of now.
func (q *queue) add(e Event) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if e.All { // the others say nothing more
		q.taken += len(q.waiting)
		q.waiting = nil
		clear(q.place)
		clear(q.held)
	}
	e.At = time.Time{}
	if _, waits := q.place[e]; !waits && q.held[e.Section] >= most {
		e.What, e.By = "more changes", ""
	}
	at, waits := q.place[e]
	if !waits {
		at = q.taken + len(q.waiting)
		q.place[e] = at
		q.held[e.Section]++
		q.waiting = append(q.waiting, e)
	}
	q.waiting[at-q.taken].At = time.Now()
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// take takes the event that has waited for the longest time.
func (q *queue) take() (e Event, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.waiting) == 0 {
		return Event{}, false
	}
	e = q.waiting[0]
	q.waiting = q.waiting[1:]
	q.taken++
	key := e
	key.At = time.Time{}
	delete(q.place, key)
	if q.held[e.Section]--; q.held[e.Section] == 0 {
		delete(q.held, e.Section)
	}
	return e, true
}

// deliver hands the events to whoever takes them, until done is closed.
func (q *queue) deliver(events chan<- Event, done <-chan struct{}) {
	for {
		e, ok := q.take()
		if !ok {
			select {
			case <-q.wake:
				continue
			case <-done:
				return
			}
		}
		select {
		case events <- e:
		case <-done:
			return
		}
	}
}
