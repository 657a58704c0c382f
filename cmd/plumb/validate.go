package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/plumbnet/plumb/pkg/plan"
)

func (e *env) validate() *cobra.Command {
	var files *[]string
	cmd := &cobra.Command{
		Use:        "validate -f FILE",
		Short:      "Check a topology file",
		SuggestFor: []string{"lint", "verify"},
		Long: `validate checks a topology file: its syntax, its shape, its references, and whether the
network makes sense. It needs neither root nor a kernel, and prints every problem at once.`,
		Example: `  plumb validate -f topology.yaml
  plumb validate -f topologies/ -f more.yaml
  generate | plumb validate -f - -o json`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			topologies, err := e.load(cmd, *files, true)
			if err != nil || e.json() || e.quiet {
				return err
			}
			var b strings.Builder
			for _, t := range topologies {
				line := fmt.Sprintf("%s: %s: valid (%s)", t.File, t.Name, plan.Count(len(t.Objects()), "object"))
				b.WriteString(plan.Printable(line) + "\n")
			}
			return e.print(b.String())
		},
	}
	files = fileFlag(cmd)
	return cmd
}
