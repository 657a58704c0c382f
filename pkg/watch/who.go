package watch

import (
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/plumbnet/plumb/pkg/kernel"
)

// process names a process, as far as it is still there.
func process(pid int) string {
	comm, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
	if err != nil {
		return fmt.Sprintf("pid %d", pid)
	}
	return fmt.Sprintf("pid %d (%s)", pid, strings.TrimSpace(string(comm)))
}

// leader is the process that a thread is one of; the thread itself where that has ended.
func leader(tid int) int {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", tid))
	if err != nil {
		return tid
	}
	for line := range strings.Lines(string(status)) {
		if text, ok := strings.CutPrefix(line, "Tgid:"); ok {
			if pid, err := strconv.Atoi(strings.TrimSpace(text)); err == nil {
				return pid
			}
		}
	}
	return tid
}

// owner names the process that a netlink socket likely belongs to. The kernel gives the first that a process binds in a
// namespace the number of the process, and libnl counts on in the upper bits; all others get a negative number. One
// whose process is in another namespace by now is somebody else's, as a container's that counts its processes anew.
func owner(port uint32, in kernel.ID) string {
	const pids = 1<<22 - 1
	pid := int(port & pids)
	if pid == 0 || int32(port) < 0 {
		return ""
	}
	var st unix.Stat_t
	err := unix.Stat(fmt.Sprintf("/proc/%d/ns/net", pid), &st)
	if err == nil && (kernel.ID{Dev: st.Dev, Ino: st.Ino}) != in && pid != os.Getpid() {
		return ""
	}
	return process(pid)
}
