package watch

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/plumbnet/plumb/pkg/kernel"
)

// sysctls hears of each write to a file in /proc, in whatever network namespace and mount namespace it is made. It is
// blind to the /proc of another PID namespace.
type sysctls struct{ fd int }

func openSysctls() (*sysctls, error) {
	const flags = unix.FAN_CLASS_NOTIF | unix.FAN_CLOEXEC | unix.FAN_NONBLOCK | unix.FAN_REPORT_TID
	fd, err := unix.FanotifyInit(flags, unix.O_RDONLY|unix.O_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("listen to writes of sysctls (fanotify, needs CAP_SYS_ADMIN): %w", err)
	}
	// A mark of the mount would miss `ip netns exec`, which has mounts of its own.
	err = unix.FanotifyMark(fd, unix.FAN_MARK_ADD|unix.FAN_MARK_FILESYSTEM, unix.FAN_MODIFY, unix.AT_FDCWD, "/proc")
	if err != nil {
		unix.Close(fd) //nolint:errcheck // nothing is open but the listening itself
		return nil, fmt.Errorf("listen to writes of sysctls (fanotify of /proc): %w", err)
	}
	return &sysctls{fd: fd}, nil
}

func (s *sysctls) close() { unix.Close(s.fd) } //nolint:errcheck // only read

// written is a write to a sysctl: by which thread, and to which file, which the descriptor is of.
type written struct{ fd, tid int }

// hearSysctls receives what fanotify tells. It reads one at a time: with each comes a descriptor.
func (w *Watcher) hearSysctls(s *sysctls) error {
	for range batch {
		var room [unsafe.Sizeof(unix.FanotifyEventMetadata{})]byte
		switch _, err := unix.Read(s.fd, room[:]); {
		case errors.Is(err, unix.EINTR):
			continue
		case errors.Is(err, unix.EAGAIN):
			return nil
		case err != nil:
			return fmt.Errorf("read from fanotify: %w", err)
		}
		if binary.NativeEndian.Uint64(room[8:])&unix.FAN_Q_OVERFLOW != 0 {
			w.lose("the kernel had no room left for writes of sysctls")
			continue
		}
		event := written{int(int32(binary.NativeEndian.Uint32(room[16:]))), int(binary.NativeEndian.Uint32(room[20:]))}
		w.hearSysctl(event)
		unix.Close(event.fd) //nolint:errcheck // only read
	}
	return nil
}

// hearSysctl tells of a write. What this process writes itself is left out: it knows that.
func (w *Watcher) hearSysctl(e written) {
	file, err := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", e.fd))
	_, path, ok := strings.Cut(file, "/sys/net/")
	if err != nil || !ok {
		return
	}
	pid := leader(e.tid)
	if pid == os.Getpid() {
		return
	}
	path = "net/" + path
	what, by := "sysctl "+path, process(pid)
	var room [1024]byte
	if n, err := unix.Read(e.fd, room[:]); err == nil { // else it can only be written
		what += " = " + strings.Join(strings.Fields(string(room[:n])), " ")
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, p := range w.placesOf(e, path) {
		w.queue.add(Event{Section: p.section, What: what, By: by})
	}
}

// placesOf finds the namespace whose sysctl was written. The file does not say; but for each namespace there is another
// at the same path. The writer mostly is in that namespace, if it is still there; else all are tried, 10 us each.
func (w *Watcher) placesOf(e written, path string) (found []*place) {
	var st unix.Stat_t
	if err := unix.Fstat(e.fd, &st); err != nil {
		return nil
	}
	// Errors are of namespaces that have ended, and of those in which there is no such link.
	_ = kernel.OnThread(func(t kernel.Thread) error {
		has := func(f kernel.File) bool {
			if err := f.Enter(t); err != nil {
				return false
			}
			file, err := kernel.SysctlFileHere(path)
			return err == nil && file == kernel.ID{Dev: st.Dev, Ino: st.Ino}
		}
		where, _, err := kernel.OpenProcess(e.tid)
		if err == nil {
			defer where.Close()
			if !has(where) {
				err = errElsewhere
			}
		}
		for _, p := range w.places.all {
			if err == nil {
				if p.id == where.ID {
					found = append(found, p)
				}
				continue
			}
			_ = p.borrow(func(f kernel.File) error {
				if has(f) {
					found = append(found, p)
				}
				return nil
			})
		}
		return nil
	})
	return found
}

var errElsewhere = errors.New("the writer is in another namespace")
