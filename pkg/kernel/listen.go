package kernel

import (
	"encoding/binary"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// ErrOverrun is the error of [Listener.Receive] when the kernel had more to tell than it had room for: any change may
// have gone unheard.
var ErrOverrun = errors.New("the kernel had no room left for what it had to tell")

// Listener hears what the kernel tells of changes, in the namespace in which it was opened and in all that have a number
// there. It keeps none of them alive.
type Listener struct {
	FD int // to wait on with poll(2)

	overrun bool // which is told when all has been received that there was room for
	data    [64 << 10]byte
	control [64]byte
}

// Notice is one message that tells of a change.
type Notice struct {
	Number int    // of the namespace; -1 for the listener's own while that has none
	Type   uint16 // of the message
	Port   uint32 // of the socket that asked for the change, 0 where the kernel does not say
	Data   []byte // what follows the header, lent until the function that got it returns
}

// Listen opens a listener in the calling thread's namespace. The kernel keeps up to room bytes for it.
func Listen(protocol, room int, groups ...int) (*Listener, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, protocol)
	if err != nil {
		return nil, fmt.Errorf("open a netlink socket: %w", err)
	}
	l := &Listener{FD: fd}
	if err := l.setUp(room, groups); err != nil {
		l.Close()
		return nil, err
	}
	return l, nil
}

func (l *Listener) setUp(room int, groups []int) error {
	if err := unix.SetsockoptInt(l.FD, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, room); err != nil {
		return fmt.Errorf("make room for what the kernel tells of changes (needs CAP_NET_ADMIN): %w", err)
	}
	if err := unix.SetsockoptInt(l.FD, unix.SOL_NETLINK, unix.NETLINK_LISTEN_ALL_NSID, 1); err != nil {
		return fmt.Errorf("listen to all namespaces (needs CAP_NET_BROADCAST): %w", err)
	}
	// What has no address is told nothing.
	if err := unix.Bind(l.FD, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return fmt.Errorf("bind a netlink socket: %w", err)
	}
	for _, g := range groups {
		if err := unix.SetsockoptInt(l.FD, unix.SOL_NETLINK, unix.NETLINK_ADD_MEMBERSHIP, g); err != nil {
			return fmt.Errorf("listen to netlink group %d: %w", g, err)
		}
	}
	return nil
}

// Close closes the listener.
func (l *Listener) Close() { unix.Close(l.FD) } //nolint:errcheck // a socket has nothing to lose

// Receive hands to use what has come, up to so many times as the kernel sent something, without waiting. After an overrun
// the kernel drops all until nothing is left to receive: not before that is it told of, as [ErrOverrun].
func (l *Listener) Receive(times int, use func(Notice)) error {
	for range times {
		n, controls, _, from, err := unix.Recvmsg(l.FD, l.data[:], l.control[:], unix.MSG_DONTWAIT)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case errors.Is(err, unix.ENOBUFS):
			l.overrun = true
			continue
		case errors.Is(err, unix.EAGAIN) && l.overrun:
			l.overrun = false
			return ErrOverrun
		case errors.Is(err, unix.EAGAIN):
			return nil
		case err != nil:
			return fmt.Errorf("receive from netlink: %w", err)
		}
		if sender, ok := from.(*unix.SockaddrNetlink); ok && sender.Pid == 0 { // the kernel, and nobody else
			notices(numberIn(l.control[:controls]), l.data[:n], use)
		}
	}
	return nil
}

// numberIn reads the number of the namespace that a message is about, which stands beside it.
func numberIn(control []byte) int {
	for len(control) >= unix.SizeofCmsghdr {
		head, data, rest, err := unix.ParseOneSocketControlMessage(control)
		if err != nil {
			break
		}
		if head.Level == unix.SOL_NETLINK && head.Type == unix.NETLINK_LISTEN_ALL_NSID && len(data) >= 4 {
			return int(int32(binary.NativeEndian.Uint32(data)))
		}
		control = rest
	}
	return -1
}

// notices reads a run of messages (struct nlmsghdr). Of one that was cut short, what is there is used: that something
// has changed is true all the same.
func notices(number int, b []byte, use func(Notice)) {
	for len(b) >= unix.SizeofNlMsghdr {
		length := min(max(int(binary.NativeEndian.Uint32(b)), unix.SizeofNlMsghdr), len(b))
		use(Notice{
			Number: number,
			Type:   binary.NativeEndian.Uint16(b[4:]),
			Port:   binary.NativeEndian.Uint32(b[12:]),
			Data:   b[unix.SizeofNlMsghdr:length],
		})
		b = b[min((length+3)&^3, len(b)):]
	}
}
