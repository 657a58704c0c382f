package main

import (
	"bytes"
	"errors"
	"testing"

	"github.com/plumbnet/plumb/pkg/agent"
	"github.com/plumbnet/plumb/pkg/topology"
)

// TestWatchEnds holds that a first apply that fails ends a watch, and nothing that an edit brings.
func TestWatchEnds(t *testing.T) {
	list, problems := topology.Load(topology.Input{Name: "lab.yaml", Data: []byte("name: lab\n---\nname: other\n")})
	if problems.HasErrors() {
		t.Fatal(problems)
	}
	lab, other := list[0], list[1]
	var stopped error
	w := &watcher{
		env:  &env{stdout: new(bytes.Buffer), stderr: new(bytes.Buffer)},
		stop: func(err error) { stopped = err }, first: map[string]bool{"lab": true},
	}
	failed := errors.New("no")
	w.tell(agent.Event{What: agent.Refused, Topology: other, Err: failed})
	w.tell(agent.Event{What: agent.Failed, Topology: lab})
	if stopped != nil {
		t.Errorf("it ended: %v", stopped)
	}
	w.tell(agent.Event{What: agent.Failed, Topology: lab, Err: failed})
	if !errors.Is(stopped, failed) {
		t.Errorf("a first apply that failed: %v", stopped)
	}
	stopped = nil
	w.tell(agent.Event{What: agent.Applied, Topology: lab})
	w.tell(agent.Event{What: agent.Failed, Topology: lab, Err: failed})
	if stopped != nil {
		t.Errorf("an edit ended it: %v", stopped)
	}
}
