package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestInputs shows what each contender is given for the smallest shapes.
func TestInputs(t *testing.T) {
	for _, name := range []string{"hosts-3", "line-3", "grid-2x2", "bridges-2x2"} {
		s, err := parseShape(name)
		if err != nil {
			t.Fatal(err)
		}
		var b strings.Builder
		for _, c := range contenders(tools{"SELF", "PLUMB", "PYTHON"}) {
			b.WriteString(input(t, c, s))
		}
		golden(t, name+".txt", b.String())
	}
}

// input is a contender's steps and files as text.
func input(t *testing.T, c contender, s shape) string {
	t.Helper()
	dir := t.TempDir()
	steps, err := c.steps(s, dir)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "==== %s\n", c.name)
	for _, step := range steps {
		fmt.Fprintf(&b, "%s: %s\n", step.Op, strings.Join(step.Args, " "))
	}
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if !f.Type().IsRegular() || f.Name() == "driver.py" {
			continue
		}
		text, err := os.ReadFile(filepath.Join(dir, f.Name()))
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "-- %s\n%s\n", f.Name(), strings.TrimRight(string(text), "\n"))
	}
	return strings.ReplaceAll(b.String(), dir, "DIR")
}
