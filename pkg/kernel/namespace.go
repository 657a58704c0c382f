package kernel

import (
	"cmp"
	"errors"
	"fmt"
	"runtime"
	"slices"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// ErrClosed is the error of every use of a [Namespace] after its Close. The libraries would silently work on the
// caller's namespace instead.
var ErrClosed = errors.New("namespace is closed")

// ErrGone is the error of every use of a [Namespace] that rested, and is not at its name any more. Beside it comes
// that of [Named], or [ErrOther].
var ErrGone = errors.New("namespace is gone")

// ErrOther says that another namespace has got the name.
var ErrOther = errors.New("is another namespace by now")

// Namespace is a network namespace with its sockets. It may rest, with all closed: see [Namespace.Use]. One thread at
// a time uses it; beside that, others may only ask for its [Namespace.ID], [Namespace.Cookie] and [Namespace.Borrow],
// and of one without a name for its FD.
type Namespace struct {
	// Name is that in /run/netns, empty for the host's own and for one that has none yet.
	Name string

	seam   *Seam
	id     ID
	born   unix.Timespec // of its file in nsfs
	cookie uint64

	closed bool
	ended  bool // it has no name any more
	held   bool // it is open until it is closed: see [Attach]
	fd     int
	route  *socket // nil while it rests
	nft    *socket // nil while it rests, or before something is asked of it that is no look
	user   Thread  // that opens it and closes it; zero for none
}

// Current opens the namespace that the calling thread is in: the host's own, but on a [Thread] that has left it.
func Current(seam *Seam) (*Namespace, error) {
	fd, err := unix.Open("/proc/thread-self/ns/net", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open the current network namespace: %w", err)
	}
	return newNamespace("", fd, seam)
}

// newNamespace opens a socket in the namespace that the calling thread is in. It takes over fd, also when it fails.
func newNamespace(name string, fd int, seam *Seam) (*Namespace, error) {
	n := &Namespace{Name: name, seam: seam, fd: fd}
	st, err := stat(fd)
	if err == nil {
		n.id, n.born = ID{st.Dev, st.Ino}, st.Ctim
		n.route, err = openSocket(unix.NETLINK_ROUTE)
	}
	if err == nil {
		n.cookie, err = unix.GetsockoptUint64(n.route.fd, unix.SOL_SOCKET, unix.SO_NETNS_COOKIE)
	}
	if err != nil {
		n.Close()
		return nil, fmt.Errorf("namespace %q: %w", name, err)
	}
	return n, nil
}

// Close closes the namespace's sockets for good. It can be called again.
func (n *Namespace) Close() {
	n.release()
	n.closed = true
}

func (n *Namespace) release() {
	n.closeSockets()
	if n.fd >= 0 {
		unix.Close(n.fd) //nolint:errcheck // nothing was written through it
	}
	n.fd = -1
}

func (n *Namespace) closeSockets() {
	for _, s := range []*socket{n.route, n.nft} {
		if s != nil {
			s.close()
		}
	}
	n.route, n.nft = nil, nil
}

// ID identifies the namespace among those that exist: the device and inode of its file in nsfs.
func (n *Namespace) ID() ID { return n.id }

// Cookie is a number that no other namespace has had since boot (SO_NETNS_COOKIE, socket(7)).
func (n *Namespace) Cookie() uint64 { return n.cookie }

// ID identifies a namespace.
type ID struct{ Dev, Ino uint64 }

func stat(fd int) (st unix.Stat_t, err error) {
	if err := unix.Fstat(fd, &st); err != nil {
		return st, fmt.Errorf("stat: %w", err)
	}
	return st, nil
}

// Request makes an empty rtnetlink request.
func Request(proto, flags int) *nl.NetlinkRequest { return nl.NewNetlinkRequest(proto, flags) }

// Read sends a request that changes nothing, and hands the answers to use, unless it is refused. They are lent: when
// use returns, they are written over. An interrupted dump is repeated before that.
func (n *Namespace) Read(q Query, use func(msgs [][]byte)) error {
	return n.ReadAll([]Query{q}, func(replies []Reply) error { return replies[0].hand(use) })
}

// ReadAll is Read for several requests that are sent in one go. Only the last may be a dump.
func (n *Namespace) ReadAll(queries []Query, use func([]Reply) error) error {
	if err := n.wake(); err != nil {
		return err
	}
	return n.route.read(queries, use)
}

// Write sends a request that changes the namespace and waits for its acknowledgement. The error carries the kernel's
// extended text.
func (n *Namespace) Write(what string, req *nl.NetlinkRequest) error {
	return n.WriteEcho(what, req, 0, func([][]byte) {})
}

// WriteEcho is Write with what the kernel tells of the change to whoever asked for it: messages of the given type,
// which told gets as use of [Namespace.Read] does. Kernels before 6.2 tell nothing of links.
func (n *Namespace) WriteEcho(what string, req *nl.NetlinkRequest, echo uint16, told func(msgs [][]byte)) error {
	if err := n.wake(); err != nil {
		return err
	}
	req.Flags |= unix.NLM_F_ACK
	if echo != 0 {
		req.Flags |= unix.NLM_F_ECHO
	}
	return n.Do(what, func() error { return n.route.ask(NewQuery(req, echo), told) })
}

// WriteBoth sends two requests in one go: no end of the process comes between them. The kernel tries the second in any
// case, and the refusal of the first is told, unless it is one of unneeded: those are as good as its success.
func (n *Namespace) WriteBoth(what string, first, second *nl.NetlinkRequest, unneeded ...error) error {
	if err := n.wake(); err != nil {
		return err
	}
	first.Flags |= unix.NLM_F_ACK
	second.Flags |= unix.NLM_F_ACK
	both := []Query{NewQuery(first, 0), NewQuery(second, 0)}
	return n.Do(what, func() error {
		return n.route.read(both, func(replies []Reply) error {
			err := replies[0].Err
			if slices.ContainsFunc(unneeded, func(u error) bool { return errors.Is(err, u) }) {
				err = nil
			}
			return cmp.Or(err, replies[1].Err)
		})
	})
}

// Do makes any other write to the namespace.
func (n *Namespace) Do(what string, write func() error) error {
	return n.seam.Do(Write{NS: n.Name, What: what}, write)
}

// Inside runs f on a thread that is in the namespace. F must not start goroutines that depend on that.
func (n *Namespace) Inside(f func() error) error {
	if err := n.wake(); err != nil {
		return err
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if n.isHere() { // as the host's own mostly is
		return f()
	}
	return OnThread(func(t Thread) error {
		if err := n.Enter(t); err != nil {
			return err
		}
		return f()
	})
}

// isHere says whether the calling thread is in the namespace.
func (n *Namespace) isHere() bool {
	var st unix.Stat_t
	err := unix.Stat("/proc/thread-self/ns/net", &st)
	return err == nil && (ID{st.Dev, st.Ino}) == n.id
}

// Enter takes the thread into the namespace, which must not rest.
func (n *Namespace) Enter(t Thread) error { return t.enter(n.Name, n.fd) }

// enter takes the thread into a namespace.
func (Thread) enter(name string, fd int) error {
	if err := unix.Setns(fd, unix.CLONE_NEWNET); err != nil {
		return fmt.Errorf("enter namespace %q: %w", name, err)
	}
	return nil
}
