package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"github.com/plumbnet/plumb/pkg/plan"
	"github.com/plumbnet/plumb/pkg/reconcile"
	"github.com/plumbnet/plumb/pkg/topology"
)

func (e *env) diff() *cobra.Command {
	var (
		files *[]string
		adopt bool
	)
	cmd := &cobra.Command{
		Use:        "diff -f FILE",
		Short:      "Show what apply would do",
		SuggestFor: []string{"plan", "preview", "dry-run"},
		Long: `diff shows what apply would do, step by step, and writes nothing. Its exit code is 0 when the
host matches the file, 1 when it does not, and 4 when apply would refuse.

Who may not look at the kernel asks the agent, where its config has a diff-group that the user is
in. What it says of a file is what it would say to root, if the file reaches no further than the
config names for its topology.`,
		Example: `  plumb diff -f topology.yaml
  plumb diff -f topology.yaml -o json | jq .summary
  plumb diff -q -f topology.yaml || echo drifted`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			inputs, err := e.inputs(cmd, *files)
			if err != nil {
				return err
			}
			return e.diffOf(cmd.Context(), inputs, *files, adopt)
		},
	}
	files = fileFlag(cmd)
	cmd.Flags().BoolVar(&adopt, "adopt", false, "show what apply --adopt would do")
	return cmd
}

// diffOf prints what files would change. Who may not look asks the agent.
func (e *env) diffOf(ctx context.Context, inputs []topology.Input, files []string, adopt bool) error {
	h, shut := e.open(e.diffOptions(adopt))
	if errors.Is(shut, reconcile.ErrPowerless) {
		answered, err := e.askDiff(ctx, inputs, adopt, shut)
		if answered {
			return err
		}
		shut = err
	}
	topologies, err := e.check(inputs, files, false)
	if err != nil {
		return err
	}
	if shut != nil {
		return hostError(shut)
	}
	defer e.closeHost(h)
	return e.showDiff(ctx, h, targets(topologies))
}

func (e *env) diffOptions(adopt bool) reconcile.Options {
	return reconcile.Options{AllowDisconnect: e.allowDisconnect, Adopt: adopt, Warn: e.warn, Workers: e.workers}
}

// showDiff prints the plan of each target, also of those after one that is refused.
func (e *env) showDiff(ctx context.Context, h host, targets []target) error {
	code := exitOK
	var docs []plan.Document
	var err error
	for i, t := range targets {
		var p plan.Plan
		if p, err = h.Diff(ctx, t.topology); err != nil {
			e.notBegun(targets[i+1:])
			break
		}
		if e.json() {
			docs = append(docs, plan.NewDocument(t.name, p.Outcomes(""), t.source))
		} else if !e.quiet {
			if err := e.text(t).WritePlan(e.stdout, p); err != nil {
				return printed(err)
			}
		}
		switch {
		case p.Refused():
			code = exitRefused
			e.sayRefused(t, p)
		case len(p.Steps) > 0:
			code = max(code, exitDiffers)
		}
	}
	if e.json() {
		if err := e.printDocuments(docs, len(targets)); err != nil {
			return printed(err)
		}
	}
	return atLeast(code, hostError(err))
}

// sayRefused gives the first reason why a plan must not be applied, and how many more there are.
func (e *env) sayRefused(t target, p plan.Plan) {
	refused := slices.DeleteFunc(slices.Clone(p.Steps), func(s plan.Step) bool { return s.Action != plan.Refuse })
	more := ""
	if n := len(refused) - 1; n > 0 {
		more = fmt.Sprintf(" (and %d more)", n)
	}
	e.say("%s: refused: %s: %s%s", t.name, refused[0].Key().Label(), refused[0].Reason, more)
}
