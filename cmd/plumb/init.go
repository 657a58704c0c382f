package main

import (
	_ "embed"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/spf13/cobra"
)

// starter is the topology that init writes.
//
//go:embed starter.yaml
var starter string

func (e *env) initFile() *cobra.Command {
	return &cobra.Command{
		Use:   "init [FILE]",
		Short: "Write a small topology file to begin with",
		Long: `init writes a small topology with comments to FILE, topology.yaml unless another is named: a
bridge, a namespace with a cable to it, and NAT. It never writes over a file that is there. With -
for FILE it prints the topology.`,
		Example: `  plumb init
  plumb init lab.yaml
  plumb init - | plumb validate -f -`,
		RunE: func(cmd *cobra.Command, args []string) error {
			name := "topology.yaml"
			switch len(args) {
			case 0:
			case 1:
				name = args[0]
			default:
				return usage(cmd, errors.New("init takes one FILE"))
			}
			if name == "-" {
				return e.print(starter)
			}
			if err := writeNew(name, starter); err != nil {
				return &exitError{exitNotRun, err}
			}
			if !e.quiet {
				e.say("wrote %s; to see what it would change: plumb diff -f %s", name, name)
			}
			return nil
		},
	}
}

// writeNew writes a file that is not there yet.
func writeNew(name, text string) (err error) {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	switch {
	case errors.Is(err, fs.ErrExist):
		return fmt.Errorf("%s is there already: name another file", name)
	case err != nil:
		return fmt.Errorf("write %s: %w", name, errors.Unwrap(err))
	}
	defer func() {
		if closed := f.Close(); err == nil {
			err = closed
		}
		if err != nil {
			err = errors.Join(err, os.Remove(name))
		}
	}()
	_, err = f.WriteString(text)
	return err
}
