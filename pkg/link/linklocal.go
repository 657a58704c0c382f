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
		live.NoLinkLocal, live.IPv6 = false, !live.Disabled6
	}
	if live.Disabled6 && (e.WantsIPv6(l.Key()) || switchedOn(e, l)) && !l.Disabled6.Set {
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

// addLinkLocal gives a new link of a topology that uses IPv6 its link-local address, before the kernel does or in place
// of the kernel's. That one would be tentative for 2 s, and until then a router could not ask for its neighbours. A
// bridge gets it in any case: the kernel makes it with the first port, and leaves it there when that goes.
func addLinkLocal(e *object.Env, s *object.Section, live object.LiveLink, l Link) error {
	if !l.LinkLocal.V.IsValid() || !live.IPv6 || !early(e, l) {
		return nil
	}
	return writeLinkLocal(s, live.Index, l)
}

// early says whether a link gets its link-local address of plumb: see [addLinkLocal].
func early(e *object.Env, l Link) bool {
	return e.UsesIPv6() || typeOf(l.Type).UpAfterPorts && l.Up
}

// writeLinkLocal adds the address that the kernel would derive, as the kernel's own. One that is there already is made
// anew: the kernel does not end its search for duplicates when it is told to make none. On a link of others nothing
// shows of that.
func writeLinkLocal(s *object.Section, index int, l Link) error {
	a := object.LiveAddress{Index: index, Prefix: netip.PrefixFrom(l.LinkLocal.V, 64), Proto: object.ProtoLinkLocal}
	place := object.LinkKey(l.NS, l.Ifname).Place()
	if err := a.Renew(s.NS, place); err != nil || !l.Given {
		return err
	}
	a.Derived = true
	return a.Write(s.NS, "change", unix.RTM_NEWADDR, unix.NLM_F_REPLACE, place)
}

// replaceLinkLocal puts the derived link-local address right without taking the link down: that would take all its
// IPv6 addresses and routes with it. Where the kernel has yet to make one, and nothing needs it at once, it is left to
// that.
func replaceLinkLocal(e *object.Env, s *object.Section, index int, old, l Link) error {
	live, err := object.FindLink(s.NS, l.Ifname)
	if err != nil {
		return err
	}
	if err := enableIPv6(e, s, &live, l); err != nil {
		return err
	}
	waits := old.awaits && (!early(e, l) || l.Given && old.CarriesIPv6())
	if l.LinkLocal.V.IsValid() && live.IPv6 && live.Up() && !waits {
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
