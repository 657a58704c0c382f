package kinds

import (
	"net/netip"
	"time"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/plumbnet/plumb/pkg/kernel"
	"github.com/plumbnet/plumb/pkg/object"
	"github.com/plumbnet/plumb/pkg/plan"
)

// Who asks for the neighbour that has an IPv6 address sends to a group that the address belongs to. The kernel joins it
// a moment after it has added the address, and until then nobody finds it; the next question comes a second later.
const (
	joinPatience = time.Second
	joinPause    = time.Millisecond
)

// addressesDone waits until the kernel answers for the addresses of the sections that steps have changed, and announces
// those that have moved.
func addressesDone(e *object.Env, steps []plan.Step) {
	sections := withNewIPv6(e, steps)
	deadline := time.Now().Add(joinPatience)
	err := kernel.Each(e.Workers, len(sections), func(t kernel.Thread, i int) error {
		sections[i].NS.Use(t)
		return awaitGroups(sections[i], deadline)
	})
	if err != nil {
		e.Warn("IPv6 neighbours may not be found for a second: " + err.Error())
	}
	announce(e, steps)
}

// withNewIPv6 lists the sections in which steps have added IPv6 addresses.
func withNewIPv6(e *object.Env, steps []plan.Step) (list []*object.Section) {
	seen := make(map[string]bool)
	for _, step := range steps {
		for _, c := range step.Changes {
			a, ok := c.New.(Address)
			if !ok || a.Prefix.Addr().Is4() || seen[a.NS] {
				continue
			}
			seen[a.NS] = true
			if s := e.Sections[a.NS]; s != nil {
				list = append(list, s)
			}
		}
	}
	return list
}

// group is a multicast group that a link is in.
type group struct {
	index   int
	address netip.Addr
}

func awaitGroups(s *object.Section, deadline time.Time) error {
	wanted := make(map[group]bool)
	for _, a := range s.Addresses() {
		l := s.At(a.Index)
		if l == nil || a.Prefix.Addr().Is4() || a.Flags&unix.IFA_F_DADFAILED != 0 || l.Class != plan.Ours ||
			!l.Up() || l.Flags&(unix.IFF_NOARP|unix.IFF_LOOPBACK) != 0 {
			continue
		}
		wanted[group{a.Index, solicited(a.Prefix.Addr())}] = true
	}
	for len(wanted) > 0 {
		err := s.NS.Read(groupsQuery, func(msgs [][]byte) {
			for _, m := range msgs {
				head := nl.DeserializeIfAddrmsg(m)
				delete(wanted, group{int(head.Index), kernel.Attrs(m[head.Len():]).Addr(unix.IFA_MULTICAST)})
			}
		})
		if err != nil || time.Now().After(deadline) {
			return err
		}
		if len(wanted) > 0 {
			time.Sleep(joinPause)
		}
	}
	return nil
}

var groupsQuery = kernel.NewQuery(
	kernel.NewMessage(unix.RTM_GETMULTICAST, unix.NLM_F_DUMP, nl.NewIfAddrmsg(unix.AF_INET6)).NetlinkRequest, 0)

// solicited is the solicited-node address of an IPv6 address (RFC 4291, 2.7.1).
func solicited(a netip.Addr) netip.Addr {
	b := a.As16()
	copy(b[:], []byte{0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff})
	return netip.AddrFrom16(b)
}
