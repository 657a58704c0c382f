package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"
)

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
	t, err := findTools(o, say)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(install(&t.self, dir, "plumb-bench"), install(&t.plumb, dir, "plumb")); err != nil {
		return nil, err
	}
	chosen, err := choose(contenders(t), o.contenders)
	if err != nil {
		return nil, err
	}
	return &runner{
		options: o, dir: dir, self: t.self, contenders: chosen,
		settler: newSettler(o.settle, say), say: say,
	}, nil
}

// findTools sees that the contenders are there. Mininet may be missing.
func findTools(o options, say func(string, ...any)) (t tools, err error) {
	if t.self, err = os.Executable(); err != nil {
		return t, fmt.Errorf("find the bench itself: %w", err)
	}
	if t.plumb, err = filepath.Abs(o.plumb); err == nil {
		_, err = os.Stat(t.plumb)
	}
	if err != nil {
		return t, fmt.Errorf("find plumb (make build makes it, -plumb names it): %w", err)
	}
	if len(o.contenders) > 0 && !slices.Contains(o.contenders, "mininet") {
		return t, nil
	}
	if t.python, err = findMininet(); err != nil {
		say("mininet is left out: %v", err)
	}
	return t, nil
}

// install copies a program into a directory, and has it run from there. On ext4, what the linker wrote by mmap(2) lies
// in the page cache in single pages, and a process of it takes longer to start than of an installed program, which was
// written or read in large parts: half a millisecond for plumb, 0.2 for the floor.
func install(program *string, dir, name string) error {
	code, err := os.ReadFile(*program)
	if err != nil {
		return err
	}
	*program = filepath.Join(dir, name)
	return os.WriteFile(*program, code, 0o755)
}

// choose gives the contenders of those names, all when there are none.
func choose(all []contender, names []string) ([]contender, error) {
	if len(names) == 0 {
		return all, nil
	}
	for _, name := range names {
		if !slices.ContainsFunc(all, func(c contender) bool { return c.name == name }) {
			return nil, fmt.Errorf("there is no contender %q", name)
		}
	}
	return slices.DeleteFunc(all, func(c contender) bool { return !slices.Contains(names, c.name) }), nil
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
