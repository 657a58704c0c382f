package kinds

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/plumbnet/plumb/pkg/kernel"
	"github.com/plumbnet/plumb/pkg/link"
	"github.com/plumbnet/plumb/pkg/object"
	"github.com/plumbnet/plumb/pkg/plan"
)

// announce tells the neighbours of addresses that steps have moved which MAC they have now: those that know another one
// would send there for up to a minute. Of each it sends one packet, from the link that has the address.
func announce(e *object.Env, steps []plan.Step) {
	moved := movedAddresses(e, steps)
	sections := slices.Sorted(maps.Keys(moved))
	// To close a packet socket the kernel waits until no processor can be using it.
	err := kernel.Each(kernel.Waiters(e.Workers), len(sections), func(t kernel.Thread, i int) error {
		s := e.Sections[sections[i]]
		s.NS.Use(t)
		return s.NS.Inside(func() error { return sendAnnouncements(s, moved[s.NS.Name]) })
	})
	switch {
	case errors.Is(err, unix.EPERM):
		e.Warn("CAP_NET_RAW is missing: neighbours are not told of addresses that have moved, and may lose them for a minute")
	case err != nil:
		e.Warn("neighbours may lose addresses that have moved for a minute: " + err.Error())
	}
}

// movedAddresses lists by section the wanted addresses that have another MAC now, or have come to a segment that
// something was on before.
func movedAddresses(e *object.Env, steps []plan.Step) map[string][]Address {
	made, turned, added := changed(steps)
	if len(turned) == 0 && len(added) == 0 {
		return nil
	}
	moved := make(map[string][]Address)
	lived := link.Lived(e, made)
	for ns, s := range e.Sections {
		for _, o := range e.WantedHere(ns, KindAddress) {
			a, ok := o.(Address)
			on := object.LinkKey(ns, a.Dev)
			if ok && lived[on] && (added[a.Key()] || turned[on]) && s.Link(a.Dev) != nil {
				moved[ns] = append(moved[ns], a)
			}
		}
	}
	return moved
}

// changed tells which links were made, which have another MAC or are on another bridge, they or the ends of cables that
// lead there, and which addresses were added to links that did not have them with another prefix length before.
func changed(steps []plan.Step) (made, turned, added map[plan.Key]bool) {
	made, turned, added = make(map[plan.Key]bool), make(map[plan.Key]bool), make(map[plan.Key]bool)
	had := make(map[plan.Key]bool)
	for _, step := range steps {
		for _, c := range step.Changes {
			if was, ok := c.Old.(Address); ok {
				had[was.bare()] = true
			}
			if was, ok := c.Old.(link.Link); ok && step.Action != plan.Replace {
				turns(was, c.New, turned)
			} else if now, ok := c.New.(link.Link); ok {
				made[now.Key()] = true
			}
		}
	}
	for _, step := range steps {
		for _, c := range step.Changes {
			now, ok := c.New.(Address)
			if on := object.LinkKey(now.NS, now.Dev); ok && (!had[now.bare()] || made[on]) {
				added[now.Key()] = true
			}
		}
	}
	return made, turned, added
}

// bare is the address on its link, whatever its prefix length.
func (a Address) bare() plan.Key {
	return AddressKey(a.NS, a.Dev, netip.PrefixFrom(a.Prefix.Addr(), a.Prefix.Addr().BitLen()))
}

// turns notes whether a link has got another MAC or bridge.
func turns(was link.Link, now plan.Object, turned map[plan.Key]bool) {
	l, ok := now.(link.Link)
	if !ok {
		return
	}
	if was.MAC != l.MAC || was.Master != l.Master {
		turned[l.Key()] = true
	}
	if far, ok := l.Pair(); ok && was.Master != l.Master {
		turned[far] = true
	}
}

// sendAnnouncements sends from the section that the thread is in.
func sendAnnouncements(s *object.Section, moved []Address) error {
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0) // which receives nothing
	if err != nil {
		return fmt.Errorf("open a packet socket: %w", err)
	}
	defer unix.Close(fd) //nolint:errcheck // what was sent is sent
	for _, a := range moved {
		l := s.Link(a.Dev)
		if !l.Up() || l.Flags&unix.IFF_LOWER_UP == 0 || l.Flags&(unix.IFF_NOARP|unix.IFF_LOOPBACK) != 0 {
			continue
		}
		packet, to := announcement(a.Prefix.Addr(), l)
		err := s.NS.Do("announce address "+a.Prefix.Addr().String()+" "+object.LinkKey(a.NS, a.Dev).Place(), func() error {
			return unix.Sendto(fd, packet, 0, to)
		})
		if err != nil {
			return fmt.Errorf("announce address %s: %w", a.Key().Place(), err)
		}
	}
	return nil
}

// announcement is what tells of an address: an ARP request for itself (RFC 5227), or a neighbour advertisement that
// nobody asked for (RFC 4861, 7.2.6).
func announcement(a netip.Addr, l *object.LiveLink) ([]byte, *unix.SockaddrLinklayer) {
	to := &unix.SockaddrLinklayer{Ifindex: l.Index, Halen: uint8(len(l.MAC))}
	if a.Is4() {
		to.Protocol, to.Addr = networkOrder(unix.ETH_P_ARP), [8]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}
		return gratuitousARP(a, l.MAC), to
	}
	to.Protocol, to.Addr = networkOrder(unix.ETH_P_IPV6), [8]byte{0x33, 0x33, 0, 0, 0, 1} // of all nodes
	return unsolicitedAdvertisement(a, l.MAC, l.Forwarding6), to
}

func networkOrder(v uint16) uint16 {
	return binary.NativeEndian.Uint16(binary.BigEndian.AppendUint16(nil, v))
}

func gratuitousARP(a netip.Addr, mac object.MAC) []byte {
	p := []byte{0, 1, 8, 0, 6, 4, 0, 1} // Ethernet, IPv4, the lengths of their addresses, a request
	p = append(append(p, mac[:]...), a.AsSlice()...)
	return append(append(p, make([]byte, len(mac))...), a.AsSlice()...)
}

var allNodes = netip.MustParseAddr("ff02::1")

func unsolicitedAdvertisement(a netip.Addr, mac object.MAC, router bool) []byte {
	const override, fromRouter = 0x20, 0x80
	flags := byte(override)
	if router {
		flags |= fromRouter
	}
	p := []byte{136, 0, 0, 0, flags, 0, 0, 0}   // a neighbour advertisement, without a checksum yet
	p = append(append(p, a.AsSlice()...), 2, 1) // and the target's link-layer address, 8 bytes long
	p = append(p, mac[:]...)
	addresses := append(a.AsSlice(), allNodes.AsSlice()...)
	pseudo := slices.Concat(addresses, []byte{0, 0, 0, byte(len(p)), 0, 0, 0, unix.IPPROTO_ICMPV6}, p)
	binary.BigEndian.PutUint16(p[2:], checksum(pseudo))
	header := []byte{0x60, 0, 0, 0, 0, byte(len(p)), unix.IPPROTO_ICMPV6, 255}
	return slices.Concat(header, addresses, p)
}

// checksum is that of RFC 1071, of a whole number of 16-bit words.
func checksum(b []byte) uint16 {
	sum := uint32(0)
	for i := 0; i < len(b); i += 2 {
		sum += uint32(binary.BigEndian.Uint16(b[i:]))
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return ^uint16(sum)
}
