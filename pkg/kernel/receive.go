package kernel

import (
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A system call costs as much as the kernel's work for a small answer, so that all that has come is taken at once. The
// kernel makes the next part of a dump when one is taken: mostly one call has all of it.
const (
	parts = 4
	// partSize is what the kernel is told, and fills a part of a dump up to. A message that alone is larger, as a route
	// with a thousand next hops, is asked for again with room for it.
	partSize  = 16 << 10
	largeSize = 1 << 20
)

// header is struct mmsghdr of recvmmsg(2).
type header struct {
	unix.Msghdr
	length uint32
	_      [4]byte
}

// post is what one call of recvmmsg(2) fills.
type post struct {
	headers [parts]header
	vectors [parts]unix.Iovec
	senders [parts]unix.RawSockaddrNetlink
	data    [parts][]byte
}

func newPost(size int) *post {
	p := new(post)
	for i := range p.data {
		p.data[i] = make([]byte, size)
	}
	return p
}

// posts are lent until what was received in them has been read: see [Namespace.Read].
var posts = sync.Pool{New: func() any { return newPost(partSize) }}

// receive takes what has come, without waiting. It returns how many messages that was.
func (p *post) receive(fd int) (int, error) {
	for i := range p.headers {
		p.vectors[i] = unix.Iovec{Base: &p.data[i][0]}
		p.vectors[i].SetLen(len(p.data[i]))
		h := &p.headers[i]
		*h = header{}
		h.Name, h.Namelen = (*byte)(unsafe.Pointer(&p.senders[i])), unix.SizeofSockaddrNetlink
		h.Iov = &p.vectors[i]
		h.SetIovlen(1)
	}
	n, _, errno := unix.Syscall6(unix.SYS_RECVMMSG, uintptr(fd), uintptr(unsafe.Pointer(&p.headers[0])), parts,
		unix.MSG_DONTWAIT, 0, 0)
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}

// message is one of those that were received; none when the kernel did not send it. Cut says that it was longer.
func (p *post) message(i int) (b []byte, cut bool) {
	h := &p.headers[i]
	if p.senders[i].Pid != 0 {
		return nil, false
	}
	return p.data[i][:h.length], h.Flags&unix.MSG_TRUNC != 0
}
