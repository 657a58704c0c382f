package kernel

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// etcNetns has a directory for each named namespace, with files that stand in place of those in /etc (ip-netns(8)).
const etcNetns = "/etc/netns"

// View gives the calling thread mounts of its own, as `ip netns exec` does: /sys shows the namespace that the thread is
// in, and the files of /etc/netns/NAME stand in place of those in /etc; none for an empty name. The thread must end
// with its goroutine, or become another program. What the kernel refused of it is in failed, and all else is as it
// should be.
func View(name string) (failed []error, err error) {
	if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
		return nil, fmt.Errorf("get mounts of its own: %w", err)
	}
	if err := unix.Mount("", "/", "", unix.MS_SLAVE|unix.MS_REC, ""); err != nil {
		return nil, fmt.Errorf("hide its mounts from the host: %w", err)
	}
	if err := mountSys(name); err != nil {
		failed = append(failed, fmt.Errorf("/sys shows the host's devices: %w", err))
	}
	if name == "" {
		return failed, nil
	}
	dir := filepath.Join(etcNetns, name)
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return append(failed, err), nil
	}
	for _, e := range entries {
		from, to := filepath.Join(dir, e.Name()), filepath.Join("/etc", e.Name())
		if err := unix.Mount(from, to, "", unix.MS_BIND, ""); err != nil {
			failed = append(failed, fmt.Errorf("%s does not stand in place of %s: %w", from, to, err))
		}
	}
	return failed, nil
}

// mountSys mounts sysfs anew, read-only where it was: it shows the namespace that it was mounted in.
func mountSys(name string) error {
	flags := uintptr(0)
	var st unix.Statfs_t
	if err := unix.Statfs("/sys", &st); err == nil && st.Flags&unix.ST_RDONLY != 0 {
		flags = unix.MS_RDONLY
	}
	// EINVAL: nothing is there.
	if err := unix.Unmount("/sys", unix.MNT_DETACH); err != nil && !errors.Is(err, unix.EINVAL) {
		return fmt.Errorf("unmount it: %w", err)
	}
	if err := unix.Mount(name, "/sys", "sysfs", flags, ""); err != nil {
		return fmt.Errorf("mount it: %w", err)
	}
	return nil
}
