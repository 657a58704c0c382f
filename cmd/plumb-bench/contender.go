package main

import (
	"fmt"
	"os"
)

// contender is a way of building a network.
type contender struct {
	name string
	// slow says that the rounds end when the budget is spent.
	slow bool
	// steps writes what the contender needs for a shape to a folder, and gives the commands to run in a cell, in order.
	// There are none if it cannot build the shape.
	steps func(s shape, dir string) ([]step, error)
}

// tools are the programs that the contenders are.
type tools struct {
	self, plumb string
	python      string // one that has mininet; empty: none
}

// contenders are in the order in which they take turns.
func contenders(t tools) []contender {
	return []contender{
		{"floor", false, t.floorSteps},
		{"plumb", false, t.plumbSteps},
		{"script", true, scriptSteps},
		{"batch", true, batchSteps},
		{"mininet", true, t.mininetSteps},
	}
}

// step is a command that a cell runs and times.
type step struct {
	Op     string       `json:"op"`
	Args   []string     `json:"args"`
	Expect *expectation `json:"expect,omitempty"` // when the command is done
	// Times says how often to run it, of which the median counts: once where it is 0.
	Times int `json:"times,omitempty"`
	// Back is a command that makes it possible to run it again.
	Back []string `json:"back,omitempty"`
}

// repeats is how often to run what takes a tenth of a second at most: once would say little.
const repeats = 3

// expectation is what a network must be like.
type expectation struct {
	Dir    string `json:"dir"` // where the files of its namespaces are
	Census census `json:"census"`
	Ping   *probe `json:"ping,omitempty"`
}

// namedDir has the files of named namespaces, as ip netns makes them.
const namedDir = "/run/netns"

func (s shape) built(dir string) *expectation { return &expectation{dir, s.census(), &s.ping} }

func nothing() *expectation { return &expectation{Dir: namedDir} }

func (t tools) floorSteps(s shape, _ string) ([]step, error) {
	return []step{
		{Op: "up", Args: []string{t.self, "floor", "up", s.name}, Expect: s.built(namedDir)},
		{Op: "read", Args: []string{t.self, "floor", "read", namedDir}, Times: repeats},
		{Op: "down", Args: []string{t.self, "floor", "down", s.name}, Expect: nothing()},
	}, nil
}

func writeFiles(files map[string]string) error {
	for path, text := range files {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			return fmt.Errorf("write a contender's input: %w", err)
		}
	}
	return nil
}
