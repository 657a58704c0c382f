package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/plumbnet/plumb/pkg/reconcile"
)

// env is what the commands work with: the streams, the way to the host, and the flags that they share.
type env struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	// open gives the host that the commands look at and change.
	open func(reconcile.Options) (host, error)

	workers int // threads that read and write the kernel at once; 0 is for the host to choose

	unstarted []string // topologies that an error kept from being begun

	live *live // of the command that goes on; nil for none

	output, color  choice
	quiet, verbose bool
	lockTimeout    time.Duration
	// allowDisconnect lets a plan cut the host off.
	allowDisconnect bool
}

func (e *env) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "plumb",
		Short: "Make a Linux host's network match a topology file",
		Long: `plumb makes a Linux host's network match a topology file. It reads the file, reads the
live kernel, and applies only the difference.

A plan's signs: + creates, ~ changes in place, - deletes, -/+ deletes and creates anew, = adopts
an object plumb did not make (--adopt), ! marks a step plumb refuses.

Exit codes:
  0  the asked state is reached; diff: no difference
  1  the answer is no: diff found differences, confirm found nothing to confirm
  2  bad usage or invalid input
  3  could not run, nothing was changed
  4  refused, nothing was changed: an object of that name is not plumb's, or the host would be cut off
  5  failed or stopped part-way, changes are kept
  6  failed or interrupted, rolled back and verified
  7  the rollback failed too`,
		Example: `  plumb validate -f topology.yaml
  plumb diff -f topology.yaml
  plumb apply -f topology.yaml
  plumb destroy docker0`,
		SilenceErrors:     true,
		SilenceUsage:      true,
		PersistentPreRunE: e.checkFlags,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return usage(cmd, errors.New("no command given"))
		},
		Version: version(),
		// One line says what is unknown and what may be meant: see suggest.
		DisableSuggestions:         true,
		SuggestionsMinimumDistance: 2,
	}
	root.SetIn(e.stdin)
	root.SetOut(e.stdout)
	root.SetErr(e.stderr)
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error { return usage(cmd, flagError(err)) })
	root.SetHelpCommand(help())
	// Root only runs to say that there is no command: that is not a usage.
	root.SetUsageTemplate(strings.Replace(root.UsageTemplate(), "{{if .Runnable}}", "{{if and .Runnable .HasParent}}", 1))

	e.output = choice{"text", []string{"text", "json"}}
	e.color = choice{"auto", []string{"auto", "always", "never"}}
	f := root.PersistentFlags()
	f.VarP(&e.output, "output", "o", "form of the output")
	f.Var(&e.color, "color", "when to print in colour")
	f.BoolVarP(&e.quiet, "quiet", "q", false, "print neither steps nor warnings, only errors")
	f.BoolVarP(&e.verbose, "verbose", "v", false,
		"also print each write with its duration, and the stamps")
	f.DurationVar(&e.lockTimeout, "lock-timeout", 10*time.Second,
		"how long to wait for another run of plumb, for example 30s")
	f.BoolVar(&e.allowDisconnect, "allow-disconnect", false,
		"let a plan take the host's default route, its uplink, or the current SSH session")
	for flag, c := range map[string]choice{"output": e.output, "color": e.color} {
		// The only error is that of a flag that does not exist.
		_ = root.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(c.allowed, cobra.ShellCompDirectiveNoFileComp))
	}
	return root
}

// checkFlags finds what no flag's value can tell by itself.
func (e *env) checkFlags(cmd *cobra.Command, _ []string) error {
	switch {
	case e.quiet && e.verbose:
		return usage(cmd, errors.New("--quiet and --verbose exclude each other"))
	case e.lockTimeout < 0:
		return usage(cmd, fmt.Errorf("--lock-timeout %v is negative", e.lockTimeout))
	}
	return nil
}

// flagError says in plain words what is wrong with a flag.
func flagError(err error) error {
	var (
		unknown *pflag.NotExistError
		bare    *pflag.ValueRequiredError
		invalid *pflag.InvalidValueError
	)
	switch {
	case errors.As(err, &unknown) && unknown.GetSpecifiedName() == "dry-run":
		return errors.New("unknown flag --dry-run: plumb diff shows what apply would do, and writes nothing")
	case errors.As(err, &unknown):
		return fmt.Errorf("unknown flag %s", dashed(unknown.GetSpecifiedName(), unknown.GetSpecifiedShortnames()))
	case errors.As(err, &bare):
		what, _ := pflag.UnquoteUsage(bare.GetFlag())
		flag := dashed(bare.GetSpecifiedName(), bare.GetSpecifiedShortnames())
		return fmt.Errorf("%s needs a %s", flag, strings.ToLower(what))
	case errors.As(err, &invalid) && invalid.GetFlag().Value.Type() == "duration":
		if _, err := strconv.ParseFloat(invalid.GetValue(), 64); err == nil {
			return fmt.Errorf("--%s needs a unit, for example %ss", invalid.GetFlag().Name, invalid.GetValue())
		}
	}
	return err
}

// dashed is a flag as it was typed: by its name, or by the first of several letters.
func dashed(name, letters string) string {
	if letters != "" {
		return "-" + letters[:1]
	}
	return "--" + name
}

// help is cobra's, but that an unknown command is an error.
func help() *cobra.Command {
	return &cobra.Command{
		Use:   "help [command]",
		Short: "Print help about any command",
		RunE: func(cmd *cobra.Command, args []string) error {
			about, _, err := cmd.Root().Find(args)
			if err != nil {
				return err
			}
			about.InitDefaultHelpFlag()
			return about.Help()
		},
	}
}

// completion is cobra's, but that an unknown shell is an error. It is made when root has its commands.
func completion(root *cobra.Command) {
	root.InitDefaultCompletionCmd()
	for _, cmd := range root.Commands() {
		if cmd.Name() == "completion" {
			cmd.Args = cobra.ArbitraryArgs
			cmd.RunE = func(cmd *cobra.Command, _ []string) error {
				return usage(cmd, errors.New("which shell? bash, fish, powershell or zsh"))
			}
		}
	}
}

// unquoted takes the quotes out of the words about flags: they mark what help calls a value, and completions show them
// as they are.
func unquoted(cmd *cobra.Command) {
	plain := func(f *pflag.Flag) { f.Usage = strings.ReplaceAll(f.Usage, "`", "") }
	cmd.Flags().VisitAll(plain)
	cmd.PersistentFlags().VisitAll(plain)
	for _, sub := range cmd.Commands() {
		unquoted(sub)
	}
}

// noArgs refuses arguments, which are most often files without their -f.
func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usage(cmd, fmt.Errorf("unexpected argument %q: a file is named with -f", args[0]))
	}
	return nil
}

// choice is a flag with a few values.
type choice struct {
	value   string
	allowed []string
}

// String implements pflag.Value.
func (c *choice) String() string { return c.value }

// Type implements pflag.Value.
func (c *choice) Type() string { return strings.Join(c.allowed, "|") }

// Set implements pflag.Value.
func (c *choice) Set(s string) error {
	if !slices.Contains(c.allowed, s) {
		return errors.New("must be " + strings.Join(c.allowed, " or "))
	}
	c.value = s
	return nil
}
