package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/plumbnet/plumb/pkg/agent"
	"github.com/plumbnet/plumb/pkg/plan"
	"github.com/plumbnet/plumb/pkg/reconcile"
)

func (e *env) suspend() *cobra.Command {
	var length time.Duration
	var reason string
	cmd := &cobra.Command{
		Use:               "suspend NAME",
		ValidArgsFunction: e.completeTopologies,
		Short:             "Have the agent leave a topology alone for a time",
		Long: `suspend has the running agent only look at the topology NAME, and neither heal nor apply anything
of it, until the time is over or 'plumb resume NAME' comes. It survives a reboot.`,
		Example: `  plumb suspend lab --for 30m --reason "new switch"`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := checkName(args, "NAME", "; 'plumb status' lists them"); err != nil {
				return usage(cmd, err)
			}
			if length <= 0 {
				return usage(cmd, fmt.Errorf("--for %v: a suspension always ends, later than now", length))
			}
			s, err := agent.Client{Socket: socket()}.Suspend(cmd.Context(), args[0], length, reason)
			return e.answered(s, err, args[0])
		},
	}
	cmd.Flags().DurationVar(&length, "for", agent.DefaultSuspension, "how long, for example 30m")
	cmd.Flags().StringVar(&reason, "reason", "", "why, for whoever asks for the status")
	return cmd
}

func (e *env) resume() *cobra.Command {
	return &cobra.Command{
		Use:               "resume NAME",
		ValidArgsFunction: e.completeTopologies,
		Short:             "Have the agent keep a suspended topology again",
		Long:              `resume ends what suspend began: the running agent applies the topology NAME, and heals it again.`,
		Example:           `  plumb resume lab`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := checkName(args, "NAME", "; 'plumb status' lists them"); err != nil {
				return usage(cmd, err)
			}
			s, err := agent.Client{Socket: socket()}.Resume(cmd.Context(), args[0])
			return e.answered(s, err, args[0])
		},
	}
}

func (e *env) reconcile() *cobra.Command {
	var force bool
	cmd := &cobra.Command{
		Use:               "reconcile [NAME]",
		ValidArgsFunction: e.completeTopologies,
		Short:             "Have the agent ask its sources and look at all now",
		Long: `reconcile has the running agent ask the source of the topology NAME, or all sources, and look at
all of it, now. It waits until that is done, and says how it is.

With --force, what has failed is tried again, and may delete most of what is there: once.`,
		Example: `  plumb reconcile
  plumb reconcile lab --force`,
		RunE: func(cmd *cobra.Command, args []string) error {
			name := ""
			if len(args) > 0 {
				if err := checkName(args, "NAME", "; 'plumb status' lists them"); err != nil {
					return usage(cmd, err)
				}
				name = args[0]
			}
			s, err := agent.Client{Socket: socket()}.Reconcile(cmd.Context(), name, force)
			return e.answered(s, err, name)
		},
	}
	cmd.Flags().BoolVar(&force, "force", false, "try what has failed again, past the guards")
	return cmd
}

// answered prints how a topology is that the agent was asked about, or all of them for an empty name.
func (e *env) answered(s agent.Status, err error, name string) error {
	if err != nil {
		if _, running := agent.Holder(reconcile.RunDir); !running {
			err = errors.New("no agent is running on this host: 'plumb agent --config FILE' starts one")
		}
		return &exitError{exitNotRun, err}
	}
	if e.json() {
		return printed(plan.EncodeJSON(e.stdout, s, "  "))
	}
	for _, t := range s.Topologies {
		if name != "" && t.Topology != name {
			continue
		}
		if err := e.print(t.Topology + ": " + agentLine(t) + "\n"); err != nil {
			return err
		}
	}
	for _, of := range s.Sources {
		if of.Error != "" {
			e.say("%s: %s", of.From, of.Error)
		}
	}
	return nil
}

// agentLine says how the agent has a topology.
func agentLine(t agent.TopologyStatus) string {
	line := string(t.State)
	if t.Until != nil {
		line += " until " + t.Until.Local().Format(time.DateTime)
	}
	if t.Suspended != "" {
		line += " (" + t.Suspended + ")"
	}
	if n := len(t.Left); n > 0 {
		line += ", " + plan.Count(n, "object") + " differ"
	}
	if len(t.Contested) > 0 {
		line += ", contested: " + strings.Join(t.Contested, ", ")
	}
	line += "; kept by the agent from " + t.From
	switch {
	case t.Good != "" && t.Good == t.Revision, t.Good != "" && t.Revision == "":
		line += ", revision " + shortRevision(t.Good)
	case t.Good != "":
		line += ", revision " + shortRevision(t.Good) + " and not yet " + shortRevision(t.Revision)
	case t.Revision != "":
		line += ", revision " + shortRevision(t.Revision)
	}
	if t.Reason != "" {
		line += ": " + t.Reason
	}
	return plan.Printable(line)
}

// shortRevision is enough of a revision's name for people.
func shortRevision(id string) string { return id[:min(len(id), 12)] }

// heldError is why a topology can't be changed by hand.
type heldError struct {
	topology string
	pid      int
}

func (h heldError) Error() string {
	return fmt.Sprintf("topology %s is kept by the agent (process %d): --takeover suspends it there first", h.topology, h.pid)
}

// free sees to it that no agent keeps what a command is about to change: with takeover it suspends that there.
func (e *env) free(ctx context.Context, h host, targets []target, takeover bool) error {
	held, running := agent.Holder(reconcile.RunDir)
	if !running || held.Cookie != h.Cookie() {
		return nil
	}
	for _, t := range targets {
		for _, name := range held.Topologies {
			if name != t.name {
				continue
			}
			if !takeover {
				return &exitError{exitNotRun, heldError{name, held.PID}}
			}
			c := agent.Client{Socket: socket()}
			if _, err := c.Suspend(ctx, name, agent.DefaultSuspension, "taken over by hand"); err != nil {
				return &exitError{exitNotRun, fmt.Errorf("take %s over: %w", name, err)}
			}
			e.say("%s is suspended in the agent for %v: 'plumb resume %s' ends that", name, agent.DefaultSuspension, name)
		}
	}
	return nil
}

// takeoverFlag adds the flag for that.
func takeoverFlag(cmd *cobra.Command, c *change) {
	cmd.Flags().BoolVar(&c.takeover, "takeover", false, "suspend the topology in the agent that keeps it, if one does")
}
