package reconcile

import (
	"errors"
	"fmt"
	"testing"

	"github.com/plumbnet/plumb/pkg/kinds"
	"github.com/plumbnet/plumb/pkg/link"
	"github.com/plumbnet/plumb/pkg/object"
	"github.com/plumbnet/plumb/pkg/plan"
)

// cables are steps that delete a cable between each two namespaces that follow each other.
func cables(names ...string) (steps []plan.Step) {
	for i := range len(names) - 1 {
		near, far := link.Link{NS: names[i], Name: fmt.Sprint("r", i)}, link.Link{NS: names[i+1], Name: fmt.Sprint("l", i+1)}
		steps = append(steps, plan.Step{Action: plan.Delete, Changes: []plan.Change{{Old: near}, {Old: far}}})
	}
	return steps
}

// deleting is the one unit of steps that delete cables.
func deleting(steps []plan.Step) (*run, *unit) {
	r := &run{Host: &Host{Options: Options{Progress: func(plan.Outcome) {}}}, env: &object.Env{Table: kinds.Table()}}
	return r, r.graph(steps, false)[0]
}

// A line of cables goes from every other namespace, and all that is in one of them goes at once.
func TestDeletions(t *testing.T) {
	_, u := deleting(cables("a", "b", "c", "d", "e"))
	var got string
	for _, c := range u.calls {
		got += fmt.Sprintf("%s%v%d ", c.sections[0], c.steps, len(c.objects))
	}
	if want := "b[0 1]2 d[2 3]2 "; got != want {
		t.Errorf("the places are %s, want %s", got, want)
	}
	_, inside := deleting(cables("a", "a"))
	if len(inside.calls) != 1 || len(inside.calls[0].objects) != 1 {
		t.Errorf("a cable inside a namespace is deleted by both ends")
	}
}

// What one of its places has deleted is done, though another failed, and what none has begun has no result.
func TestNoteDeletions(t *testing.T) {
	steps := cables("a", "b", "c", "d", "e", "f")
	r, u := deleting(steps) // in b, d, and one for the last
	u.calls[0].begun, u.calls[0].err = true, errInterrupted
	u.calls[1].begun = true
	x := &executor{run: r, ledger: r.newLedger(steps, false)}
	x.note(u)
	for i, want := range []plan.Result{plan.Failed, plan.Failed, plan.Done, plan.Done, ""} {
		o := x.ledger.outcomes[i]
		if o.Result != want || (want == plan.Failed) != errors.Is(o.Err, errInterrupted) {
			t.Errorf("step %d: %q (%v), want %q", i, o.Result, o.Err, want)
		}
	}
}
