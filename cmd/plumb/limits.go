package main

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

// pollFiles is how many descriptors the runtime takes with the first file that is opened: the file, an epoll instance
// and an eventfd. It ends the process when it does not get them (runtime/netpoll_epoll.go: netpollinit).
const pollFiles = 3

// enoughFiles says whether the process may open as many files as the runtime needs, and has it take them.
func enoughFiles() error {
	err := roomFor(pollFiles)
	if errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) {
		return fmt.Errorf("too few files may be open here (%w): allow more with `ulimit -n 1024`, or "+
			"LimitNOFILE= in the unit", err)
	}
	if f, err := os.Open("/"); err == nil { // else what comes will say what is wrong
		_ = f.Close() // was only opened
	}
	return nil
}

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
