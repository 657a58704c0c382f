package kernel

import (
	"fmt"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// Rest closes the sockets until the namespace is used again, so that a thousand that are looked at need few descriptors: room for
// more has its price, see [MakeRoom]. Those of one without a name stay open, because it could not be found again.
func (n *Namespace) Rest() {
	if n.Name != "" {
		n.release()
	}
}

// Stands says whether the namespace still has its name. Another that has got the number of its file has got that later.
func (n *Namespace) Stands() bool {
	var st unix.Stat_t
	err := unix.Lstat(filepath.Join(NetnsDir, n.Name), &st)
	return err == nil && (ID{st.Dev, st.Ino}) == n.id && st.Ctim == n.born
}

// Through has writes leave through another seam from now on.
func (n *Namespace) Through(seam *Seam) { n.seam = seam }

// Wake ends a rest; without that the next use does, on a thread of its own. By the name another may be found meanwhile, which has
// another cookie. Errors wrap [ErrClosed] or [ErrGone].
func (n *Namespace) Wake(t Thread) error {
	switch {
	case n.closed:
		return ErrClosed
	case n.route != nil:
		return nil
	}
	again, err := open(t, n.Name, n.seam)
	if err != nil {
		return gone(err)
	}
	if again.cookie != n.cookie {
		again.Close()
		return n.replaced()
	}
	n.fd, n.route = again.fd, again.route
	return nil
}

func (n *Namespace) wake() error {
	if n.route != nil {
		return nil
	}
	return OnThread(n.Wake)
}

// gone adds [ErrGone] to the errors that say so; others, as of too many open files, stay what they are.
func gone(err error) error {
	if Absent(err) {
		return fmt.Errorf("%w: %w", ErrGone, err)
	}
	return err
}

func (n *Namespace) replaced() error {
	return fmt.Errorf("%w: %s/%s %w", ErrGone, NetnsDir, n.Name, ErrOther)
}

// FD is a descriptor of the namespace, for messages that name another namespace. It is open until the namespace rests.
func (n *Namespace) FD() (int, error) {
	err := n.wake()
	return n.fd, err
}

// Borrow calls f with such a descriptor that is f's alone. The namespace need not be awake, and others may use it meanwhile. It is for
// questions only: the namespace is known by its number, which another can have got by now.
func (n *Namespace) Borrow(f func(fd int) error) error {
	switch {
	case n.closed:
		return ErrClosed
	case n.Name == "":
		return f(n.fd)
	}
	file, err := OpenFile(n.Name)
	if err != nil {
		return gone(err)
	}
	defer file.Close()
	if file.ID != n.id {
		return n.replaced()
	}
	return f(file.FD)
}

// File is a descriptor by which questions name a namespace.
type File struct {
	FD int
	ID ID
}

// OpenFile opens what has a name in /run/netns. Errors are those of [Named].
func OpenFile(name string) (File, error) {
	fd, err := openFile(name)
	if err != nil {
		return File{}, err
	}
	f := File{FD: fd}
	st, err := stat(fd)
	if err != nil {
		f.Close()
	}
	f.ID = ID{st.Dev, st.Ino}
	return f, err
}

// Close closes the descriptor.
func (f File) Close() { unix.Close(f.FD) } //nolint:errcheck // nothing is written through it
