package kinds

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"

	"github.com/plumbnet/plumb/pkg/kernel"
	"github.com/plumbnet/plumb/pkg/object"
	"github.com/plumbnet/plumb/pkg/plan"
)

// forgetFlows drops connections that would go on as before: of entries that went those that they translated, and of
// entries that came those that they would catch, and that go on untranslated. A kernel without connection tracking
// over netlink has none to be told of.
func forgetFlows(e *object.Env, s *object.Section, gone, came []NAT) {
	if untracked(s) {
		return
	}
	for _, family := range []uint8{unix.AF_INET, unix.AF_INET6} {
		f := &flows{s: s, wanted: wantedNAT(e, s), gone: ofFamily(gone, family), came: ofFamily(came, family)}
		if len(f.gone)+len(f.came) == 0 {
			continue
		}
		if err := f.forget(netlink.InetFamily(family)); err != nil && !unsupported(err) {
			e.Warn(fmt.Sprintf("nat %s: forget connections: %v", append(f.came, f.gone...)[0].Key().Place(), err))
		}
	}
}

// untracked says whether a section has no connections. To list those of one namespace the kernel goes through those of
// all, which takes 10 ms and more.
func untracked(s *object.Section) bool {
	const count = "net/netfilter/nf_conntrack_count"
	values, err := s.NS.ReadSysctls([]string{count})
	return err == nil && values[count] == "0"
}

// ofFamily leaves those entries whose connections are ours: of a rule made by hand they are not.
func ofFamily(list []NAT, family uint8) (of []NAT) {
	for _, n := range list {
		if n.Subnet.IsValid() && kernel.Family(n.Subnet.Addr()) == family {
			of = append(of, n)
		}
	}
	return of
}

// flows are the connections that a section keeps track of. As a filter they are those to forget.
type flows struct {
	s                  *object.Section
	wanted, gone, came []NAT

	links     []object.LiveLink
	addresses []object.LiveAddress
	ways      map[[2]netip.Addr]string
}

// forget deletes them. It writes nothing when there are none.
func (f *flows) forget(family netlink.InetFamily) error {
	fd, err := f.s.NS.FD()
	if err != nil {
		return err
	}
	h, err := netlink.NewHandleAt(netns.NsHandle(fd), unix.NETLINK_NETFILTER)
	if err != nil {
		return err
	}
	defer h.Close() //nolint:errcheck // it has been answered
	list, err := h.ConntrackTableList(netlink.ConntrackTable, family)
	if err != nil {
		return err
	}
	list = slices.DeleteFunc(list, func(c *netlink.ConntrackFlow) bool { return !f.comesFrom(addrOf(c.Forward.SrcIP)) })
	if len(list) == 0 {
		return nil
	}
	if err := f.look(); err != nil {
		return err
	}
	list = slices.DeleteFunc(list, func(c *netlink.ConntrackFlow) bool { return !f.MatchConntrackFlow(c) })
	if len(list) == 0 {
		return nil
	}
	return f.s.NS.Do("forget "+plan.Count(len(list), "connection"), func() error {
		_, err := h.ConntrackDeleteFilters(netlink.ConntrackTable, family, f)
		return err
	})
}

// comesFrom says whether an entry that went or came is about an address.
func (f *flows) comesFrom(src netip.Addr) bool {
	return slices.ContainsFunc(slices.Concat(f.gone, f.came), func(n NAT) bool { return n.Subnet.Contains(src) })
}

// look finds what tells which way packets go now.
func (f *flows) look() (err error) {
	f.ways = make(map[[2]netip.Addr]string)
	if f.links, err = object.ListLinks(f.s.NS); err != nil {
		return err
	}
	f.addresses, err = object.ListAddresses(f.s.NS)
	return err
}

// MatchConntrackFlow implements [netlink.CustomConntrackFilter]: a connection is to be forgotten if what becomes of its
// source is not what the entries would make of it.
func (f *flows) MatchConntrackFlow(c *netlink.ConntrackFlow) bool {
	src, dst := addrOf(c.Forward.SrcIP), addrOf(c.Reverse.SrcIP) // dst is where packets go to, also if that was translated
	translated := !c.Forward.SrcIP.Equal(c.Reverse.DstIP)
	if translated {
		return f.caught(f.gone, src, dst) && !f.caught(f.wanted, src, dst)
	}
	return f.caught(f.came, src, dst)
}

func addrOf(ip net.IP) netip.Addr {
	a, _ := netip.AddrFromSlice(ip) // what is none is in no network
	return a.Unmap()
}

// caught says whether one of the entries translates what goes from src to dst.
func (f *flows) caught(list []NAT, src, dst netip.Addr) bool {
	return slices.ContainsFunc(list, func(n NAT) bool {
		if !n.Subnet.Contains(src) || dst.IsMulticast() {
			return false
		}
		stays := func(p netip.Prefix) bool { return p.Contains(src) && p.Contains(dst) }
		out := f.leavesBy(src, dst)
		return out != "" && !slices.ContainsFunc(n.within(), stays) &&
			(n.Out == out || n.Out == "" && !slices.Contains(strings.Fields(n.Except), out))
	})
}

// leavesBy is the interface that what goes from src to dst leaves by. It is empty for what ends here, leads nowhere, or
// has an address of that interface already.
func (f *flows) leavesBy(src, dst netip.Addr) string {
	way := [2]netip.Addr{src, dst}
	if name, known := f.ways[way]; known {
		return name
	}
	f.ways[way] = ""
	index, err := object.Way(f.s.NS, src, dst)
	if err != nil || slices.ContainsFunc(f.addresses, func(a object.LiveAddress) bool {
		return a.Index == index && a.Prefix.Addr() == src
	}) {
		return ""
	}
	for _, l := range f.links {
		if l.Index == index {
			f.ways[way] = l.Name
		}
	}
	return f.ways[way]
}

// wantedNAT lists the entries that a section shall have.
func wantedNAT(e *object.Env, s *object.Section) (entries []NAT) {
	for _, o := range e.WantedHere(s.NS.Name, KindNAT) {
		if n, ok := o.(NAT); ok {
			entries = append(entries, n)
		}
	}
	return entries
}
