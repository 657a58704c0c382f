package snapshot

import (
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

var native = binary.NativeEndian

// message is one of netlink, without its header.
type message struct {
	kind  uint16
	flags uint16
	body  []byte
}

// socket talks netlink in the namespace of the thread that opened it.
type socket struct {
	fd   int
	seq  uint32
	room *[roomSize]byte
}

// roomSize is more than the kernel puts into a part of a dump.
const roomSize = 256 << 10

// rooms are lent to sockets.
var rooms = sync.Pool{New: func() any { return new([roomSize]byte) }}

// answerTime bounds the wait for an answer.
const answerTime = 20 * time.Second

func dial(protocol int) (*socket, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, protocol)
	if err != nil {
		return nil, fmt.Errorf("netlink socket: %w", err)
	}
	limit := unix.NsecToTimeval(answerTime.Nanoseconds())
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &limit); err != nil {
		_ = unix.Close(fd)
		return nil, fmt.Errorf("netlink socket: %w", err)
	}
	return &socket{fd: fd, room: rooms.Get().(*[roomSize]byte)}, nil
}

// Messages of generic netlink begin with struct genlmsghdr: a command, and the version of its family.
const genlHeader = 4

// dialFamily opens a socket for a family of generic netlink, and finds the type of its messages.
func dialFamily(name string) (*socket, uint16, error) {
	s, err := dial(unix.NETLINK_GENERIC)
	if err != nil {
		return nil, 0, err
	}
	body := appendText([]byte{unix.CTRL_CMD_GETFAMILY, 1, 0, 0}, unix.CTRL_ATTR_FAMILY_NAME, append([]byte(name), 0))
	answer, err := s.ask(unix.GENL_ID_CTRL, unix.NLM_F_ACK, body)
	if err != nil || len(answer) != 1 {
		s.close()
		return nil, 0, fmt.Errorf("the family of %s: %w", name, errors.Join(err, fmt.Errorf("%d answers", len(answer))))
	}
	return s, uint16(number(find(answer[0].body[genlHeader:], unix.CTRL_ATTR_FAMILY_ID))), nil
}

func (s *socket) close() {
	_ = unix.Close(s.fd)
	rooms.Put(s.room)
}

// errMixed says that what a dump lists changed meanwhile.
var errMixed = errors.New("interrupted by a change")

// dump asks for a list. Where the kernel does not have what is asked for, the list is empty.
func (s *socket) dump(kind uint16, body []byte) ([]message, error) {
	const tries = 1000
	for range tries {
		list, err := s.ask(kind, unix.NLM_F_DUMP, body)
		switch {
		case errors.Is(err, unix.EOPNOTSUPP), errors.Is(err, unix.EAFNOSUPPORT), errors.Is(err, unix.ENOENT):
			return nil, nil
		case !errors.Is(err, errMixed) && !errors.Is(err, unix.EINTR):
			return list, err
		}
	}
	return nil, fmt.Errorf("message type %#x: %w %d times", kind, errMixed, tries)
}

// ask sends a request and takes all of the answer.
func (s *socket) ask(kind, flags uint16, body []byte) ([]message, error) {
	s.seq++
	b := native.AppendUint32(nil, uint32(unix.NLMSG_HDRLEN+len(body)))
	b = native.AppendUint16(b, kind)
	b = native.AppendUint16(b, flags|unix.NLM_F_REQUEST)
	b = native.AppendUint32(b, s.seq)
	b = append(native.AppendUint32(b, 0), body...)
	if err := unix.Sendto(s.fd, b, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return nil, fmt.Errorf("message type %#x: send: %w", kind, err)
	}
	var all []message
	for mixed := false; ; {
		n, _, err := unix.Recvfrom(s.fd, s.room[:], 0)
		if err != nil {
			return nil, fmt.Errorf("message type %#x: receive: %w", kind, err)
		}
		list, done, err := s.parse(s.room[:n], flags)
		if err != nil {
			return nil, fmt.Errorf("message type %#x: %w", kind, err)
		}
		for _, m := range list {
			mixed = mixed || m.flags&unix.NLM_F_DUMP_INTR != 0
		}
		if all = append(all, list...); done && mixed {
			return nil, errMixed
		} else if done {
			return all, nil
		}
	}
}

// parse cuts what was received into messages, of which it keeps a copy.
func (s *socket) parse(b []byte, flags uint16) (list []message, done bool, err error) {
	b = append([]byte(nil), b...)
	for len(b) >= unix.NLMSG_HDRLEN {
		length := int(native.Uint32(b))
		m := message{kind: native.Uint16(b[4:]), flags: native.Uint16(b[6:])}
		if length < unix.NLMSG_HDRLEN || length > len(b) {
			return nil, false, fmt.Errorf("a message of %d bytes in %d", length, len(b))
		}
		m.body = b[unix.NLMSG_HDRLEN:length]
		fresh := native.Uint32(b[8:]) == s.seq
		b = b[min(align(length), len(b)):]
		switch {
		case !fresh:
			continue // of a request that was given up
		case m.kind == unix.NLMSG_ERROR, m.kind == unix.NLMSG_DONE:
			if len(m.body) >= 4 && native.Uint32(m.body) != 0 {
				return nil, false, unix.Errno(-int32(native.Uint32(m.body)))
			}
			return list, true, nil
		}
		list = append(list, m)
	}
	return list, flags&unix.NLM_F_DUMP == 0, nil
}

func align(n int) int { return (n + 3) &^ 3 }
