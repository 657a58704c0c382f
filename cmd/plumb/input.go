package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/plumbnet/plumb/pkg/file"
	"github.com/plumbnet/plumb/pkg/plan"
	"github.com/plumbnet/plumb/pkg/topology"
)

// maxInput bounds what is read from one file. A topology of 100,000 objects has some 10 MB.
const maxInput = 64 << 20

// usualInput is room for most files: that of a hundred namespaces has 30 kB.
const usualInput = 64 << 10

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
	inputs, err := read(files, e.stdin)
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

// read reads what -f names, directories in the order of their files' names.
func read(paths []string, stdin io.Reader) ([]topology.Input, error) {
	var inputs []topology.Input
	add := func(name string, r io.Reader) error {
		data := bytes.NewBuffer(make([]byte, 0, usualInput))
		_, err := data.ReadFrom(io.LimitReader(r, maxInput+1))
		if err == nil && data.Len() > maxInput {
			err = fmt.Errorf("%s: more than %d MiB", name, maxInput>>20)
		}
		inputs = append(inputs, topology.Input{Name: name, Data: data.Bytes()})
		return err
	}
	stdinRead := false
	for _, path := range paths {
		if path == "-" {
			if stdinRead {
				return nil, errors.New("stdin can be read only once: -f - is repeated")
			}
			stdinRead = true
			if err := add(topology.Stdin, stdin); err != nil {
				return nil, err
			}
			continue
		}
		names, err := expand(path)
		if err != nil {
			return nil, err
		}
		for _, name := range names {
			f, err := os.Open(name)
			if err != nil {
				return nil, err
			}
			err = add(name, f)
			_ = f.Close() // was only read
			if err != nil {
				return nil, err
			}
		}
	}
	return inputs, nil
}

// descriptor is a path by which a process names a file that it has open, as shells do in <(command).
var descriptor = regexp.MustCompile(`^(/dev/stdin|/dev/fd/[0-9]+|/proc/[^/]+/fd/[0-9]+)$`)

// readable says whether a file can be read to its end without waiting for somebody: a FIFO that nobody writes to has
// none, nor has a device.
func readable(path string, mode os.FileMode) error {
	if mode.IsRegular() || descriptor.MatchString(filepath.Clean(path)) {
		return nil
	}
	what := "no regular file"
	switch {
	case mode&os.ModeNamedPipe != 0:
		what = "a FIFO"
	case mode&os.ModeSocket != 0:
		what = "a socket"
	case mode&os.ModeDevice != 0:
		what = "a device"
	}
	return fmt.Errorf("%s is %s, and a topology is read from a regular file, or with -f - from stdin", path, what)
}

// expand lists the topology files of a directory. What isn't one stands for itself.
func expand(path string) ([]string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return []string{path}, readable(path, info.Mode())
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, entry := range entries {
		// A hidden file is most often an editor's.
		if ext := filepath.Ext(entry.Name()); ext != ".yaml" && ext != ".yml" || strings.HasPrefix(entry.Name(), ".") {
			continue
		}
		name := filepath.Join(path, entry.Name())
		if info, err := os.Stat(name); err != nil {
			return nil, err
		} else if info.Mode().IsRegular() {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("%s: no *.yaml or *.yml files in this directory", path)
	}
	return names, nil
}
