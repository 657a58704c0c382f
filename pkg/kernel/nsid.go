package kernel

import (
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
