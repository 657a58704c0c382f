package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/plumbnet/plumb/pkg/reconcile"
)

// becoming marks a command that becomes another program.
const becoming = "becomes another program"

func becomes(cmd *cobra.Command) bool { return cmd.Annotations[becoming] != "" }

func (e *env) execIn() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "exec NAME/NAMESPACE [--] COMMAND [ARGUMENT...]",
		Short: "Run a command in a namespace of a topology",
		Long: `exec runs a command in a namespace of the topology NAME, one that it has made or one that it is
attached to. Files in /etc/netns/NAMESPACE stand in place of those in /etc, and /sys shows the
namespace, as with 'ip netns exec'.

exec becomes the command, which so gets all signals, and ends as it does. The exit code is 125 when
plumb itself fails, 126 for what is not executable, and 127 for a command that is not found.`,
		Example: `  plumb exec lab/web -- ping -c 1 10.1.0.1
  plumb exec lab/web ip address`,
		Annotations:       map[string]string{becoming: "yes"},
		ValidArgsFunction: e.completePlaces,
		RunE: func(cmd *cobra.Command, args []string) error {
			at, err := placeIn(args)
			if err != nil {
				return usage(cmd, err)
			}
			command := rest(args)
			if len(command) == 0 {
				return usage(cmd, errors.New("which command? as in plumb exec lab/web -- ip address"))
			}
			return e.become(at, command[0], command, os.Environ())
		},
	}
	cmd.Flags().SetInterspersed(false) // what follows the place is the command's
	return cmd
}

// rest is what follows the first argument, and -- where that is written.
func rest(args []string) []string {
	if args = args[1:]; len(args) > 0 && args[0] == "--" {
		return args[1:]
	}
	return args
}

// place is where a command is to run.
type place struct{ topology, section string }

var sectionName = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9._-]*$`)

// placeIn reads the first argument, as lab/web.
func placeIn(args []string) (at place, err error) {
	if len(args) == 0 {
		return at, errors.New("where? NAME/NAMESPACE, as lab/web")
	}
	name, section, found := strings.Cut(args[0], "/")
	switch {
	case !found || !topologyName.MatchString(name) || !sectionName.MatchString(section):
		return at, fmt.Errorf("%q is not NAME/NAMESPACE, as lab/web", args[0])
	case section == "host":
		return at, fmt.Errorf("%s: the host's own network needs no plumb exec", args[0])
	}
	return place{name, section}, nil
}

// become runs a program in place of this one. It returns only what keeps it from that.
func (e *env) become(at place, program string, args, environment []string) error {
	h, err := e.open(reconcile.Options{Workers: e.workers, Warn: e.warn})
	if err != nil {
		return hostError(err)
	}
	defer e.closeHost(h)
	var started *exitError
	err = h.Inside(at.topology, at.section, func() error {
		started = start(program, args, environment)
		return started
	})
	if started != nil {
		return started
	}
	return hostError(err)
}

// start becomes a program, which is looked for as a shell does.
func start(program string, args, environment []string) *exitError {
	path, err := exec.LookPath(program)
	if err == nil {
		err = syscall.Exec(path, args, environment)
	}
	var of *fs.PathError
	switch cause := errors.Unwrap(err); {
	case errors.As(err, &of):
		err = of.Err
	case cause != nil:
		err = cause
	}
	code := exitNotExecutable
	if errors.Is(err, exec.ErrNotFound) || errors.Is(err, fs.ErrNotExist) {
		code = exitNotFound
	}
	return &exitError{code, fmt.Errorf("run %s: %w", program, err)}
}

// completePlaces offers the places of a NAME/NAMESPACE.
func (e *env) completePlaces(_ *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveDefault // a command, and files
	}
	return e.offer(func(h host, name string) (places []string) {
		if topology, _, found := strings.Cut(typed, "/"); found && topology != name {
			return nil
		}
		sections, _ := h.Sections(name) // those that can't be found are not offered
		for _, s := range sections {
			places = append(places, name+"/"+s)
		}
		return places
	})
}

// completeTopologies offers the topologies on this host.
func (e *env) completeTopologies(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return e.offer(func(_ host, name string) []string { return []string{name} })
}

// offer completes an argument with what of gives for each topology on this host, as far as that can be found.
func (e *env) offer(of func(h host, topology string) []string) (offers []string, _ cobra.ShellCompDirective) {
	const directive = cobra.ShellCompDirectiveNoFileComp
	h, err := e.open(reconcile.Options{Workers: e.workers})
	if err != nil {
		return nil, directive
	}
	defer e.closeHost(h)
	names, _ := h.Topologies()
	for _, name := range names {
		offers = append(offers, of(h, name)...)
	}
	return offers, directive
}
