package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"github.com/plumbnet/plumb/pkg/plan"
	"github.com/plumbnet/plumb/pkg/reconcile"
	"github.com/plumbnet/plumb/pkg/topology"
)

func (e *env) apply() *cobra.Command {
	var (
		files   *[]string
		session int
		prune   bool
	)
	c := change{
		done:   "Applied",
		finish: "finishing the step in hand, then rolling back",
		act: func(ctx context.Context, h host, t target) (reconcile.Report, error) {
			return h.Apply(ctx, t.topology)
		},
		idle: func(e *env, _ host, t target, p plan.Plan) error { return e.text(t).WritePlan(e.stdout, p) },
	}
	cmd := &cobra.Command{
		Use:        "apply -f FILE",
		Short:      "Make the host match a topology file",
		SuggestFor: []string{"up", "create", "deploy", "start", "sync"},
		Long: `apply makes the host match the file, without asking, and verifies it. What the topology made
earlier and no longer declares is removed; what is not plumb's is left alone. When a step
fails, or at the first Ctrl-C, what was done is rolled back, and that is verified too.

With --adopt, existing objects of the same names become the topology's for good: they are
changed in place to what the file says, and destroy will remove them.

With --prune, -f names directories. What came from one of them and is in it no longer is destroyed,
when all that is there was applied.

With --confirm-within, the changes are undone unless they are confirmed in time. Any signal
undoes them at once. --keep then only applies to steps that fail.`,
		Example: `  plumb apply -f topology.yaml
  plumb apply -f topologies/ --lock-timeout 1m
  plumb apply -f topology.yaml --adopt
  plumb apply -f topology.yaml --confirm-within 60s`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return e.runApply(cmd, c, *files, session, prune) },
	}
	files = fileFlag(cmd)
	cmd.Flags().BoolVar(&prune, "prune", false,
		"afterwards destroy the topologies that came from the directory that -f names, and are in it no longer")
	takeoverFlag(cmd, &c)
	metricsFlag(cmd, &c)
	cmd.Flags().DurationVar(&c.options.ConfirmWithin, "confirm-within", 0,
		"roll back after this time, or when the shell goes, unless 'plumb confirm NAME' comes first")
	cmd.Flags().IntVar(&session, sessionFlag, 0, "")
	_ = cmd.Flags().MarkHidden(sessionFlag) // the only error is that of a flag that does not exist
	cmd.Flags().BoolVar(&c.options.Adopt, "adopt", false, "take over objects of the same name that are not plumb's")
	cmd.Flags().BoolVar(&c.options.Keep, "keep", false, "keep what was done when a step fails, instead of rolling back")
	return cmd
}

// runApply applies files. Session is the descriptor of [sessionFlag], 0 without one.
func (e *env) runApply(cmd *cobra.Command, c change, files []string, session int, prune bool) error {
	if c.options.ConfirmWithin < 0 {
		return usage(cmd, fmt.Errorf("--confirm-within %v is negative", c.options.ConfirmWithin))
	}
	if c.options.ConfirmWithin > 0 && session == 0 {
		return e.applyDetached(cmd.Context())
	}
	topologies, err := e.load(cmd, files, false)
	if err != nil {
		return err
	}
	if session > 0 {
		ctx, end := watchSession(cmd.Context(), session)
		defer end()
		cmd.SetContext(ctx)
	}
	if c.options.Keep && c.options.ConfirmWithin == 0 {
		c.finish = finishStep
	}
	all := targets(topologies)
	if prune {
		gone, err := e.gone(cmd, files, all)
		if err != nil {
			return err
		}
		all = append(all, gone...)
	}
	return e.change(cmd.Context(), c, all)
}

// gone lists the topologies that came from directories, by whatever path, and are in them no longer: by the copies of
// what was applied. One whose copy is lost is left alone.
func (e *env) gone(cmd *cobra.Command, dirs []string, there []target) (list []target, err error) {
	var from []os.FileInfo
	for _, dir := range dirs {
		info, err := os.Stat(dir)
		if err != nil || !info.IsDir() {
			return nil, usage(cmd, fmt.Errorf("--prune: %s is no directory", dir))
		}
		from = append(from, info)
	}
	came := func(file string) bool {
		dir, err := os.Stat(filepath.Dir(file))
		same := func(of os.FileInfo) bool { return os.SameFile(of, dir) }
		return file != topology.Stdin && err == nil && slices.ContainsFunc(from, same)
	}
	h, err := e.open(reconcile.Options{Workers: e.workers})
	if err != nil {
		return nil, hostError(err)
	}
	defer e.closeHost(h)
	names, err := h.Topologies()
	if err != nil {
		return nil, hostError(err)
	}
	for _, name := range names {
		if slices.ContainsFunc(there, func(t target) bool { return t.name == name }) {
			continue
		}
		switch in, err := h.Applied(name); {
		case err != nil:
			e.say("%s is left: which file it came from is not known any longer", name)
		case came(in.Name):
			list = append(list, target{name: name, file: in.Name, gone: true})
		}
	}
	return list, nil
}
