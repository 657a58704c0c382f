package link

import (
	"fmt"
	"net/netip"

	"golang.org/x/sys/unix"

	"github.com/plumbnet/plumb/pkg/kernel"
	"github.com/plumbnet/plumb/pkg/object"
)

// enableIPv6 undoes what keeps a link from having IPv6 as the file wants it: the host's defaults for new links may be
// others, and a hand may have changed the link's own.
func enableIPv6(e *object.Env, s *object.Section, live *object.LiveLink, l Link) error {
	conf := "net/ipv6/conf/" + l.Ifname + "/"
	if live.NoLinkLocal && l.LinkLocal.V.IsValid() && !l.GenMode.Set {
		if err := s.NS.WriteSysctl(conf+"addr_gen_mode", "0"); err != nil {
			return err
		}
	}
	if live.Disabled6 && e.WantsIPv6(l.Key()) && !l.Disabled6.Set {
		if err := s.NS.WriteSysctl(conf+"disable_ipv6", "0"); err != nil {
			return err
		}
		live.Disabled6, live.IPv6 = false, true
	}
	return nil
}

// restoreMode gives a link back the addr_gen_mode that a rollback wants, before its link-local address is put right.
func restoreMode(s *object.Section, old, l Link) error {
	if !l.GenMode.Set || l.GenMode == old.GenMode {
		return nil
	}
	return s.NS.WriteSysctl("net/ipv6/conf/"+l.Ifname+"/addr_gen_mode", fmt.Sprint(l.GenMode.V))
}

// restoreDisabled6 switches IPv6 off again on a link on which a rollback wants it so, which takes all addresses.
func restoreDisabled6(s *object.Section, old, l Link) error {
	if !l.Disabled6.Set || l.Disabled6 == old.Disabled6 {
		return nil
	}
	return s.NS.WriteSysctl("net/ipv6/conf/"+l.Ifname+"/disable_ipv6", fmt.Sprint(kernel.Bit(l.Disabled6.V)))
}

// addLinkLocal gives a new link its link-local address before the kernel does, if it will have IPv6 addresses: the
// kernel's would be tentative for 2 s, and until then a router could not ask for its neighbours. A bridge gets it in
// any case: the kernel makes it with the first port, and leaves it there when that goes.
func addLinkLocal(e *object.Env, s *object.Section, l Link, hasIPv6 bool) error {
	early := e.WantsIPv6(l.Key()) || typeOf(l.Type).Late && hasIPv6 && l.Up
	if !l.LinkLocal.V.IsValid() || !early {
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
