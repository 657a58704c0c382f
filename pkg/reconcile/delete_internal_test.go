package reconcile

import (
	"errors"
	"fmt"
	"testing"

	"github.com/plumbnet/plumb/pkg/link"
	"github.com/plumbnet/plumb/pkg/plan"
)

// cables are steps that delete a cable between each two namespaces that follow each other.
func cables(names ...string) (b batch) {
	for i := range len(names) - 1 {
		near, far := link.Link{NS: names[i], Name: fmt.Sprint("r", i)}, link.Link{NS: names[i+1], Name: fmt.Sprint("l", i+1)}
		b = append(b, plan.Step{Action: plan.Delete, Changes: []plan.Change{{Old: near}, {Old: far}}})
	}
	return b
}

// A line of cables goes from every other namespace, and all that is in one of them goes at once.
func TestPlaces(t *testing.T) {
	list := places(cables("a", "b", "c", "d", "e"))
	var got string
	for _, p := range list {
		got += fmt.Sprintf("%s%v%d ", p.ns, p.steps, len(p.objects))
	}
	if want := "b[0 1]2 d[2 3]2 "; got != want {
		t.Errorf("the places are %s, want %s", got, want)
	}
	inside := places(cables("a", "a"))
	if len(inside) != 1 || len(inside[0].objects) != 1 {
		t.Errorf("a cable inside a namespace is deleted by both ends")
	}
}

// What one of its places has deleted is done, though another failed, and what none has begun has no result.
func TestNoteDeletions(t *testing.T) {
	b := cables("a", "b", "c", "d", "e", "f")
	list := places(b) // b, d, and one for the last
	list[0].begun, list[0].err = true, errInterrupted
	list[1].begun = true
	r := &run{Host: &Host{Options: Options{Progress: func(plan.Outcome) {}}}}
	l := r.newLedger(b, false)
	noteDeletions(b, list, l)
	for i, want := range []plan.Result{plan.Failed, plan.Failed, plan.Done, plan.Done, ""} {
		o := l.outcomes[i]
		if o.Result != want || (want == plan.Failed) != errors.Is(o.Err, errInterrupted) {
			t.Errorf("step %d: %q (%v), want %q", i, o.Result, o.Err, want)
		}
	}
}
