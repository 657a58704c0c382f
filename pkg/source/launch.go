package source

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// launched is a command that runs git within the limits: a process can lower its own, and those of another user's
// process only with CAP_SYS_RESOURCE.
func (g *Git) launched(args []string) []string {
	pack, space := g.Limits.pack(), cmp.Or(g.Limits.Space, defaultSpace)
	head := append([]string{}, g.Program...)
	return append(append(head, strconv.FormatUint(pack, 10), strconv.FormatUint(space, 10)), args...)
}

// Launch becomes git: the arguments are those behind [Git.Program]. It returns only what keeps it from that.
func Launch(args []string) error {
	if len(args) < 2 {
		return errors.New("no limits are given")
	}
	git, err := exec.LookPath("git")
	if err != nil {
		return err
	}
	for i, what := range []int{unix.RLIMIT_FSIZE, unix.RLIMIT_AS} {
		most, err := strconv.ParseUint(args[i], 10, 64)
		if err != nil {
			return fmt.Errorf("limit: %w", err)
		}
		if err := unix.Setrlimit(what, &unix.Rlimit{Cur: most, Max: most}); err != nil {
			return fmt.Errorf("limit: %w", err)
		}
	}
	return syscall.Exec(git, append([]string{"git"}, args[2:]...), os.Environ())
}
