package main

import (
	"bytes"
	"strings"
	"testing"
)

func TestPlot(t *testing.T) {
	const in = `{"format": "plumb/bench/v1", "medians": [
		{"shape": "hosts-10", "namespaces": 10, "contender": "floor", "op": "up", "ms": 12},
		{"shape": "hosts-1000", "namespaces": 1000, "contender": "floor", "op": "up", "ms": 900},
		{"shape": "hosts-10", "namespaces": 10, "contender": "plumb", "op": "up", "ms": 20},
		{"shape": "hosts-10", "namespaces": 10, "contender": "plumb", "op": "noop", "ms": 4},
		{"shape": "grid-10x10", "namespaces": 100, "contender": "mininet", "op": "up", "ms": 99}]}`
	var out bytes.Buffer
	if err := run(strings.NewReader(in), &out); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"<svg", ">1000<", ">0.01<", ">0.1<", ">1<", ">floor<", ">plumb<"} {
		if !strings.Contains(out.String(), text) {
			t.Errorf("there is no %s in\n%s", text, &out)
		}
	}
	if strings.Contains(out.String(), "mininet") {
		t.Error("mininet is drawn, and has no size")
	}
}

func TestNothingToPlot(t *testing.T) {
	for in, want := range map[string]string{
		"":                    "read the report",
		`{"format": "other"}`: `"other"`,
		`{"format": "plumb/bench/v1", "medians": []}`: "hosts-N",
	} {
		if err := run(strings.NewReader(in), &bytes.Buffer{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v", in, err)
		}
	}
}
