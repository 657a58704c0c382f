package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"iter"

	"golang.org/x/sys/unix"
)

// rtnl speaks rtnetlink(7) over blocking sockets. There is one message at a time, and one buffer for each direction.
type rtnl struct {
	out, in []byte
	seq     uint32
}

// receiveSize is more than the kernel puts into an answer to a dump.
const receiveSize = 64 << 10

func newRTNL() *rtnl { return &rtnl{in: make([]byte, receiveSize)} }

// dial opens a socket in the calling thread's namespace.
func dial() (int, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_ROUTE)
	if err != nil {
		return -1, fmt.Errorf("open a netlink socket: %w", err)
	}
	return fd, nil
}

// begin starts a message that asks for an acknowledgement.
func (r *rtnl) begin(kind, flags uint16, body []byte) {
	r.out = append(r.out[:0], make([]byte, unix.SizeofNlMsghdr)...)
	binary.NativeEndian.PutUint16(r.out[4:], kind)
	binary.NativeEndian.PutUint16(r.out[6:], flags|unix.NLM_F_REQUEST|unix.NLM_F_ACK)
	r.out = append(r.out, body...)
}

// attr adds an attribute (struct rtattr), padded to four bytes.
func (r *rtnl) attr(kind uint16, value ...byte) {
	r.out = binary.NativeEndian.AppendUint16(r.out, uint16(unix.SizeofRtAttr+len(value)))
	r.out = binary.NativeEndian.AppendUint16(r.out, kind)
	r.out = append(r.out, value...)
	r.out = append(r.out, make([]byte, -len(value)&3)...)
}

func (r *rtnl) text(kind uint16, s string) { r.attr(kind, append([]byte(s), 0)...) }

func (r *rtnl) number(kind uint16, n uint32) {
	r.attr(kind, binary.NativeEndian.AppendUint32(nil, n)...)
}

// nest adds an attribute that has what fill adds.
func (r *rtnl) nest(kind uint16, fill func()) {
	start := len(r.out)
	r.attr(kind)
	fill()
	binary.NativeEndian.PutUint16(r.out[start:], uint16(len(r.out)-start))
}

// linkBody is struct ifinfomsg. Up 0 leaves the link as it is.
func linkBody(index, up uint32) []byte {
	b := make([]byte, 4, unix.SizeofIfInfomsg)
	for _, n := range []uint32{index, up, up} { // the flags, and which of them are meant
		b = binary.NativeEndian.AppendUint32(b, n)
	}
	return b
}

// exec sends the message and waits for the acknowledgement.
func (r *rtnl) exec(socket int) error {
	_, _, err := r.exchange(socket, func([]byte) bool { return false })
	return err
}

// dump asks for all of a kind, again if it changed meanwhile, and returns how many of them count.
func (r *rtnl) dump(socket int, counts func(body []byte) bool) (int, error) {
	for {
		n, interrupted, err := r.exchange(socket, counts)
		if err != nil || !interrupted {
			return n, err
		}
	}
}

// exchange sends the message and reads to the end of its answer.
func (r *rtnl) exchange(socket int, counts func(body []byte) bool) (n int, interrupted bool, err error) {
	r.seq++
	binary.NativeEndian.PutUint32(r.out, uint32(len(r.out)))
	binary.NativeEndian.PutUint32(r.out[8:], r.seq)
	if err := unix.Sendto(socket, r.out, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return 0, false, err
	}
	for {
		size, _, err := unix.Recvfrom(socket, r.in, 0)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return 0, false, err
		}
		for b := r.in[:size]; len(b) >= unix.SizeofNlMsghdr; {
			length := binary.NativeEndian.Uint32(b)
			kind, flags := binary.NativeEndian.Uint16(b[4:]), binary.NativeEndian.Uint16(b[6:])
			body := b[unix.SizeofNlMsghdr:length]
			interrupted = interrupted || flags&unix.NLM_F_DUMP_INTR != 0
			switch {
			case kind == unix.NLMSG_ERROR || kind == unix.NLMSG_DONE:
				return n, interrupted, answerError(body)
			case counts(body):
				n++
			}
			b = b[min(int(length+3)&^3, len(b)):]
		}
	}
}

// answerError reads the number at the start of the last message of an answer.
func answerError(body []byte) error {
	if number := int32(binary.NativeEndian.Uint32(body)); number != 0 {
		return unix.Errno(-number)
	}
	return nil
}

// typeMask leaves the flags out of an attribute's type (NLA_TYPE_MASK, linux/netlink.h).
const typeMask = 1<<14 - 1

// attributes are those in b, by their type.
func attributes(b []byte) iter.Seq2[uint16, []byte] {
	return func(yield func(uint16, []byte) bool) {
		for len(b) >= unix.SizeofRtAttr {
			length, kind := int(binary.NativeEndian.Uint16(b)), binary.NativeEndian.Uint16(b[2:])
			if length < unix.SizeofRtAttr || length > len(b) || !yield(kind&typeMask, b[unix.SizeofRtAttr:length]) {
				return
			}
			b = b[min((length+3)&^3, len(b)):]
		}
	}
}
