package watch

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
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

// written is a write to a sysctl.
type written struct {
	fd    int // of the file
	file  kernel.ID
	path  string
	what  string
	by    string
	where kernel.File // the namespace that the writer is in
	alive bool        // that is open
}

// hearSysctls receives what fanotify tells, one at a time: with each comes a descriptor.
func (w *Watcher) hearSysctls(s *sysctls) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	var lost []*written // those whose namespace the writer does not lead to
	defer func() {
		for _, e := range lost {
			unix.Close(e.fd) //nolint:errcheck // only read
		}
	}()
	for range batch {
		e, more, err := s.receive(w.lose)
		if err != nil {
			return err
		}
		switch {
		case e == nil:
		case w.tellByWriter(e):
			unix.Close(e.fd) //nolint:errcheck // only read
		default:
			lost = append(lost, e)
		}
		if !more {
			break
		}
	}
	w.tellBySearch(lost)
	return nil
}

// receive takes what is told next; nil for what is of no interest. More is false when there is nothing.
func (s *sysctls) receive(lose func(why string)) (e *written, more bool, err error) {
	var room [unsafe.Sizeof(unix.FanotifyEventMetadata{})]byte
	n, err := unix.Read(s.fd, room[:])
	switch {
	case errors.Is(err, unix.EAGAIN):
		return nil, false, nil
	case errors.Is(err, unix.EMFILE), errors.Is(err, unix.ENFILE), errors.Is(err, unix.ENOMEM):
		lose(fmt.Sprintf("a write of a sysctl went unheard: %v", err))
		return nil, true, nil
	case errors.Is(err, unix.EBADF), err == nil && n < len(room):
		return nil, false, fmt.Errorf("fanotify has ended: %d bytes, %w", n, cmp.Or(err, io.ErrUnexpectedEOF))
	case err != nil: // what was written can't be opened, mostly as its process or its link has gone
		return nil, true, nil
	case binary.NativeEndian.Uint64(room[8:])&unix.FAN_Q_OVERFLOW != 0:
		lose("the kernel had no room left for writes of sysctls")
		return nil, true, nil
	}
	fd := int(int32(binary.NativeEndian.Uint32(room[16:])))
	if e = readWritten(fd, int(binary.NativeEndian.Uint32(room[20:]))); e == nil {
		unix.Close(fd) //nolint:errcheck // only read
	}
	return e, true, nil
}

// readWritten says what was written; nil for what is no sysctl of the network, and for what this process has written
// itself: it knows that.
func readWritten(fd, tid int) *written {
	name, err := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", fd))
	_, path, ok := strings.Cut(name, "/sys/net/")
	if err != nil || !ok {
		return nil
	}
	e := &written{fd: fd, path: "net/" + path}
	e.where, _, err = kernel.OpenProcess(tid) // first of all: it may be about to end
	e.alive = err == nil
	pid := leader(tid)
	e.by = process(pid)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil || pid == os.Getpid() {
		e.forget()
		return nil
	}
	e.file = kernel.ID{Dev: st.Dev, Ino: st.Ino}
	e.what = "sysctl " + e.path
	if value := valueOf(fd, path); value != "" {
		e.what += " = " + value
	}
	return e
}

// secrets are the last parts of the names of sysctls whose values nobody is to read in a log.
var secrets = []string{"stable_secret", "tcp_fastopen_key"}

// valueOf reads the value of a sysctl, its white space made single; nothing where it can only be written, or is a secret.
func valueOf(fd int, path string) string {
	if slices.ContainsFunc(secrets, func(name string) bool { return strings.HasSuffix(path, "/"+name) }) {
		return ""
	}
	var room [1024]byte
	n, err := unix.Read(fd, room[:])
	if err != nil {
		return ""
	}
	return strings.Join(strings.Fields(string(room[:n])), " ")
}

// forget closes the namespace of the writer.
func (e *written) forget() {
	if e.alive {
		e.where.Close()
	}
	e.alive = false
}

// tellByWriter tells of a write in the namespace that the writer is in, if it was made there. The file does not say
// where; but at its path each namespace has another.
func (w *Watcher) tellByWriter(e *written) (told bool) {
	if !e.alive {
		return false
	}
	defer e.forget()
	err := kernel.OnThread(func(t kernel.Thread) error {
		if err := e.where.Enter(t); err != nil {
			return err
		}
		told = kernel.SysctlFilesHere(e.path)[0] == e.file
		return nil
	})
	for _, p := range w.places.all {
		if told && p.id == e.where.ID {
			w.queue.add(Event{Section: p.section, What: e.what, By: e.by})
		}
	}
	return told && err == nil
}

// tellBySearch looks for where writes were made in all namespaces that are followed, which takes 0.1 s for a thousand:
// once for all of them. What was made in none of these may have been made in one that is attached, and that can't be
// looked into here.
func (w *Watcher) tellBySearch(lost []*written) {
	if len(lost) == 0 {
		return
	}
	paths := make([]string, len(lost))
	for i, e := range lost {
		paths[i] = e.path
	}
	found := make([]bool, len(lost))
	// Errors are of namespaces that have ended.
	_ = kernel.OnThread(func(t kernel.Thread) error {
		for _, p := range w.places.all {
			_ = p.borrow(func(f kernel.File) error {
				if err := f.Enter(t); err != nil {
					return err
				}
				for i, file := range kernel.SysctlFilesHere(paths...) {
					if e := lost[i]; file == e.file {
						found[i] = true
						w.queue.add(Event{Section: p.section, What: e.what, By: e.by})
					}
				}
				return nil
			})
		}
		return nil
	})
	for i, e := range lost {
		for _, p := range w.places.all {
			if !found[i] && p.attached && p.number >= 0 {
				w.queue.add(Event{Section: p.section, What: e.what, By: e.by})
			}
		}
	}
}
