package kernel

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// Rest closes the sockets until the namespace is used again, so that a thousand that are looked at need few descriptors: room for
// more has its price, see [MakeRoom]. Those of one without a name stay open, because it could not be found again.
func (n *Namespace) Rest() {
	n.opening.Lock()
	defer n.opening.Unlock()
	if n.Name != "" {
		n.release()
	}
}

// Wake ends a rest; without that the next use does, on a thread of its own. By the name another may be found meanwhile, which has
// another cookie. Errors wrap [ErrClosed], [ErrOther] and those of [Named].
func (n *Namespace) Wake(t Thread) error {
	n.opening.Lock()
	defer n.opening.Unlock()
	switch {
	case n.closed:
		return ErrClosed
	case n.route != nil:
		return nil
	}
	again, err := open(t, n.Name, n.seam)
	if err != nil {
		return err
	}
	if again.cookie != n.cookie {
		again.Close()
		return fmt.Errorf("%s/%s %w", NetnsDir, n.Name, ErrOther)
	}
	n.fd, n.route = again.fd, again.route
	return nil
}

func (n *Namespace) wake() error {
	if n.awake() {
		return nil
	}
	return OnThread(n.Wake)
}

func (n *Namespace) awake() bool {
	n.opening.Lock()
	defer n.opening.Unlock()
	return n.route != nil
}

// FD is a descriptor of the namespace, for messages that name another namespace. It is open until the namespace rests.
func (n *Namespace) FD() (int, error) {
	err := n.wake()
	return n.fd, err
}

// Borrow calls f with such a descriptor that is f's alone. The namespace need not be awake, and others may use it meanwhile.
func (n *Namespace) Borrow(f func(fd int) error) error {
	if n.Name == "" {
		return f(n.fd)
	}
	fd, err := openFile(n.Name)
	if err != nil {
		return err
	}
	defer unix.Close(fd) //nolint:errcheck // nothing is written through it
	if id, err := idOf(fd); err != nil || id != n.id {
		return errors.Join(err, fmt.Errorf("%s/%s %w", NetnsDir, n.Name, ErrOther))
	}
	return f(fd)
}
