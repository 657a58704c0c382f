package kernel

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// ErrNoProcess is the error of [OpenProcess] for a process that is not there.
var ErrNoProcess = errors.New("is not there")

// OpenPath opens the file of a network namespace, wherever it is. It follows no symbolic link at the end of the path,
// and opens nothing that is no namespace: a device may take that for an order. Errors wrap [fs.ErrNotExist],
// [ErrNotNamespace] or [ErrSymlink].
func OpenPath(path string) (File, error) {
	fd, err := unix.Open(path, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return File{}, fmt.Errorf("open %s: %w", path, err)
	}
	return reopen(path, fd)
}

// OpenProcess opens the network namespace of a process, and tells when the process was started, in ticks since boot
// (proc_pid_stat(5)): another that has got its number later was started later. Errors wrap [ErrNoProcess].
func OpenProcess(pid int) (f File, started uint64, err error) {
	path := "/proc/" + strconv.Itoa(pid)
	// What is opened below the directory is of the process that has the number now, or fails.
	dir, err := unix.Open(path, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return f, 0, ofProcess(pid, err)
	}
	defer unix.Close(dir) //nolint:errcheck // only read
	if started, err = startOf(dir); err != nil {
		return f, 0, ofProcess(pid, err)
	}
	fd, err := unix.Openat(dir, "ns/net", unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return f, 0, ofProcess(pid, err)
	}
	f, err = reopen(path+"/ns/net", fd)
	return f, started, err
}

// ofProcess says that there is no such process, where an error is that.
func ofProcess(pid int, err error) error {
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ESRCH) {
		return fmt.Errorf("process %d %w", pid, ErrNoProcess)
	}
	return fmt.Errorf("process %d: %w", pid, err)
}

// startOf reads when a process was started from its directory in /proc. Its name stands in brackets, and may hold any.
func startOf(dir int) (uint64, error) {
	const starttime = 22 - 3 // the fields are counted from 1, and the third is the first behind the name
	fd, err := unix.Openat(dir, "stat", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return 0, err
	}
	defer unix.Close(fd) //nolint:errcheck // only read
	var room [4096]byte
	n, err := unix.Read(fd, room[:])
	if err != nil {
		return 0, err
	}
	text := string(room[:n])
	fields := strings.Fields(text[strings.LastIndexByte(text, ')')+1:])
	if len(fields) <= starttime {
		return 0, fmt.Errorf("its stat is %q", text)
	}
	return strconv.ParseUint(fields[starttime], 10, 64)
}

// reopen makes of a descriptor that only names a file (O_PATH), which it takes over, one of the network namespace that
// the file is.
func reopen(path string, fd int) (File, error) {
	defer unix.Close(fd) //nolint:errcheck // it only names the file
	var st unix.Stat_t
	var in unix.Statfs_t
	if err := errors.Join(unix.Fstat(fd, &st), unix.Fstatfs(fd, &in)); err != nil {
		return File{}, fmt.Errorf("stat %s: %w", path, err)
	}
	switch {
	case st.Mode&unix.S_IFMT == unix.S_IFLNK:
		return File{}, fmt.Errorf("%s %w", path, ErrSymlink)
	case in.Type != unix.NSFS_MAGIC:
		return File{}, fmt.Errorf("%s %w", path, ErrNotNamespace)
	}
	open, err := unix.Open(fmt.Sprintf("/proc/self/fd/%d", fd), unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return File{}, fmt.Errorf("open %s: %w", path, err)
	}
	if kind, err := unix.IoctlRetInt(open, unix.NS_GET_NSTYPE); err != nil || kind != unix.CLONE_NEWNET {
		unix.Close(open) //nolint:errcheck // only opened to look
		return File{}, fmt.Errorf("%s is a namespace, and %w", path, errNotNet)
	}
	return File{FD: open, ID: ID{st.Dev, st.Ino}}, nil
}

var errNotNet = errors.New("not one of the network")

// Attach takes the thread into a namespace that somebody else has made, and opens it with all that a look at it needs.
// It takes over f, also when it fails. The namespace has no name by which it could be found again, so it stays open,
// and lives, until it is closed: name is what messages call it.
func Attach(t Thread, name string, f File, seam *Seam) (*Namespace, error) {
	if err := t.enter(name, f.FD); err != nil {
		f.Close()
		return nil, err
	}
	n, err := newNamespace(name, f.FD, seam)
	if err == nil {
		n.held = true
		n.openForLook()
	}
	return n, err
}

// Others calls f with the namespaces that a process is in or that are mounted anywhere, each once, but for those that
// known tells. Those that end meanwhile, or that are closed to the caller, are left out.
func Others(known func(ID) bool, f func(File) error) error {
	paths, err := filepath.Glob("/proc/[0-9]*/ns/net")
	if err != nil {
		return err
	}
	mounted, err := mountedNamespaces()
	if err != nil {
		return err
	}
	seen := make(map[ID]bool)
	for _, path := range append(paths, mounted...) {
		var st unix.Stat_t
		if err := unix.Stat(path, &st); err != nil {
			continue
		}
		id := ID{st.Dev, st.Ino}
		if seen[id] || known(id) {
			continue
		}
		fd, err := unix.Open(path, unix.O_PATH|unix.O_CLOEXEC, 0)
		if err != nil {
			continue
		}
		file, err := reopen(path, fd)
		if err != nil || file.ID != id {
			continue
		}
		seen[id] = true
		if err := f(file); err != nil {
			return err
		}
	}
	return nil
}

// mountedNamespaces lists where network namespaces are mounted.
func mountedNamespaces() (paths []string, err error) {
	text, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read the mounts: %w", err)
	}
	for line := range strings.Lines(string(text)) {
		if field := strings.Fields(line); len(field) > 4 && strings.HasPrefix(field[3], "net:[") {
			paths = append(paths, unescape(field[4]))
		}
	}
	return paths, nil
}

// unescape reads a path as /proc/self/mountinfo writes it: white space and backslashes stand as \ooo.
func unescape(path string) string {
	for _, c := range []string{" ", "\t", "\n", `\`} {
		path = strings.ReplaceAll(path, fmt.Sprintf(`\%03o`, c[0]), c)
	}
	return path
}
