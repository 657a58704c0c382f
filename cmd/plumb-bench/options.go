package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
)

// options are the command's flags.
type options struct {
	plumb, plotter string
	shapes         []shape
	contenders     []string // empty: all
	rounds         int      // 0: by the shape's size
	budget, settle time.Duration
	json, svg, md  string
}

func parseOptions(args []string, stderr io.Writer) (options, error) {
	var o options
	var shapes, names string
	f := flag.NewFlagSet("plumb-bench", flag.ContinueOnError)
	f.SetOutput(stderr)
	f.StringVar(&o.plumb, "plumb", "bin/plumb", "the plumb to measure")
	f.StringVar(&shapes, "shapes", defaultShapes, "what to build")
	f.StringVar(&names, "contenders", "", "who builds it (default all)")
	f.IntVar(&o.rounds, "rounds", 0, "how often (default 7, but 15 with at most 10 namespaces)")
	f.DurationVar(&o.budget, "budget", time.Minute,
		"a slow contender has no more rounds of a shape when it took this long")
	f.DurationVar(&o.settle, "settle", 20*time.Second, "how long to wait for an idle machine before each run of a step")
	f.StringVar(&o.json, "json", "", "file for all numbers")
	f.StringVar(&o.svg, "svg", "", "file for a plot of the hosts shapes")
	f.StringVar(&o.plotter, "plotter", "bin/plumb-bench-plot", "the program that makes the plot")
	f.StringVar(&o.md, "md", "", "file for the table, which is printed too")
	if err := f.Parse(args); err != nil {
		return o, err
	}
	if f.NArg() > 0 {
		return o, fmt.Errorf("unexpected argument %q", f.Arg(0))
	}
	if o.svg != "" {
		if _, err := os.Stat(o.plotter); err != nil {
			return o, fmt.Errorf("find the program that makes the plot: %w", err)
		}
	}
	for name := range strings.SplitSeq(shapes, ",") {
		s, err := parseShape(name)
		if err != nil {
			return o, err
		}
		o.shapes = append(o.shapes, s)
	}
	if names != "" {
		o.contenders = strings.Split(names, ",")
	}
	return o, nil
}

// roundsOf is how often a shape is built by each contender: more often what takes so short that single runs scatter
// most.
func (o options) roundsOf(s shape) int {
	switch {
	case o.rounds > 0:
		return o.rounds
	case len(s.namespaces) <= 10:
		return 15
	}
	return 7
}
