package kernel

import (
	"errors"
	"fmt"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// Attributes of RTM_GETNSID, linux/net_namespace.h.
const (
	netnsaNSID = 1
	netnsaFD   = 3
)

// NSIDQuery asks for the number by which a namespace knows another one, which is open as fd.
func NSIDQuery(fd int) Query {
	m := NewMessage(unix.RTM_GETNSID, 0, nl.NewRtGenMsg())
	m.U32(netnsaFD, uint32(fd))
	return NewQuery(m.NetlinkRequest, unix.RTM_NEWNSID)
}

// NSID reads the answer, -1 for none.
func NSID(r Reply) (number int, err error) {
	if r.Err != nil {
		return 0, fmt.Errorf("ask for the number of a namespace: %w", r.Err)
	}
	number = -1
	for _, m := range r.Answers {
		number = NSIDIn(m)
	}
	return number, nil
}

// NSIDIn reads the number that a message tells, which is of the type RTM_NEWNSID or RTM_DELNSID.
func NSIDIn(m []byte) int {
	const head = 4 // struct rtgenmsg, with padding
	return int(int32(Attrs(m[min(head, len(m)):]).U32(netnsaNSID)))
}

// NumberOf is the number by which the namespace knows another one, -1 for none.
func (n *Namespace) NumberOf(other *Namespace) (number int, err error) {
	err = other.Borrow(func(fd int) (err error) {
		number, err = n.numberOf(fd)
		return err
	})
	return number, err
}

// numberOf is NumberOf for a namespace that is open as fd.
func (n *Namespace) numberOf(fd int) (number int, err error) {
	err = n.ReadAll([]Query{NSIDQuery(fd)}, func(replies []Reply) (err error) {
		number, err = NSID(replies[0])
		return err
	})
	return number, err
}

// GiveNumber is NumberOf, but another namespace that has no number gets one; what names that write.
func (n *Namespace) GiveNumber(what string, other *Namespace) (number int, err error) {
	if number, err = n.NumberOf(other); err != nil || number >= 0 {
		return number, err
	}
	fd, err := other.FD()
	if err != nil {
		return -1, err
	}
	return n.GiveNumberTo(what, fd)
}

// GiveNumberTo is [Namespace.GiveNumber] for a namespace that is open as fd.
func (n *Namespace) GiveNumberTo(what string, fd int) (number int, err error) {
	if number, err = n.numberOf(fd); err != nil || number >= 0 {
		return number, err
	}
	m := NewMessage(unix.RTM_NEWNSID, 0, nl.NewRtGenMsg())
	m.U32(netnsaNSID, 1<<32-1) // whichever is free
	m.U32(netnsaFD, uint32(fd))
	if err := n.Write(what, m.NetlinkRequest); err != nil && !errors.Is(err, unix.EEXIST) {
		return -1, err
	}
	return n.numberOf(fd)
}
