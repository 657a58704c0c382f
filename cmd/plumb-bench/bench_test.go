package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// forRoot leaves a test out for others.
func forRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("not root")
	}
}

// TestBench builds the smallest shapes in every way, and sees that each has what it must have, that it is gone after,
// and that nothing of the machine's own network has changed.
func TestBench(t *testing.T) {
	forRoot(t)
	dir := t.TempDir()
	o, err := parseOptions([]string{
		"-plumb", build(t, "github.com/plumbnet/plumb/cmd/plumb"), "-shapes", "hosts-3,bridges-2x2,line-3,grid-2x2",
		"-rounds", "1", "-settle", "0s",
		"-json", filepath.Join(dir, "bench.json"), "-md", filepath.Join(dir, "bench.md"),
	}, os.Stderr)
	if err != nil {
		t.Fatal(err)
	}
	var stdout, stderr bytes.Buffer
	if err := bench(t.Context(), o, &stdout, &stderr); err != nil {
		t.Fatalf("%v\n%s", err, &stderr)
	}
	table, err := os.ReadFile(o.md)
	if err != nil || stdout.String() != string(table) {
		t.Errorf("the table's file is not what is printed: %v", err)
	}
	checkReport(t, o.json)
}

// checkReport sees that the report has all that was measured.
func checkReport(t *testing.T, path string) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var r report
	if err := json.Unmarshal(text, &r); err != nil {
		t.Fatal(err)
	}
	if r.Format != reportFormat {
		t.Errorf("format %q", r.Format)
	}
	var got []string
	for _, f := range r.Medians {
		if f.Milliseconds <= 0 || f.PeakKiB <= 0 || f.Rounds != 1 {
			t.Errorf("median %+v", f)
		}
		if f.Shape == "hosts-3" && f.Contender != "mininet" { // which need not be there
			got = append(got, f.Contender+" "+f.Op)
		}
	}
	want := []string{
		"floor up", "floor read", "floor down", "plumb up", "plumb noop", "plumb diff", "plumb change", "plumb down",
		"script up", "script down", "batch up", "batch down",
	}
	if !slices.Equal(got, want) {
		t.Errorf("measured %q, not %q", got, want)
	}
}

// TestFailedStep sees that a step which fails, or does not do what it should, ends the cell with the reason.
func TestFailedStep(t *testing.T) {
	forRoot(t)
	s, err := parseShape("hosts-3")
	if err != nil {
		t.Fatal(err)
	}
	floor, err := tools{self: os.Args[0]}.floorSteps(s, "")
	if err != nil {
		t.Fatal(err)
	}
	lazy, leaky, silent := slices.Clone(floor), slices.Clone(floor[:1]), slices.Clone(floor)
	lazy[0].Args = []string{"true"}
	leaky = append(leaky, step{Op: "down", Args: []string{"true"}, Expect: nothing()})
	silent[0].Expect = &expectation{namedDir, s.census(), &probe{"h1", address(99, 1)}}
	for name, tt := range map[string]struct {
		steps []step
		want  string
	}{
		"fails":          {[]step{{Op: "up", Args: []string{"sh", "-c", "echo the reason >&2; exit 3"}}}, "the reason"},
		"makes nothing":  {lazy, "up: there are {Namespaces:0"},
		"leaves it all":  {leaky, "down: there are {Namespaces:3"},
		"does not reach": {silent, "up: ping from h1 to 10.99.0.1"},
	} {
		if _, err := runCell(t.Context(), os.Args[0], job{Steps: tt.steps}); err == nil ||
			!strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: error %v, not %q", name, err, tt.want)
		}
	}
}

// TestTimes: what can only be done once is done several times when it is taken back between them.
func TestTimes(t *testing.T) {
	forRoot(t)
	once := step{Op: "once", Args: []string{"mkdir", "/run/once"}, Times: repeats}
	if _, err := runCell(t.Context(), os.Args[0], job{Steps: []step{once}}); err == nil ||
		!strings.Contains(err.Error(), "File exists") {
		t.Errorf("the error is %v, want that it is there", err)
	}
	again := once
	again.Back = []string{"rmdir", "/run/once"}
	left := step{Op: "left", Args: []string{"rmdir", "/run/once"}}
	if samples, err := runCell(t.Context(), os.Args[0], job{Steps: []step{again, left}}); err != nil || len(samples) != 2 {
		t.Errorf("%v, %v", samples, err)
	}
}

// TestChangesAreTakenBack: without that only the first of several would be a change.
func TestChangesAreTakenBack(t *testing.T) {
	s, err := parseShape("hosts-3")
	if err != nil {
		t.Fatal(err)
	}
	steps, err := tools{plumb: "plumb"}.plumbSteps(s, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range steps {
		if step.Times > 1 && (step.Expect != nil) != (len(step.Back) > 0) {
			t.Errorf("%s makes %v, and goes back by %q", step.Op, step.Expect, step.Back)
		}
	}
}

// TestInterrupt sees that what a cell runs does not outlive it.
func TestInterrupt(t *testing.T) {
	forRoot(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	alive := filepath.Join(t.TempDir(), "alive")
	sleeper := []step{{Op: "up", Args: []string{"sh", "-c", "while sleep 0.1; do echo >>" + alive + "; done"}}}
	if _, err := runCell(ctx, os.Args[0], job{Steps: sleeper}); err == nil {
		t.Error("a cell that was ended brought samples")
	}
	size := func() int64 {
		info, err := os.Stat(alive)
		if err != nil {
			t.Fatal(err)
		}
		return info.Size()
	}
	before := size()
	time.Sleep(500 * time.Millisecond)
	if size() != before {
		t.Error("the step's command is alive")
	}
}

func TestChooseContenders(t *testing.T) {
	all := contenders(tools{})
	chosen, err := choose(contenders(tools{}), []string{"batch", "floor"})
	if err != nil || len(chosen) != 2 || chosen[0].name != "floor" || chosen[1].name != "batch" {
		t.Errorf("chosen %v, %v", chosen, err)
	}
	if chosen, err := choose(all, nil); err != nil || len(chosen) != len(all) {
		t.Errorf("chosen %v, %v", chosen, err)
	}
	if _, err := choose(all, []string{"docker"}); err == nil {
		t.Error("docker is a contender")
	}
	var names []string
	for _, c := range all {
		names = append(names, c.name)
	}
	if !slices.Equal(names, columns) {
		t.Errorf("the contenders are %q, and the table's columns %q", names, columns)
	}
}
