package kernel

import (
	"errors"
	"fmt"
	"os"
	"runtime"

	"github.com/vishvananda/netlink/nl"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// ErrClosed is the error of every use of a [Namespace] after its Close. The libraries would silently work on the
// caller's namespace instead.
var ErrClosed = errors.New("namespace is closed")

// Namespace is a network namespace with its sockets, which are opened once and kept.
type Namespace struct {
	// Name is that in /run/netns, empty for the host's own.
	Name string

	seam  *Seam
	fd    netns.NsHandle
	route *nl.SocketHandle
}

// Current opens the namespace that the calling process is in: the host's own.
func Current(seam *Seam) (*Namespace, error) {
	fd, err := unix.Open("/proc/thread-self/ns/net", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open the current network namespace: %w", err)
	}
	return newNamespace("", fd, seam)
}

// newNamespace takes over fd, also when it fails.
func newNamespace(name string, fd int, seam *Seam) (*Namespace, error) {
	sock, err := nl.GetNetlinkSocketAt(netns.NsHandle(fd), netns.None(), unix.NETLINK_ROUTE)
	if err != nil {
		unix.Close(fd) //nolint:errcheck // the first error is the one to tell
		return nil, fmt.Errorf("open a netlink socket in namespace %q: %w", name, err)
	}
	n := &Namespace{Name: name, seam: seam, fd: netns.NsHandle(fd), route: &nl.SocketHandle{Socket: sock}}
	if err := n.configure(); err != nil {
		n.Close()
		return nil, err
	}
	return n, nil
}

// socketTimeout bounds every wait for the kernel: deleting thousands of links in one message takes seconds.
var socketTimeout = unix.Timeval{Sec: 120}

func (n *Namespace) configure() error {
	timeout := socketTimeout
	err := errors.Join(
		n.route.Socket.SetSendTimeout(&timeout),
		n.route.Socket.SetReceiveTimeout(&timeout),
		n.route.Socket.SetExtAck(true))
	if err != nil {
		return fmt.Errorf("set up a netlink socket: %w", err)
	}
	return nil
}

// Close closes the namespace's sockets. It can be called again.
func (n *Namespace) Close() {
	if n.route == nil {
		return
	}
	n.route.Close() //nolint:errcheck // a socket has nothing to lose
	n.route = nil
	n.fd.Close() //nolint:errcheck // nothing was written through it
}

// FD is a descriptor of the namespace, for messages that name another namespace.
func (n *Namespace) FD() int { return int(n.fd) }

// ID identifies the namespace among those that exist: the device and inode of its file in nsfs.
func (n *Namespace) ID() (ID, error) {
	var st unix.Stat_t
	if err := unix.Fstat(int(n.fd), &st); err != nil {
		return ID{}, fmt.Errorf("stat namespace %q: %w", n.Name, err)
	}
	return ID{st.Dev, st.Ino}, nil
}

// ID identifies a namespace.
type ID struct{ Dev, Ino uint64 }

// Cookie is a number that no other namespace has had since boot (SO_NETNS_COOKIE, socket(7)).
func (n *Namespace) Cookie() (uint64, error) {
	if n.route == nil {
		return 0, ErrClosed
	}
	c, err := unix.GetsockoptUint64(n.route.Socket.GetFd(), unix.SOL_SOCKET, unix.SO_NETNS_COOKIE)
	if err != nil {
		return 0, fmt.Errorf("read the namespace's cookie: %w", err)
	}
	return c, nil
}

// Request makes an empty rtnetlink request.
func Request(proto, flags int) *nl.NetlinkRequest { return nl.NewNetlinkRequest(proto, flags) }

// Read sends a request that changes nothing and returns the answers of the given type. An interrupted dump is
// repeated.
func (n *Namespace) Read(req *nl.NetlinkRequest, answer uint16) ([][]byte, error) {
	if n.route == nil {
		return nil, ErrClosed
	}
	req.RetryInterrupted = true
	req.Sockets = map[int]*nl.SocketHandle{unix.NETLINK_ROUTE: n.route}
	return req.Execute(unix.NETLINK_ROUTE, answer)
}

// Write sends a request that changes the namespace and waits for its acknowledgement. The error carries the kernel's
// extended text.
func (n *Namespace) Write(what string, req *nl.NetlinkRequest) error {
	if n.route == nil {
		return ErrClosed
	}
	req.Flags |= unix.NLM_F_ACK
	req.Sockets = map[int]*nl.SocketHandle{unix.NETLINK_ROUTE: n.route}
	return n.Do(what, func() error {
		_, err := req.Execute(unix.NETLINK_ROUTE, 0)
		return err
	})
}

// Do makes any other write to the namespace.
func (n *Namespace) Do(what string, write func() error) error {
	return n.seam.Do(Write{NS: n.Name, What: what}, write)
}

// Inside runs f on a thread that is in the namespace. F must not start goroutines that depend on that.
func (n *Namespace) Inside(f func() error) error {
	if n.route == nil {
		return ErrClosed
	}
	return onThread(func() error {
		if err := unix.Setns(int(n.fd), unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("enter namespace %q: %w", n.Name, err)
		}
		return f()
	})
}

// onThread runs f, which may change the thread's network namespace, on a thread of its own, and puts the thread back
// into the namespace that it came from. When that fails the thread is never used again: it ends with its goroutine.
func onThread(f func() error) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		home, err := os.Open("/proc/thread-self/ns/net")
		if err != nil {
			runtime.UnlockOSThread()
			done <- fmt.Errorf("open the current network namespace: %w", err)
			return
		}
		defer home.Close() //nolint:errcheck // only read
		err = f()
		if back := unix.Setns(int(home.Fd()), unix.CLONE_NEWNET); back == nil {
			runtime.UnlockOSThread()
		}
		done <- err
	}()
	return <-done
}
