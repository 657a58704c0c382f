package main

import (
	"context"
	"errors"
	"fmt"
	"regexp"

	"github.com/spf13/cobra"

	"github.com/plumbnet/plumb/pkg/file"
	"github.com/plumbnet/plumb/pkg/plan"
	"github.com/plumbnet/plumb/pkg/reconcile"
)

// destroying is how destroy changes a host.
var destroying = change{
	done:   "Destroyed",
	finish: finishStep,
	act: func(ctx context.Context, h host, t target) (reconcile.Report, error) {
		return h.Destroy(ctx, t.name)
	},
	idle: func(e *env, h host, t target, _ plan.Plan) error {
		return e.print(t.name + ": nothing to destroy" + e.others(h, t) + "\n")
	},
}

func (e *env) destroy() *cobra.Command {
	var files *[]string
	c := destroying
	cmd := &cobra.Command{
		Use:               "destroy -f FILE | NAME",
		ValidArgsFunction: e.completeTopologies,
		Short:             "Remove what a topology made",
		SuggestFor:        []string{"down", "delete", "remove", "rm", "stop", "undeploy"},
		Long: `destroy removes everything that carries the topology's stamp, and puts back what plumb had
changed. It needs no more than the topology's name: the stamps are in the kernel. It
carries on after a failure and lists what is left. If nothing is there, that is success.`,
		Example: `  plumb destroy -f topology.yaml
  plumb destroy docker0`,
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case len(args) > 0 && len(*files) > 0:
				return usage(cmd, errors.New("either -f FILE or NAME, not both"))
			case len(*files) == 0:
				if err := checkName(args, "-f FILE or NAME", "; a file is named with -f"); err != nil {
					return usage(cmd, err)
				}
				return e.change(cmd.Context(), c, []target{{name: args[0]}})
			}
			topologies, err := e.loadNames(cmd, *files)
			if err != nil {
				return err
			}
			return e.change(cmd.Context(), c, targets(topologies))
		},
	}
	files = fileFlag(cmd)
	takeoverFlag(cmd, &c)
	return cmd
}

// others names the topologies that are there in place of one that was named by hand.
func (e *env) others(h host, t target) string {
	if t.file != "" {
		return ""
	}
	names, err := h.Topologies()
	if err != nil {
		e.warn(fmt.Sprintf("cannot tell which topologies are there: %v", err))
	}
	if len(names) == 0 {
		return ""
	}
	list := plan.Listing(names)
	if near := file.Suggest(t.name, names); near != "" {
		return "; " + near + " There are: " + list
	}
	return "; there are: " + list
}

var topologyName = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$`)

// checkName says what is wrong with the arguments of a command that takes a topology's name: want is what it takes,
// and hint what may be meant by no name.
func checkName(args []string, want, hint string) error {
	switch {
	case len(args) == 0:
		return errors.New("which topology? " + want)
	case len(args) > 1:
		return fmt.Errorf("one topology at a time: unexpected argument %q", args[1])
	case !topologyName.MatchString(args[0]):
		return fmt.Errorf("%q is not the name of a topology%s", args[0], hint)
	}
	return nil
}
