package kernel

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// socket is a netlink socket (netlink(7)). The kernel answers a request before send returns, so nothing need be waited
// for: the library's own socket asks a poller first, and takes 64 KiB anew for each answer.
type socket struct {
	fd    int
	mu    sync.Mutex
	seq   uint32
	wordy bool // refusals come with the kernel's own words
}

// socketTimeout bounds every wait for the kernel: deleting thousands of links in one message takes seconds.
const socketTimeout = 2 * time.Minute

// openSocket opens a socket in the calling thread's namespace. The kernel binds it when it is first used.
func openSocket(protocol int) (*socket, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, protocol)
	if err != nil {
		return nil, fmt.Errorf("open a netlink socket: %w", err)
	}
	return &socket{fd: fd}, nil
}

// askForWords has the kernel say why it refuses something, and send no more than the header of the request back with
// it. Those who only read don't need that.
func (s *socket) askForWords() error {
	if s.wordy {
		return nil
	}
	s.wordy = true
	err := errors.Join(
		unix.SetsockoptInt(s.fd, unix.SOL_NETLINK, unix.NETLINK_EXT_ACK, 1),
		unix.SetsockoptInt(s.fd, unix.SOL_NETLINK, unix.NETLINK_CAP_ACK, 1))
	if err != nil {
		return fmt.Errorf("set up a netlink socket: %w", err)
	}
	return nil
}

func (s *socket) close() { unix.Close(s.fd) } //nolint:errcheck // a socket has nothing to lose

// errInterrupted says that what a dump lists changed while it was made.
var errInterrupted = errors.New("what is listed keeps changing")

// dumpTries bounds how often an interrupted dump is made again.
const dumpTries = 50

// dump is exchange, again and again until nothing came between.
func (s *socket) dump(req *nl.NetlinkRequest, answer uint16) (answers [][]byte, err error) {
	for range dumpTries {
		if answers, err = s.exchange(req, answer); !errors.Is(err, errInterrupted) {
			return answers, err
		}
	}
	return nil, err
}

// exchange sends a request and returns the payloads of the answers of one type. An error has the kernel's own words.
func (s *socket) exchange(req *nl.NetlinkRequest, answer uint16) ([][]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seq++
	req.Seq = s.seq
	acknowledged := req.Flags&unix.NLM_F_ACK != 0
	if acknowledged {
		if err := s.askForWords(); err != nil {
			return nil, err
		}
	}
	if err := unix.Sendto(s.fd, req.Serialize(), 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return nil, err
	}
	c := collector{socket: s, answer: answer, acknowledged: acknowledged}
	for !c.done {
		if err := c.receive(); err != nil {
			return nil, err
		}
	}
	return c.answers, c.err
}

// collector gathers the answers to one request.
type collector struct {
	*socket
	answer       uint16
	acknowledged bool // the last message is an acknowledgement
	answers      [][]byte
	interrupted  bool
	done         bool
	err          error // of the kernel
}

// receiveSize is that of the largest message that the kernel sends: an answer to a dump has up to 32 KiB.
const receiveSize = 64 << 10

// buffers are lent for one call of recvfrom each.
var buffers = sync.Pool{New: func() any { return new([receiveSize]byte) }}

func (c *collector) receive() error {
	buffer := buffers.Get().(*[receiveSize]byte)
	defer buffers.Put(buffer)
	n, from, err := unix.Recvfrom(c.fd, buffer[:], unix.MSG_DONTWAIT)
	switch {
	case errors.Is(err, unix.EINTR):
		return nil
	case errors.Is(err, unix.EAGAIN):
		return c.await()
	case err != nil:
		return err
	}
	if a, ok := from.(*unix.SockaddrNetlink); !ok || a.Pid != 0 {
		return nil // not from the kernel
	}
	c.take(bytes.Clone(buffer[:n]))
	return nil
}

// await waits for an answer. Rtnetlink has given it by now; others, in kernels to come, may take their time.
func (c *collector) await() error {
	n, err := unix.Poll([]unix.PollFd{{Fd: int32(c.fd), Events: unix.POLLIN}}, int(socketTimeout.Milliseconds()))
	switch {
	case errors.Is(err, unix.EINTR):
		return nil
	case err != nil:
		return err
	case n == 0:
		return unix.ETIMEDOUT
	}
	return nil
}

// take reads a run of messages (struct nlmsghdr).
func (c *collector) take(b []byte) {
	for len(b) >= unix.SizeofNlMsghdr && !c.done {
		length := int(binary.NativeEndian.Uint32(b))
		if length < unix.SizeofNlMsghdr || length > len(b) {
			c.done, c.err = true, fmt.Errorf("a netlink message of %d bytes in %d: %w", length, len(b), unix.EBADMSG)
			return
		}
		kind, flags := binary.NativeEndian.Uint16(b[4:]), binary.NativeEndian.Uint16(b[6:])
		if binary.NativeEndian.Uint32(b[8:]) == c.seq { // else it is late: the answer to one that timed out
			c.message(kind, flags, b[unix.SizeofNlMsghdr:length])
		}
		b = b[min((length+3)&^3, len(b)):]
	}
}

func (c *collector) message(kind, flags uint16, data []byte) {
	c.interrupted = c.interrupted || flags&unix.NLM_F_DUMP_INTR != 0
	switch {
	case kind == unix.NLMSG_DONE || kind == unix.NLMSG_ERROR:
		c.done, c.err = true, answerError(kind, flags, data)
		if c.err == nil && c.interrupted {
			c.err = errInterrupted
		}
		return
	case kind == c.answer || c.answer == 0:
		c.answers = append(c.answers, data)
	}
	c.done = flags&unix.NLM_F_MULTI == 0 && !c.acknowledged
}

// answerError reads the end of an answer: struct nlmsgerr, or the number alone after a dump, and then, if the flags
// say so, attributes (linux/netlink.h). Of an error the request's header alone comes back: NETLINK_CAP_ACK.
func answerError(kind, flags uint16, data []byte) error {
	if len(data) < 4 {
		return nil
	}
	number := int32(binary.NativeEndian.Uint32(data))
	if number == 0 {
		return nil
	}
	err := error(unix.Errno(-number))
	data = data[4:]
	if kind == unix.NLMSG_ERROR {
		data = data[min(unix.SizeofNlMsghdr, len(data)):]
	}
	if flags&unix.NLM_F_ACK_TLVS == 0 {
		return err
	}
	for t, value := range Attributes(data) {
		if t == unix.NLMSGERR_ATTR_MSG {
			return fmt.Errorf("%w: %s", err, unix.ByteSliceToString(value))
		}
	}
	return err
}
