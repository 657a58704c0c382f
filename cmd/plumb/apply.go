package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/plumbnet/plumb/pkg/plan"
	"github.com/plumbnet/plumb/pkg/reconcile"
)

func (e *env) apply() *cobra.Command {
	var (
		files   *[]string
		session int
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
		Use:   "apply -f FILE",
		Short: "Make the host match a topology file",
		Long: `apply makes the host match the file, without asking, and verifies it. What the topology made
earlier and no longer declares is removed; what is not plumb's is left alone. When a step
fails, or at the first Ctrl-C, what was done is rolled back, and that is verified too.

With --adopt, what stands in the way and is not plumb's becomes the topology's for good: it
is changed in place to what the file says, and destroy will remove it.

With --confirm-within, all that nobody confirms in time goes back, whatever signal comes, and
also with --keep, which then is only for steps that fail.`,
		Example: `  plumb apply -f topology.yaml
  plumb apply -f topologies/ --lock-timeout 1m
  plumb apply -f topology.yaml --adopt
  plumb apply -f topology.yaml --confirm-within 60s`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return e.runApply(cmd, c, *files, session) },
	}
	files = fileFlag(cmd)
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
func (e *env) runApply(cmd *cobra.Command, c change, files []string, session int) error {
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
	return e.change(cmd.Context(), c, targets(topologies))
}
