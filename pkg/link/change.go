package kind

import (
	"errors"
	"fmt"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// updateLink changes a link in place.
func (e *Env) updateLink(old, l Link) error {
	s, err := e.section(l.NS)
	if err != nil {
		return err
	}
	index, err := s.indexOf(old)
	if err != nil {
		return err
	}
	if old.Ifname != l.Ifname {
		if err := s.rename(index, old, l); err != nil {
			return err
		}
	}
	if err := s.change(index, old, l); err != nil {
		return err
	}
	if l.Type == Bridge && old.STP != l.STP && !l.STP.V {
		if err := s.unblock(index); err != nil {
			return err
		}
	}
	if l.LinkLocal.Set && old.LinkLocal != l.LinkLocal {
		if err := e.replaceLinkLocal(s, index, l); err != nil {
			return err
		}
	}
	have := old.Forwarding6
	if old.MTU < MinIPv6MTU && l.MTU >= MinIPv6MTU {
		// IPv6 begins anew on the link, with the section's defaults.
		live, err := FindLink(s.NS, l.Ifname)
		if err != nil {
			return err
		}
		have = live.Forwarding6
	}
	if have != l.Forwarding6 && l.MTU >= MinIPv6MTU {
		return s.writeForwarding6(l)
	}
	return nil
}

// rename gives a link its name back. Kernels before 6.2 only rename a link that is down.
func (s *Section) rename(index int, old, l Link) error {
	what := fmt.Sprintf("rename link %s to %s", old.Ifname, l.Key().Place())
	message := func() *nl.NetlinkRequest {
		m := indexRequest(index, 0, 0)
		m.name(l.Ifname)
		return m.req
	}
	if err := s.makeRoom(l); err != nil {
		return err
	}
	err := s.NS.Write(what, message())
	if errors.Is(err, unix.EBUSY) {
		err = errors.Join(
			s.NS.Write("set link "+old.Ifname+" down", indexRequest(index, 0, unix.IFF_UP).req),
			s.NS.Write(what, message()),
			s.NS.Write("set link "+l.Ifname+" up", indexRequest(index, unix.IFF_UP, unix.IFF_UP).req))
	}
	delete(s.index, old.Ifname)
	s.index[l.Ifname] = index
	if live := s.byKey[l.Name]; live != nil {
		live.Name = l.Ifname
	}
	return err
}

// indexOf finds a live link by its stamp, as its name may have been given to another meanwhile.
func (s *Section) indexOf(l Link) (int, error) {
	if live := s.byKey[l.Name]; live != nil {
		return live.Index, nil
	}
	return s.Index(l.Ifname)
}

// makeRoom takes the name of a link from another of ours, which gets its own back by a step to come: names may have
// been swapped.
func (s *Section) makeRoom(l Link) error {
	for name, other := range s.byKey {
		if other.Name != l.Ifname || name == l.Name || other.Name == name {
			continue
		}
		m := indexRequest(other.Index, 0, 0)
		free := DerivedName("", l.NS, name)
		m.name(free)
		if err := s.NS.Write(fmt.Sprintf("rename link %s to %s for now", other.Name, free), m.req); err != nil {
			return err
		}
		other.Name = free
	}
	return nil
}

// change sends one message with all that differs.
func (s *Section) change(index int, old, l Link) error {
	flags, mask := uint32(0), uint32(0)
	if old.Up != l.Up {
		flags, mask = bit(l.Up), unix.IFF_UP
	}
	if old.NoARP != l.NoARP {
		flags, mask = flags|bit(l.NoARP)*unix.IFF_NOARP, mask|unix.IFF_NOARP
	}
	m := indexRequest(index, flags, mask)
	if old.MTU != l.MTU {
		m.u32(unix.IFLA_MTU, l.MTU)
	}
	if old.MAC != l.MAC {
		m.raw(unix.IFLA_ADDRESS, append([]byte(nil), l.MAC[:]...))
	}
	if old.Group != l.Group {
		m.u32(unix.IFLA_GROUP, l.Group)
	}
	if old.Alias != l.Alias {
		m.raw(unix.IFLA_IFALIAS, []byte(l.Alias))
	}
	if old.Master != l.Master {
		master, err := s.master(l)
		if err != nil {
			return err
		}
		m.u32(unix.IFLA_MASTER, uint32(master))
	}
	if old.Forwarding4 != l.Forwarding4 || old.Promote != l.Promote {
		l.confAttrs(m)
	}
	if l.Type == Bridge && (old.STP != l.STP || old.VLANFiltering != l.VLANFiltering || old.Snooping != l.Snooping) {
		l.bridgeData(m, old)
	}
	if err := s.NS.Write("change link "+l.Key().Place(), m.req); err != nil {
		return explain(l, err)
	}
	if old.Blocked && !l.Blocked && old.Master == l.Master {
		return s.forward(index, l.Ifname)
	}
	return nil
}

// unblock sets the ports of a bridge forwarding: without STP nobody else does before 30 s are over.
func (s *Section) unblock(bridge int) error {
	links, err := ListLinks(s.NS)
	if err != nil {
		return err
	}
	for _, port := range links {
		if port.Master == bridge && blocked(port.PortState) {
			if err := s.forward(port.Index, port.Name); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *Section) forward(index int, name string) error {
	m := indexRequest(index, 0, 0)
	info := m.nest(unix.IFLA_LINKINFO)
	info.AddRtAttr(unix.IFLA_INFO_SLAVE_KIND, nl.NonZeroTerminated(Bridge))
	info.AddRtAttr(unix.IFLA_INFO_SLAVE_DATA|unix.NLA_F_NESTED, nil).
		AddRtAttr(unix.IFLA_BRPORT_STATE, nl.Uint8Attr(portForwarding))
	err := s.NS.Write("set port "+name+" forwarding", m.req)
	if errors.Is(err, unix.EBUSY) {
		return nil // the bridge has begun to run STP, which alone decides then
	}
	return err
}
