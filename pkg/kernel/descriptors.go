package kernel

import "golang.org/x/sys/unix"

// MakeRoom makes the process's table of descriptors large enough for so many open namespaces, beside the caller. The kernel
// doubles it whenever it is full, and then lets a process of several threads wait for all processors (fs/file.c:
// expand_fdtable), 10 ms and more each time, in which nothing else can be opened. Where it fails, as with too low a limit
// (RLIMIT_NOFILE), nothing is lost but that time.
func MakeRoom(namespaces int) {
	const (
		each  = 3  // the namespace and two sockets
		other = 20 // what else is open
		first = 64 // the size that a table begins with
	)
	if room := each*namespaces + other; room > first {
		go reserve(room)
	}
}

func reserve(descriptors int) {
	if fd, err := unix.FcntlInt(0, unix.F_DUPFD_CLOEXEC, descriptors-1); err == nil {
		unix.Close(fd) //nolint:errcheck // a duplicate has nothing to lose
	}
}
