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

// Unseen says which process among those that this one descends from has the same /run/netns, and does not see what is
// mounted there from here, because it is in another mount namespace: its number, 0 for none. One that can't be looked
// at is passed over.
func Unseen() (pid int, err error) {
	own, err := fileID("/proc/self/ns/mnt")
	if err != nil {
		return 0, fmt.Errorf("find the mount namespace: %w", err)
	}
	here, err := netnsDirIn("/")
	if err != nil {
		return 0, fmt.Errorf("look at %s: %w", NetnsDir, err)
	}
	m, err := mountOf(NetnsDir)
	if err != nil {
		return 0, err
	}
	for pid = os.Getppid(); pid > 0; pid = parentOf(pid) {
		proc := strconv.Itoa(pid)
		if ns, err := fileID("/proc/" + proc + "/ns/mnt"); err != nil || ns == own {
			continue
		}
		root := "/proc/" + proc + "/root"
		if there, err := netnsDirIn(root); err != nil || there != here {
			continue
		}
		if theirs, err := mountIn(proc, root+NetnsDir); err == nil && (m.peers == "" || m.peers != theirs.peers) {
			return pid, nil
		}
	}
	return 0, nil
}

// netnsDirIn identifies /run/netns as it is below a root; before it is made, /run.
func netnsDirIn(root string) (ID, error) {
	id, err := fileID(filepath.Join(root, NetnsDir))
	if errors.Is(err, fs.ErrNotExist) {
		return fileID(filepath.Join(root, filepath.Dir(NetnsDir)))
	}
	return id, err
}

// fileID identifies the file that a path leads to.
func fileID(path string) (ID, error) {
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		return ID{}, &os.PathError{Op: "stat", Path: path, Err: err}
	}
	return ID{st.Dev, st.Ino}, nil
}

// parentOf is the parent of a process, 0 for none that is known.
func parentOf(pid int) int {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(status)) {
		if text, ok := strings.CutPrefix(line, "PPid:"); ok {
			parent, _ := strconv.Atoi(strings.TrimSpace(text)) // a number, or 0
			return parent
		}
	}
	return 0
}
