package kernel

import (
	"fmt"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// Use has a thread open the namespace when something needs it, and close it when f of [OnThread] or [Each] has
// returned. A thousand that are looked at one after the other need few descriptors then; room for more has its price,
// see [MakeRoom].
func (n *Namespace) Use(t Thread) {
	n.user, t.using = t, append(t.using, n)
}

// rest closes the sockets until the namespace is used again. One without a name, or with one that only we give it,
// stays open: it could not be found again, and the caller says when it ends.
func (n *Namespace) rest() {
	n.user = Thread{}
	if n.Name != "" && !n.ended && !n.held {
		n.release()
	}
}

// Mark tells what has a name in /run/netns from all else that has had the name: another namespace that has got the
// number of its file has got that later. The zero Mark is nothing.
type Mark struct {
	id   ID
	born unix.Timespec
}

// MarkOf is the mark of what has the name now. It opens nothing.
func MarkOf(name string) Mark {
	var st unix.Stat_t
	if err := unix.Lstat(filepath.Join(NetnsDir, name), &st); err != nil {
		return Mark{}
	}
	return Mark{ID{st.Dev, st.Ino}, st.Ctim}
}

// Stands says whether the namespace still has its name.
func (n *Namespace) Stands() bool { return MarkOf(n.Name) == Mark{n.id, n.born} }

// wakeOn opens the namespace again. By its name another may be found meanwhile, which has another cookie. Errors wrap
// [ErrClosed] or [ErrGone].
func (n *Namespace) wakeOn(t Thread) error {
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

// wake opens the namespace if it rests: on the thread that uses it, else on one of its own.
func (n *Namespace) wake() error {
	switch {
	case n.route != nil:
		return nil
	case n.user.thread != nil:
		return n.wakeOn(n.user)
	}
	return OnThread(n.wakeOn)
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

// Borrow calls f with such a descriptor that is f's alone. The namespace need not be awake, and others may use it
// meanwhile. It is for questions only: the namespace is known by its number, which another can have got by now.
func (n *Namespace) Borrow(f func(fd int) error) error {
	switch {
	case n.closed:
		return ErrClosed
	case n.Name == "" || n.held:
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

// Enter takes the thread into the namespace.
func (f File) Enter(t Thread) error { return t.enter("", f.FD) }
