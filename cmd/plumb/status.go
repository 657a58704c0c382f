package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/plumbnet/plumb/pkg/agent"
	"github.com/plumbnet/plumb/pkg/plan"
	"github.com/plumbnet/plumb/pkg/reconcile"
	"github.com/plumbnet/plumb/pkg/topology"
)

// statusFormat names the JSON form of what list and status print.
const statusFormat = "plumb/status/v1"

// status is one topology on the host. List leaves out what only a look at the kernel tells.
type status struct {
	Topology string `json:"topology"`
	// File is that of the last apply; empty where it came from stdin, or where that is not known any longer.
	File string `json:"file"`
	// State is in-sync, drifted, or unknown.
	State   string                `json:"state,omitempty"`
	Objects int                   `json:"objects,omitempty"`
	Changes []plan.DocumentChange `json:"changes,omitempty"`
	Error   string                `json:"error,omitempty"`
	// Agent is how a running agent has it.
	Agent *agent.TopologyStatus `json:"agent,omitempty"`

	plan plan.Plan
	text *plan.Text
}

// The states of a topology.
const (
	inSync  = "in-sync"
	drifted = "drifted"
	unknown = "unknown"
)

func (e *env) list() *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List the topologies on this host",
		Long: `list names the topologies of which there is something on this host, by their stamps in the
kernel alone, and the file that each was applied from, where that is known.`,
		Example: `  plumb list
  plumb list -o json | jq -r '.topologies[].topology'`,
		Args: noArgs,
		RunE: func(*cobra.Command, []string) error {
			h, names, err := e.present()
			if err != nil {
				return err
			}
			defer e.closeHost(h)
			var all []status
			width := 0
			for _, name := range names {
				in, _ := h.Applied(name) // else the file is not known
				all = append(all, status{Topology: name, File: fileOf(in)})
				width = max(width, len(name))
			}
			if e.json() {
				return e.printStatuses(all)
			}
			for _, s := range all {
				line := s.Topology
				if s.File != "" {
					line = fmt.Sprintf("%-*s  %s", width, s.Topology, plan.Printable(s.File))
				}
				if err := e.print(line + "\n"); err != nil {
					return err
				}
			}
			return nil
		},
	}
}

func (e *env) status() *cobra.Command {
	var (
		files    *[]string
		exitCode bool
	)
	cmd := &cobra.Command{
		Use:               "status [NAME | -f FILE]",
		ValidArgsFunction: e.completeTopologies,
		Short:             "Say whether topologies on this host are in sync or have drifted",
		Long: `status compares each topology on this host, or the one called NAME, with the kernel, as diff
does, but needs no file: it goes by the copy that the last apply has left in /run/plumb. Where
that is lost, the drift is unknown, and -f names the file. It writes nothing.

With --exit-code the exit code is 1 when something has drifted, and 3 when that is unknown.`,
		Example: `  plumb status
  plumb status docker0 --exit-code
  plumb status -o json | jq -r '.topologies[] | select(.state != "in-sync") | .topology'`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				if len(*files) > 0 {
					return usage(cmd, errors.New("either NAME or -f FILE, not both"))
				}
				if err := checkName(args, "NAME", "; a file is named with -f"); err != nil {
					return usage(cmd, err)
				}
			}
			return e.showStatus(cmd, args, *files, exitCode)
		},
	}
	files = fileFlag(cmd)
	cmd.Flags().BoolVar(&exitCode, "exit-code", false, "exit with 1 when something has drifted")
	return cmd
}

// present opens the host, and names the topologies that are there.
func (e *env) present() (host, []string, error) {
	h, err := e.open(reconcile.Options{Workers: e.workers})
	if err != nil {
		return nil, nil, hostError(err)
	}
	names, err := h.Topologies()
	if err != nil {
		e.closeHost(h)
		return nil, nil, hostError(err)
	}
	if len(names) == 0 && !e.silent() {
		e.say("there is no topology on this host")
	}
	return h, names, nil
}

// showStatus prints the status of the topologies in files, of one by its name, or of all that are there.
func (e *env) showStatus(cmd *cobra.Command, args, files []string, exitCode bool) error {
	var all []status
	if len(files) > 0 {
		given, err := e.load(cmd, files, false)
		if err != nil {
			return err
		}
		h, err := e.open(reconcile.Options{Workers: e.workers})
		if err != nil {
			return hostError(err)
		}
		defer e.closeHost(h)
		for _, t := range given {
			all = append(all, e.statusOf(cmd.Context(), h, t))
		}
	} else {
		h, names, err := e.present()
		if err != nil {
			return err
		}
		defer e.closeHost(h)
		if len(args) > 0 && !slices.Contains(names, args[0]) {
			t := target{name: args[0]}
			return &exitError{exitNotRun, fmt.Errorf("topology %s is not on this host%s", t.name, e.others(h, t))}
		}
		if len(args) > 0 {
			names = args
		}
		for _, name := range names {
			all = append(all, e.statusOfCopy(cmd.Context(), h, name))
		}
	}
	all = addAgent(cmd.Context(), all, len(files)+len(args) == 0)
	if err := e.printStatus(all); err != nil || !exitCode {
		return err
	}
	return atLeast(exitOf(all), nil)
}

// addAgent adds how a running agent has the topologies, and, if more, those that it has and of which nothing is on the
// host. Without an agent, and where it does not answer, they are as they are.
func addAgent(ctx context.Context, all []status, more bool) []status {
	if _, running := agent.Holder(reconcile.RunDir); !running {
		return all
	}
	const patience = 5 * time.Second
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	s, err := agent.Client{Socket: socket()}.Status(ctx)
	if err != nil {
		return all
	}
	for i := range s.Topologies {
		of := &s.Topologies[i]
		switch at := slices.IndexFunc(all, func(a status) bool { return a.Topology == of.Topology }); {
		case at >= 0:
			all[at].Agent = of
		case more:
			all = append(all, status{Topology: of.Topology, State: unknown, Error: "nothing of it is on this host", Agent: of})
		}
	}
	return all
}

// exitOf is the exit code that is asked for with --exit-code.
func exitOf(all []status) int {
	code := exitOK
	for _, s := range all {
		switch s.State {
		case drifted:
			code = max(code, exitDiffers)
		case unknown:
			code = exitNotRun
		}
	}
	return code
}

// statusOfCopy is the status of a topology by the copy of what was applied.
func (e *env) statusOfCopy(ctx context.Context, h host, name string) status {
	in, err := h.Applied(name)
	if errors.Is(err, fs.ErrNotExist) {
		return status{Topology: name, State: unknown, Error: "drift unknown: give -f"}
	}
	if err != nil {
		return status{Topology: name, State: unknown, Error: err.Error()}
	}
	topologies, problems := topology.Load(in)
	if len(topologies) != 1 || problems.HasErrors() {
		return status{Topology: name, File: fileOf(in), State: unknown, Error: "drift unknown: what was applied can't be read any " +
			"longer, as after an upgrade or without its key files: give -f"}
	}
	return e.statusOf(ctx, h, topologies[0])
}

// statusOf compares a topology with the host.
func (e *env) statusOf(ctx context.Context, h host, t *topology.Topology) status {
	s := status{Topology: t.Name, File: fileOf(topology.Input{Name: t.File}), State: inSync}
	p, err := h.Diff(ctx, t)
	if err != nil {
		s.State, s.Error = unknown, err.Error()
		return s
	}
	s.plan, s.Objects = p, p.Wanted
	s.text = e.text(target{name: t.Name, file: t.File, source: t.Source})
	if len(p.Steps) > 0 {
		s.State, s.Changes = drifted, plan.NewDocument(t.Name, p.Outcomes(""), t.Source).Changes
	}
	return s
}

func (e *env) printStatus(all []status) error {
	if e.json() {
		return e.printStatuses(all)
	}
	for _, s := range all {
		switch {
		case s.text == nil:
			if err := e.print(s.Topology + ": " + plan.Printable(s.Error) + "\n"); err != nil {
				return err
			}
		case !e.quiet:
			if err := s.text.WritePlan(e.stdout, s.plan); err != nil {
				return printed(err)
			}
		}
		if s.Agent != nil && !e.quiet {
			if err := e.print("  agent: " + agentLine(*s.Agent) + "\n"); err != nil {
				return err
			}
		}
	}
	return nil
}

func (e *env) printStatuses(all []status) error {
	doc := struct {
		Format     string   `json:"format"`
		Topologies []status `json:"topologies"`
	}{statusFormat, append([]status{}, all...)}
	enc := json.NewEncoder(e.stdout)
	enc.SetIndent("", "  ")
	return printed(enc.Encode(doc))
}

// fileOf is the name of a file that a topology came from, empty for standard input.
func fileOf(in topology.Input) string {
	if in.Name == topology.Stdin {
		return ""
	}
	return in.Name
}
