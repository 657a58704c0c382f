// Package early says what is missing before anything needs it: packages of others open files already when they are
// initialised. It needs nothing that others need, and so comes first (The Go Programming Language Specification, Program
// initialization).
package early

import (
	"errors"
	"syscall"
)

func init() { //nolint:gochecknoinits // main comes too late
	err := roomFor(pollFiles)
	if !errors.Is(err, syscall.EMFILE) && !errors.Is(err, syscall.ENFILE) {
		return // what comes will say what is wrong
	}
	text := "plumb: too few files may be open here (" + err.Error() + "): allow more with `ulimit -n 1024`, or " +
		"LimitNOFILE= in the unit\n"
	_, _ = syscall.Write(2, []byte(text)) // nowhere else to say it
	syscall.Exit(exitNotRun)
}

// exitNotRun is the exit code of what could not run.
const exitNotRun = 3

// pollFiles is how many descriptors the runtime takes with the first file that is opened: the file, an epoll instance
// and an eventfd. It ends the process when it does not get them (runtime/netpoll_epoll.go: netpollinit).
const pollFiles = 3

// roomFor opens as many descriptors at once, and closes them.
func roomFor(files int) error {
	if files == 0 {
		return nil
	}
	fd, err := syscall.Open("/", syscall.O_DIRECTORY|syscall.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer syscall.Close(fd) //nolint:errcheck // nothing was written to it
	return roomFor(files - 1)
}
