package object

import (
	"net/netip"
	"slices"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/plumbnet/plumb/pkg/kernel"
)

// heard is a multicast group that a link is in.
type heard struct {
	index int
	group netip.Addr
}

// Unheard lists those of the given IPv6 addresses that nobody finds: who asks for the neighbour that has an address
// sends to a group that the address belongs to, and the link is not in it.
func Unheard(n *kernel.Namespace, of []LiveAddress) ([]LiveAddress, error) {
	in := make(map[heard]bool)
	err := n.Read(groupsQuery, func(msgs [][]byte) {
		for _, m := range msgs {
			head := nl.DeserializeIfAddrmsg(m)
			in[heard{int(head.Index), kernel.Attrs(m[head.Len():]).Addr(unix.IFA_MULTICAST)}] = true
		}
	})
	return slices.DeleteFunc(slices.Clone(of), func(a LiveAddress) bool {
		return in[heard{a.Index, solicited(a.Prefix.Addr())}]
	}), err
}

var groupsQuery = kernel.NewQuery(
	kernel.NewMessage(unix.RTM_GETMULTICAST, unix.NLM_F_DUMP, nl.NewIfAddrmsg(unix.AF_INET6)).NetlinkRequest, 0)

// solicited is the solicited-node address of an IPv6 address (RFC 4291, 2.7.1).
func solicited(a netip.Addr) netip.Addr {
	b := a.As16()
	copy(b[:], []byte{0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff})
	return netip.AddrFrom16(b)
}
