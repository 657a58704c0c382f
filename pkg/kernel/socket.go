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
	wordy bool // refusals come with the kernel's own words

	mu  sync.Mutex
	seq uint32
	to  unix.SockaddrNetlink // the kernel; the library writes into it when something is sent
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

// Query is a request as it is sent, but for its sequence number, and the type of the messages that answer it. It can
// be sent any number of times, and by several threads at once.
type Query struct {
	request []byte
	answer  uint16 // 0 for any
}

// NewQuery makes a query. Answer is the type of the messages that answer it, 0 for any.
func NewQuery(req *nl.NetlinkRequest, answer uint16) Query { return Query{req.Serialize(), answer} }

// acknowledged says whether the last message that answers it is an acknowledgement.
func (q Query) acknowledged() bool {
	return binary.NativeEndian.Uint16(q.request[6:])&unix.NLM_F_ACK != 0
}

// ask sends one request, and hands what answers it to use, if it is not refused. See read for how long that lasts.
func (s *socket) ask(q Query, use func(msgs [][]byte)) error {
	x := exchanges.Get().(*exchange)
	defer x.release()
	if err := s.do(x, []Query{q}); err != nil {
		return err
	}
	return x.replies[0].hand(use)
}

// read makes an exchange until nothing came between the parts of a dump, and hands the replies to use. When that
// returns, what it got is used again.
func (s *socket) read(queries []Query, use func([]Reply) error) error {
	x := exchanges.Get().(*exchange)
	defer x.release()
	for range dumpTries {
		err := s.do(x, queries)
		if errors.Is(err, errCut) {
			x.large = newPost(largeSize)
			err = s.do(x, queries)
		}
		if err != nil {
			return err
		}
		if !slices.ContainsFunc(x.replies, func(r Reply) bool { return errors.Is(r.Err, errInterrupted) }) {
			return use(x.replies)
		}
	}
	return errInterrupted
}

// do sends requests in one go, of which only the last may be a dump, and gathers what answers them. An error of a
// reply has the kernel's own words.
func (s *socket) do(x *exchange, queries []Query) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.send(x, queries); err != nil {
		return err
	}
	for x.open > 0 {
		if err := x.receive(); err != nil {
			return err
		}
	}
	return nil
}

func (s *socket) send(x *exchange, queries []Query) error {
	x.begin(s, len(queries))
	for i, q := range queries {
		r := &x.replies[i]
		r.answer, r.acknowledged = q.answer, q.acknowledged()
		if r.acknowledged {
			if err := s.askForWords(); err != nil {
				return err
			}
		}
		s.seq++
		number := len(x.out) + 8 // nlmsghdr.nlmsg_seq
		x.out = append(x.out, q.request...)
		binary.NativeEndian.PutUint32(x.out[number:], s.seq)
	}
	return unix.Sendto(s.fd, x.out, 0, &s.to)
}

// Reply is what answers a [Query]: the payloads of the messages, or the kernel's refusal.
type Reply struct {
	Answers [][]byte
	Err     error

	answer       uint16
	acknowledged bool // the last message is an acknowledgement
	interrupted  bool
	done         bool
}

// hand gives the answers to use, if there is no error.
func (r *Reply) hand(use func(msgs [][]byte)) error {
	if r.Err == nil {
		use(r.Answers)
	}
	return r.Err
}

// exchange is what is sent in one go, and what has come of the replies to it.
type exchange struct {
	fd      int
	out     []byte
	first   uint32 // sequence number of the first request
	replies []Reply
	open    int     // how many are not done
	posts   []*post // what the answers lie in
	large   *post   // nil for those of the usual size
	cut     bool    // a message was larger than that
}

// exchanges are lent for a call, with all that they have grown to.
var exchanges = sync.Pool{New: func() any { return new(exchange) }}

func (x *exchange) begin(s *socket, n int) {
	x.giveBack()
	x.fd, x.first, x.open, x.cut, x.out = s.fd, s.seq+1, n, false, x.out[:0]
	x.replies = slices.Grow(x.replies[:0], n)[:n]
	for i, r := range x.replies {
		x.replies[i] = Reply{Answers: r.Answers[:0]}
	}
}

// giveBack gives up what the answers lie in.
func (x *exchange) giveBack() {
	for _, p := range x.posts {
		posts.Put(p)
	}
	x.posts = x.posts[:0]
}

func (x *exchange) release() {
	x.giveBack()
	x.large = nil
	exchanges.Put(x)
}

func (x *exchange) receive() error {
	p := x.large
	if p == nil {
		p = posts.Get().(*post)
		x.posts = append(x.posts, p)
	}
	n, err := p.receive(x.fd)
	switch {
	case errors.Is(err, unix.EINTR):
		return nil
	case errors.Is(err, unix.EAGAIN) && x.cut:
		return errCut // the rest has been taken, so that another dump can begin
	case errors.Is(err, unix.EAGAIN):
		return x.await()
	case err != nil:
		return err
	}
	for i := range n {
		b, cut := p.message(i)
		if x.cut = x.cut || cut; x.cut {
			continue
		}
		if x.large != nil {
			b = bytes.Clone(b) // the next is received there too
		}
		if err := x.take(b); err != nil {
			return err
		}
	}
	return nil
}

// await waits for an answer. Rtnetlink has given it by now; others, in kernels to come, may take their time.
func (x *exchange) await() error {
	n, err := unix.Poll([]unix.PollFd{{Fd: int32(x.fd), Events: unix.POLLIN}}, int(socketTimeout.Milliseconds()))
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
func (x *exchange) take(b []byte) error {
	for len(b) >= unix.SizeofNlMsghdr {
		length := int(binary.NativeEndian.Uint32(b))
		if length < unix.SizeofNlMsghdr || length > len(b) {
			return fmt.Errorf("a netlink message of %d bytes in %d: %w", length, len(b), unix.EBADMSG)
		}
		kind, flags := binary.NativeEndian.Uint16(b[4:]), binary.NativeEndian.Uint16(b[6:])
		// What is out of range is late: the answer to one that timed out.
		if i := binary.NativeEndian.Uint32(b[8:]) - x.first; i < uint32(len(x.replies)) && !x.replies[i].done {
			if x.replies[i].message(kind, flags, b[unix.SizeofNlMsghdr:length]); x.replies[i].done {
				x.open--
			}
		}
		b = b[min((length+3)&^3, len(b)):]
	}
	return nil
}

func (r *Reply) message(kind, flags uint16, data []byte) {
	r.interrupted = r.interrupted || flags&unix.NLM_F_DUMP_INTR != 0
	switch {
	case kind == unix.NLMSG_DONE || kind == unix.NLMSG_ERROR:
		r.done, r.Err = true, answerError(kind, flags, data)
		if r.Err == nil && r.interrupted {
			r.Err = errInterrupted
		}
		return
	case kind == r.answer || r.answer == 0:
		r.Answers = append(r.Answers, data)
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
