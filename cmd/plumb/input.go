package main

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/spf13/cobra"

	"github.com/plumbnet/plumb/pkg/file"
	"github.com/plumbnet/plumb/pkg/plan"
	"github.com/plumbnet/plumb/pkg/source"
	"github.com/plumbnet/plumb/pkg/topology"
)

// fileFlag adds -f to a command.
func fileFlag(cmd *cobra.Command) *[]string {
	files := cmd.Flags().StringArrayP("file", "f", nil,
		"topology `file`, directory of *.yaml and *.yml, or - for stdin; may be repeated")
	_ = cmd.MarkFlagFilename("file", "yaml", "yml") // the flag exists
	return files
}

// load reads and checks the files, and prints their problems: on stderr, or on stdout as JSON when they are the
// answer. They are when there are errors, or when the command only asks for problems, even if there are none.
func (e *env) load(cmd *cobra.Command, files []string, onlyProblems bool) ([]*topology.Topology, error) {
	inputs, err := e.inputs(cmd, files)
	if err != nil {
		return nil, err
	}
	return e.check(inputs, files, onlyProblems)
}

// check is load for what was read already.
func (e *env) check(inputs []topology.Input, files []string, onlyProblems bool) ([]*topology.Topology, error) {
	topologies, problems := topology.Load(inputs...)
	if err := e.tell(problems, onlyProblems); err != nil {
		return nil, err
	}
	if len(topologies) == 0 {
		return nil, &exitError{exitUsage, fmt.Errorf("no topology in %s", plan.Listing(files))}
	}
	return topologies, nil
}

// loadNames is load for a command that goes by the names of the topologies, whatever else is wrong with the files.
func (e *env) loadNames(cmd *cobra.Command, files []string) ([]*topology.Topology, error) {
	inputs, err := e.inputs(cmd, files)
	if err != nil {
		return nil, err
	}
	topologies, problems := topology.Load(inputs...)
	if !problems.HasErrors() {
		return topologies, e.tell(problems, false)
	}
	names, ok := topology.Names(inputs...)
	if !ok {
		var ended *exitError
		if err := e.tell(problems, false); !errors.As(err, &ended) || ended.err != nil || e.json() {
			return nil, err
		}
		ended.err = errors.New("the name of a topology cannot be read: plumb destroy NAME does without a file")
		return nil, ended
	}
	for _, in := range inputs {
		if slices.ContainsFunc(problems, func(p file.Problem) bool { return p.File == in.Name && p.Severity == file.Error }) {
			e.warn(in.Name + " has errors, which plumb validate shows: destroy only takes the name from it")
		}
	}
	return names, nil
}

func (e *env) inputs(cmd *cobra.Command, files []string) ([]topology.Input, error) {
	if len(files) == 0 {
		return nil, usage(cmd, errors.New("no file given: -f topology.yaml"))
	}
	inputs, err := source.Read(files, e.stdin)
	if of := new(fs.PathError); errors.As(err, &of) {
		err = fmt.Errorf("%s: %w", of.Path, of.Err)
	}
	if err != nil {
		return nil, &exitError{exitUsage, err}
	}
	return inputs, nil
}

// tell prints problems. Errors among them end the command. A command that looks at the host finds out itself what only
// that can tell.
func (e *env) tell(problems file.Problems, onlyProblems bool) (err error) {
	bad := problems.HasErrors()
	if !onlyProblems {
		problems = problems.WithoutLive()
	}
	switch {
	case e.json() && (onlyProblems || bad):
		err = problems.WriteJSON(e.stdout)
	case bad || !e.quiet:
		err = problems.WriteText(e.stderr, e.colored(e.stderr))
	}
	switch {
	case err != nil:
		return printed(err)
	case bad:
		return &exitError{code: exitUsage}
	}
	return nil
}
