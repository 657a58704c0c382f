package main

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"
)

func (e *env) shell() *cobra.Command {
	return &cobra.Command{
		Use:   "shell NAME/NAMESPACE",
		Short: "Open a shell in a namespace of a topology",
		Long: `shell opens a shell, that of $SHELL or else /bin/sh, in a namespace of the topology NAME, as exec
does. Its prompt begins with the place, where the shell is bash or takes its prompt from the
environment. $PLUMB_NAMESPACE has the place too.`,
		Example:           `  plumb shell lab/web`,
		Annotations:       map[string]string{becoming: "yes"},
		ValidArgsFunction: e.completePlaces,
		RunE: func(cmd *cobra.Command, args []string) error {
			at, err := placeIn(args)
			if err != nil {
				return usage(cmd, err)
			}
			if len(args) > 1 {
				return usage(cmd, fmt.Errorf("unexpected argument %q: a command is run with plumb exec", args[1]))
			}
			program := cmp.Or(os.Getenv("SHELL"), "/bin/sh")
			shell, environment, err := prompting(program, at.topology+"/"+at.section)
			if err != nil {
				return &exitError{exitOwn, err}
			}
			return e.become(at, program, shell, environment)
		},
	}
}

// prompting is how to call a shell whose prompt tells where it is. Bash takes its prompt only from a file.
func prompting(program, where string) (args, environment []string, err error) {
	prompt := "(" + where + ") "
	environment = append(os.Environ(), "PLUMB_NAMESPACE="+where, "PS1="+prompt+"# ")
	if filepath.Base(program) != "bash" {
		return []string{program}, environment, nil
	}
	const here = 0 // it stays open in bash, which reads it by its number and closes it
	fd, err := unix.MemfdCreate("plumb-shell", here)
	if err != nil {
		return nil, nil, fmt.Errorf("make a file for the prompt: %w", err)
	}
	text := fmt.Sprintf(`for rc in /etc/bash.bashrc ~/.bashrc; do if [ -r "$rc" ]; then . "$rc"; fi; done; unset rc
PS1='%s'"$PS1"
exec %d<&-
`, prompt, fd)
	if _, err := unix.Write(fd, []byte(text)); err != nil {
		return nil, nil, fmt.Errorf("write a file for the prompt: %w", err)
	}
	return []string{program, "--rcfile", fmt.Sprintf("/proc/self/fd/%d", fd)}, environment, nil
}
