package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// options are the command's flags.
type options struct {
	plumb          string
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
	f.IntVar(&o.rounds, "rounds", 0, "how often (default 5, or 3 with more than 300 namespaces)")
	f.DurationVar(&o.budget, "budget", time.Minute, "a slow contender has no more rounds of a shape when it took this long")
	f.DurationVar(&o.settle, "settle", 20*time.Second, "how long to wait for an idle machine before a run")
	f.StringVar(&o.json, "json", "", "file for all numbers")
	f.StringVar(&o.svg, "svg", "", "file for a plot of the hosts shapes")
	f.StringVar(&o.md, "md", "", "file for the table, which is printed too")
	if err := f.Parse(args); err != nil {
		return o, err
	}
	if f.NArg() > 0 {
		return o, fmt.Errorf("unexpected argument %q", f.Arg(0))
	}
	for _, name := range strings.Split(shapes, ",") {
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

// roundsOf is how often a shape is built by each contender.
func (o options) roundsOf(s shape) int {
	switch {
	case o.rounds > 0:
		return o.rounds
	case len(s.namespaces) > 300:
		return 3
	}
	return 5
}

// bench measures all that is asked for and writes the results.
func bench(ctx context.Context, o options, stdout, stderr io.Writer) error {
	if os.Geteuid() != 0 {
		return errors.New("needs root, to make networks of its own; it leaves the machine's alone")
	}
	dir, err := os.MkdirTemp("", "plumb-bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // nobody else needs it
	say := func(format string, args ...any) { _, _ = fmt.Fprintf(stderr, format+"\n", args...) }
	r, err := newRunner(o, dir, say)
	if err != nil {
		return err
	}
	before, err := hostNetwork()
	if err != nil {
		return err
	}
	for _, s := range o.shapes {
		if err := r.measure(ctx, s); err != nil {
			return err
		}
	}
	if err := o.write(newReport(thisMachine(), r.results), stdout); err != nil {
		return err
	}
	return untouched(before)
}

// runner is a bench on its way.
type runner struct {
	options
	dir        string // for the contenders' inputs
	self       string
	contenders []contender
	settler    *settler
	say        func(format string, args ...any)
	results    results
}

func newRunner(o options, dir string, say func(string, ...any)) (*runner, error) {
	t, err := findTools(o.plumb, say)
	if err != nil {
		return nil, err
	}
	chosen, err := choose(contenders(t), o.contenders)
	if err != nil {
		return nil, err
	}
	return &runner{options: o, dir: dir, self: t.self, contenders: chosen, settler: newSettler(o.settle, say), say: say}, nil
}

// findTools makes paths absolute, and sees that they are there.
func findTools(plumb string, say func(string, ...any)) (tools, error) {
	self, err := os.Executable()
	if err != nil {
		return tools{}, fmt.Errorf("find the bench itself: %w", err)
	}
	if plumb, err = filepath.Abs(plumb); err == nil {
		_, err = os.Stat(plumb)
	}
	if err != nil {
		return tools{}, fmt.Errorf("find plumb (make build makes it, -plumb names it): %w", err)
	}
	python, err := findMininet()
	if err != nil {
		say("mininet is left out: %v", err)
	}
	return tools{self, plumb, python}, nil
}

// choose gives the contenders of those names, all when there are none.
func choose(all []contender, names []string) ([]contender, error) {
	if len(names) == 0 {
		return all, nil
	}
	var chosen []contender
	for _, c := range all {
		for i, name := range names {
			if c.name == name {
				chosen = append(chosen, c)
				names = append(names[:i:i], names[i+1:]...)
				break
			}
		}
	}
	if len(names) > 0 {
		return nil, fmt.Errorf("there is no contender %q", names[0])
	}
	return chosen, nil
}

// measure runs the rounds of a shape. The contenders take turns, so that what slows the machine for a while slows all.
func (r *runner) measure(ctx context.Context, s shape) error {
	steps := map[string][]step{}
	for _, c := range r.contenders {
		dir := filepath.Join(r.dir, s.name, c.name)
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
		var err error
		if steps[c.name], err = c.steps(s, dir); err != nil {
			return fmt.Errorf("%s: %s: %w", s.name, c.name, err)
		}
	}
	spent := map[string]time.Duration{}
	for round := range r.roundsOf(s) {
		for _, c := range r.contenders {
			if len(steps[c.name]) == 0 || c.slow && spent[c.name] > r.budget {
				continue
			}
			run, err := r.run(ctx, steps[c.name])
			if err != nil {
				return fmt.Errorf("%s: %s: %w", s.name, c.name, err)
			}
			run.Shape, run.Namespaces, run.Contender, run.Round = s.name, len(s.namespaces), c.name, round+1
			spent[c.name] += run.total()
			r.say("%s", run)
			r.results = append(r.results, run)
		}
	}
	return nil
}

// run lets a contender do its steps in a cell.
func (r *runner) run(ctx context.Context, steps []step) (result, error) {
	if err := r.settler.wait(ctx); err != nil {
		return result{}, err
	}
	samples, err := runCell(ctx, r.self, job{steps, r.settle})
	return result{Samples: samples}, err
}
