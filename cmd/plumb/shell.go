package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"

	"github.com/spf13/cobra"
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
	fd, err := readable(func(fd int) string {
		return fmt.Sprintf(`for rc in /etc/bash.bashrc ~/.bashrc; do if [ -r "$rc" ]; then . "$rc"; fi; done; unset rc
PS1='%s'"$PS1"
exec %d<&-
`, prompt, fd)
	})
	if err != nil {
		return nil, nil, fmt.Errorf("make a file for the prompt: %w", err)
	}
	return []string{program, "--rcfile", fmt.Sprintf("/proc/self/fd/%d", fd)}, environment, nil
}

// readable is a descriptor that text can be read from, which gets its number. It stays open in another program.
func readable(text func(fd int) string) (fd int, err error) {
	from, to, err := os.Pipe()
	if err != nil {
		return 0, err
	}
	defer from.Close() //nolint:errcheck // only read
	if fd, err = syscall.Dup(int(from.Fd())); err == nil {
		_, err = io.WriteString(to, text(fd)) // which a pipe has room for
	}
	return fd, errors.Join(err, to.Close())
}
