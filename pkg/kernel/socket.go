package kernel

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
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

// errCut says that a message was larger than what it was received into.
var errCut = errors.New("a netlink message is too large")

// dumpTries bounds how often an interrupted dump is made again.
const dumpTries = 50

// Query is a request, and the type of the messages that answer it.
type Query struct {
	Request *nl.NetlinkRequest
	Answer  uint16 // 0 for any
}

// ask is exchange for one query.
func (s *socket) ask(req *nl.NetlinkRequest, answer uint16) ([][]byte, error) {
	replies, err := s.exchange([]Query{{req, answer}}, nil)
	if err != nil {
		return nil, err
	}
	return replies[0].answers, replies[0].err
}

// read is exchange until nothing came between the parts of a dump.
func (s *socket) read(queries []Query) (replies []reply, err error) {
	for range dumpTries {
		replies, err = s.exchange(queries, nil)
		if errors.Is(err, errCut) {
			replies, err = s.exchange(queries, newPost(largeSize))
		}
		interrupted := slices.ContainsFunc(replies, func(r reply) bool { return errors.Is(r.err, errInterrupted) })
		if err != nil || !interrupted {
			return replies, err
		}
	}
	return nil, errInterrupted
}

// exchange sends requests in one go, of which only the last may be a dump, and gathers what answers them. An error of a
// reply has the kernel's own words.
func (s *socket) exchange(queries []Query, large *post) ([]reply, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := collector{fd: s.fd, first: s.seq + 1, replies: make([]reply, len(queries)), open: len(queries), large: large}
	var out []byte
	for i, q := range queries {
		s.seq++
		q.Request.Seq = s.seq
		c.replies[i] = reply{answer: q.Answer, acknowledged: q.Request.Flags&unix.NLM_F_ACK != 0}
		if c.replies[i].acknowledged {
			if err := s.askForWords(); err != nil {
				return nil, err
			}
		}
		out = append(out, q.Request.Serialize()...)
	}
	if err := unix.Sendto(s.fd, out, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return nil, err
	}
	for c.open > 0 {
		if err := c.receive(); err != nil {
			return nil, err
		}
	}
	return c.replies, nil
}

// reply is what answers one request.
type reply struct {
	answer       uint16
	acknowledged bool // the last message is an acknowledgement
	answers      [][]byte
	interrupted  bool
	done         bool
	err          error // of the kernel
}

// collector gathers the replies to requests that were sent in one go.
type collector struct {
	fd      int
	first   uint32 // sequence number of the first request
	replies []reply
	open    int   // how many are not done
	large   *post // nil for one of the usual size
	cut     bool  // a message was larger than that
}

func (c *collector) receive() error {
	p := c.large
	if p == nil {
		p = posts.Get().(*post)
		defer posts.Put(p)
	}
	n, err := p.receive(c.fd)
	switch {
	case errors.Is(err, unix.EINTR):
		return nil
	case errors.Is(err, unix.EAGAIN) && c.cut:
		return errCut // the rest has been taken, so that another dump can begin
	case errors.Is(err, unix.EAGAIN):
		return c.await()
	case err != nil:
		return err
	}
	for i := range n {
		b, cut := p.message(i)
		if c.cut = c.cut || cut; c.cut {
			continue
		}
		if err := c.take(bytes.Clone(b)); err != nil {
			return err
		}
	}
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
func (c *collector) take(b []byte) error {
	for len(b) >= unix.SizeofNlMsghdr {
		length := int(binary.NativeEndian.Uint32(b))
		if length < unix.SizeofNlMsghdr || length > len(b) {
			return fmt.Errorf("a netlink message of %d bytes in %d: %w", length, len(b), unix.EBADMSG)
		}
		kind, flags := binary.NativeEndian.Uint16(b[4:]), binary.NativeEndian.Uint16(b[6:])
		// What is out of range is late: the answer to one that timed out.
		if i := binary.NativeEndian.Uint32(b[8:]) - c.first; i < uint32(len(c.replies)) && !c.replies[i].done {
			if c.replies[i].message(kind, flags, b[unix.SizeofNlMsghdr:length]); c.replies[i].done {
				c.open--
			}
		}
		b = b[min((length+3)&^3, len(b)):]
	}
	return nil
}

func (r *reply) message(kind, flags uint16, data []byte) {
	r.interrupted = r.interrupted || flags&unix.NLM_F_DUMP_INTR != 0
	switch {
	case kind == unix.NLMSG_DONE || kind == unix.NLMSG_ERROR:
		r.done, r.err = true, answerError(kind, flags, data)
		if r.err == nil && r.interrupted {
			r.err = errInterrupted
		}
		return
	case kind == r.answer || r.answer == 0:
		r.answers = append(r.answers, data)
	}
	r.done = flags&unix.NLM_F_MULTI == 0 && !r.acknowledged
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
