package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/plumbnet/plumb/pkg/source"
)

// fetchCommand is the command by which the agent starts git, within limits.
const fetchCommand = "fetch"

func (e *env) fetch() *cobra.Command {
	return &cobra.Command{
		Use:                fetchCommand,
		Hidden:             true,
		DisableFlagParsing: true,
		RunE: func(_ *cobra.Command, args []string) error {
			return &exitError{exitNotRun, fmt.Errorf("start git: %w", source.Launch(args))}
		},
	}
}
