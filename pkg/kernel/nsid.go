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
		head := nl.DeserializeRtGenMsg(m)
		number = int(int32(Attrs(m[head.Len():]).U32(netnsaNSID)))
	}
	return number, nil
}

// NumberOf is the number by which the namespace knows another one, -1 for none.
func (n *Namespace) NumberOf(other *Namespace) (number int, err error) {
	err = other.Borrow(func(fd int) error {
		return n.ReadAll([]Query{NSIDQuery(fd)}, func(replies []Reply) (err error) {
			number, err = NSID(replies[0])
			return err
		})
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
	m := NewMessage(unix.RTM_NEWNSID, 0, nl.NewRtGenMsg())
	m.U32(netnsaNSID, 1<<32-1) // whichever is free
	m.U32(netnsaFD, uint32(fd))
	if err := n.Write(what, m.NetlinkRequest); err != nil && !errors.Is(err, unix.EEXIST) {
		return -1, err
	}
	return n.NumberOf(other)
}
