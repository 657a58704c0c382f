package link

import (
	"net/netip"

	"golang.org/x/sys/unix"

	"github.com/plumbnet/plumb/pkg/object"
)

// enableIPv6 undoes what keeps a link from having IPv6 as the file wants it: the host's defaults for new links may be
// others, and a hand may have changed the link's own.
func enableIPv6(e *object.Env, s *object.Section, live *object.LiveLink, l Link) error {
	conf := "net/ipv6/conf/" + l.Ifname + "/"
	if live.NoLinkLocal && l.LinkLocal.V.IsValid() {
		if err := s.NS.WriteSysctl(conf+"addr_gen_mode", "0"); err != nil {
			return err
		}
	}
	if live.Disabled6 && e.WantsIPv6(l.Key()) {
		if err := s.NS.WriteSysctl(conf+"disable_ipv6", "0"); err != nil {
			return err
		}
		live.Disabled6, live.IPv6 = false, true
	}
	return nil
}

// addLinkLocal gives a new link that will have IPv6 addresses its link-local address before the kernel does. The
// kernel's would be tentative for 2 s, and until then a router could not ask for its neighbours.
func addLinkLocal(e *object.Env, s *object.Section, l Link) error {
	if !l.LinkLocal.V.IsValid() || !e.WantsIPv6(l.Key()) {
		return nil
	}
	return writeLinkLocal(s, s.Known(l.Name), l)
}

// writeLinkLocal adds the address that the kernel would derive, as the kernel's own.
func writeLinkLocal(s *object.Section, index int, l Link) error {
	a := object.LiveAddress{Index: index, Prefix: netip.PrefixFrom(l.LinkLocal.V, 64), Proto: object.ProtoLinkLocal}
	place := object.LinkKey(l.NS, l.Ifname).Place()
	return a.Write(s.NS, "add", unix.RTM_NEWADDR, unix.NLM_F_CREATE|unix.NLM_F_REPLACE, place)
}

// replaceLinkLocal puts the derived link-local address right without taking the link down: that would take all its
// IPv6 addresses and routes with it.
func replaceLinkLocal(e *object.Env, s *object.Section, index int, l Link) error {
	live, err := object.FindLink(s.NS, l.Ifname)
	if err != nil {
		return err
	}
	if err := enableIPv6(e, s, &live, l); err != nil {
		return err
	}
	if l.LinkLocal.V.IsValid() && live.IPv6 && live.Up() {
		if err := writeLinkLocal(s, index, l); err != nil {
			return err
		}
	}
	return dropLinkLocals(s, index, l)
}

// dropLinkLocals deletes the link-local addresses that the kernel derived from other MACs, those too that it made when
// a sysctl of the same plan let it, and those of ours that are put back after the right one.
func dropLinkLocals(s *object.Section, index int, l Link) error {
	addresses, err := object.ListAddresses(s.NS)
	if err != nil {
		return err
	}
	for _, a := range addresses {
		stays := a.Proto != object.ProtoLinkLocal && !object.BesideDerived(a.Prefix.Addr(), a.Proto)
		if a.Index != index || stays || a.Prefix.Addr() == l.LinkLocal.V {
			continue
		}
		err := object.IgnoreGone(a.Write(s.NS, "delete", unix.RTM_DELADDR, 0, l.Key().Place()))
		if err != nil {
			return err
		}
	}
	return nil
}
