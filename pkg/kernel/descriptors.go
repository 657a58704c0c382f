package kernel

import (
	"math"

	"golang.org/x/sys/unix"
)

// MakeRoom makes the process's table of descriptors large enough for so many open namespaces, beside the caller. The
// kernel doubles it whenever it is full, and then lets a process of several threads wait for all processors
// (fs/file.c: expand_fdtable), 10 ms and more each time, in which nothing else can be opened. Where it fails, as with
// too low a limit (RLIMIT_NOFILE), nothing is lost but that time.
func MakeRoom(namespaces int) {
	const (
		each  = 2   // the namespace and a socket
		few   = 20  // what else is open
		many  = 200 // and that when many threads are at work
		first = 64  // the size that a table begins with
	)
	if each*namespaces+few > first {
		go reserve(each*namespaces + many)
	}
}

// Room is how many namespaces can be held open by one descriptor each, beside all else.
func Room() int {
	const others = 300
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil || limit.Cur < others {
		return 0
	}
	return int(min(limit.Cur-others, math.MaxInt32))
}

func reserve(descriptors int) {
	const flags = unix.O_PATH | unix.O_CLOEXEC
	fd, err := unix.Open("/", flags, 0)
	if err != nil {
		return
	}
	if last, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, descriptors-1); err == nil {
		unix.Close(last) //nolint:errcheck // O_PATH
	}
	unix.Close(fd) //nolint:errcheck // O_PATH
}
