package host

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

const (
	// NetnsDir is where namespaces have their names.
	NetnsDir = "/run/netns"
	// NetNS is the private host's own network namespace, for commands that take the path of one, as in "ip link set
	// eth0 netns /run/host.net".
	NetNS = "/run/host.net"
)

// mark tells a test binary that it is in the private host already.
const mark = "PLUMB_TEST_HOST"

// Enter moves the process to a private host, by executing it anew: exit code, signals, coverage and time limits are as
// ever. It returns in the new image; in the old one only with an error. It needs root.
func Enter() error {
	if os.Getenv(mark) != "" {
		return nil
	}
	runtime.LockOSThread() // the new image has the namespaces of the thread that executes it
	defer runtime.UnlockOSThread()
	if err := isolate(); err != nil {
		return fmt.Errorf("move to a private host: %w", err)
	}
	err := unix.Exec("/proc/self/exe", os.Args, append(os.Environ(), mark+"=1"))
	return fmt.Errorf("execute %s again: %w", os.Args[0], err)
}

// isolate makes the private host around the calling thread.
func isolate() error {
	if err := unix.Unshare(unix.CLONE_NEWNET | unix.CLONE_NEWNS); err != nil {
		return fmt.Errorf("unshare: %w", err)
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make all mounts private: %w", err)
	}
	for err := error(nil); err == nil; { // else what the machine has mounted there is in the list of mounts still
		err = unix.Unmount(NetnsDir, unix.MNT_DETACH)
	}
	if err := unix.Mount("tmpfs", "/run", "tmpfs", 0, "mode=755"); err != nil {
		return fmt.Errorf("mount /run: %w", err)
	}
	if err := os.WriteFile(NetNS, nil, 0o444); err != nil {
		return err
	}
	if err := unix.Mount("/proc/thread-self/ns/net", NetNS, "", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("mount %s: %w", NetNS, err)
	}
	return Run("ip", "link", "set", "lo", "up")
}

// Outside is the environment for a process that is to move to a private host of its own.
func Outside() []string {
	return slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, mark+"=") })
}

// Run runs a command. The error has what it says.
func Run(name string, args ...string) error {
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, out)
	}
	return nil
}

// Script runs one command a line, split at white space, up to the first that fails.
func Script(lines string) error {
	for line := range strings.Lines(lines) {
		if f := strings.Fields(line); len(f) > 0 {
			if err := Run(f[0], f[1:]...); err != nil {
				return err
			}
		}
	}
	return nil
}
