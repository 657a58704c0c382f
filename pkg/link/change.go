package link

import (
	"errors"
	"fmt"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/plumbnet/plumb/pkg/kernel"
	"github.com/plumbnet/plumb/pkg/object"
	"github.com/plumbnet/plumb/pkg/plan"
)

// update changes a link in place.
func update(e *object.Env, old, l Link) error {
	s, err := e.Section(l.NS)
	if err != nil {
		return err
	}
	index, err := indexOf(s, old)
	if err != nil {
		return err
	}
	if old.Ifname != l.Ifname {
		if err := rename(e, s, index, old, l); err != nil {
			return err
		}
	}
	if err := change(e, s, index, old, l); err != nil {
		return err
	}
	if t := typeOf(l.Type); t.Changed != nil {
		if err := t.Changed(s, index, l, old.Spec); err != nil {
			return err
		}
	}
	if err := configure(e, s, index, l, func() Spec { return old.Spec }); err != nil {
		return err
	}
	if err := restoreMode(s, old, l); err != nil {
		return err
	}
	if l.Derives(old) {
		if err := replaceLinkLocal(e, s, index, old, l); err != nil {
			return err
		}
	}
	if l.Idle.Set && !old.Idle.Set && !l.Up {
		if err := object.MakeIdle(s.NS, index, l.Key().Place()); err != nil {
			return err
		}
	}
	if err := restoreDisabled6(s, old, l); err != nil {
		return err
	}
	return changeIPv6(s, old, l)
}

// changeIPv6 writes the parameters of IPv6 that differ.
func changeIPv6(s *object.Section, old, l Link) error {
	if l.MTU < object.MinIPv6MTU || l.Given {
		return nil
	}
	if old.MTU < object.MinIPv6MTU {
		// IPv6 begins anew on the link, with the section's defaults.
		live, err := object.FindLink(s.NS, l.Ifname)
		if err != nil {
			return err
		}
		old.Forwarding6, old.AcceptRA = live.Forwarding6, plan.Some(live.AcceptRA)
	}
	if l.MTU6.Set && l.MTU6 != old.MTU6 { // the kernel may have changed the other meanwhile, without a word to IPv6
		path := "net/ipv6/conf/" + l.Ifname + "/mtu"
		if err := s.NS.WriteSysctl(path, fmt.Sprint(l.MTU6.V)); err != nil {
			return err
		}
	}
	if err := writeAcceptRA(s, old.AcceptRA, l); err != nil || old.Forwarding6 == l.Forwarding6 {
		return err
	}
	return writeForwarding6(s, l)
}

// rename gives a link its name back.
func rename(e *object.Env, s *object.Section, index int, old, l Link) error {
	if err := makeRoom(e, s, l); err != nil {
		return err
	}
	what := "rename link " + old.Ifname + " to " + object.LinkKey(l.NS, l.Ifname).Place()
	fell, err := setName(s, index, old.Ifname, l.Ifname, what)
	s.Knows(old.Ifname, 0)
	s.Knows(l.Ifname, index)
	if live := s.Link(l.Name); live != nil {
		live.Name = l.Ifname
	}
	if err != nil || !fell {
		return err
	}
	live, err := object.FindLink(s.NS, l.Ifname)
	if err != nil {
		return err
	}
	return addLinkLocal(e, s, live, l)
}

// setName renames a link. Kernels before 6.2 only rename a link that is down: one that was up falls then, and comes up
// again without its link-local address.
func setName(s *object.Section, index int, old, name, what string) (fell bool, err error) {
	message := func() *nl.NetlinkRequest {
		m := indexRequest(index, 0, 0)
		m.Text(unix.IFLA_IFNAME, name)
		return m.NetlinkRequest
	}
	if err = s.NS.Write(what, message()); !errors.Is(err, unix.EBUSY) {
		return false, err
	}
	up := indexRequest(index, unix.IFF_UP, unix.IFF_UP).NetlinkRequest
	return true, errors.Join(
		s.NS.Write("set link "+old+" down", indexRequest(index, 0, unix.IFF_UP).NetlinkRequest),
		s.NS.Write(what, message()),
		s.NS.Write("set link "+name+" up", up))
}

// indexOf finds a live link by its stamp, as its name may have been given to another meanwhile.
func indexOf(s *object.Section, l Link) (int, error) {
	if live := s.Link(l.Name); live != nil {
		return live.Index, nil
	}
	return s.Index(l.Ifname)
}

// makeRoom takes the name of a link from another of ours, which gets its own back by a step to come: names may have
// been swapped.
func makeRoom(e *object.Env, s *object.Section, l Link) error {
	for name, other := range s.ByKey() {
		want, wanted := e.Want(object.LinkKey(l.NS, name)).(Link)
		stays := other.Name == name
		if wanted {
			stays = other.Name == want.Ifname
		}
		if other.Name != l.Ifname || name == l.Name || stays {
			continue
		}
		free := object.AsideName(l.NS, name)
		what := fmt.Sprintf("rename link %s to %s for now", other.Name, free)
		if _, err := setName(s, other.Index, other.Name, free, what); err != nil {
			return err
		}
		other.Name = free
	}
	return nil
}

// change sends one message with all that differs, and what the master keeps of the link.
func change(e *object.Env, s *object.Section, index int, old, l Link) error {
	old, err := move(s, index, old, l)
	if err == nil {
		old, err = stop(s, index, old, l)
	}
	if err != nil {
		return err
	}
	if old.NoARP != l.fresh().NoARP && l.BeginsIPv6(old) {
		first := old
		first.NoARP = l.fresh().NoARP
		if err := change(e, s, index, old, first); err != nil {
			return err
		}
		old.NoARP = first.NoARP
	}
	if t := typeOf(l.Type); t.Alter != nil && old.Spec != l.Spec {
		if err := t.Alter(e, s, l, old); err != nil {
			return err
		}
		old.Spec = l.Spec
	}
	if old.MTU != l.MTU && old.Spec != l.Spec && l.Spec != nil {
		// Some types take nothing of their own beside an MTU (drivers/net/vxlan/vxlan_core.c: vxlan_nl2conf). Others take
		// that without telling IPv6 (drivers/net/geneve.c: geneve_link_config). An MTU that is too large then comes first.
		first := old
		if _, most := typeOf(l.Type).mtus(l.Spec); old.MTU > most {
			first.MTU = l.MTU
		} else {
			first.Spec = l.Spec
		}
		if err := change(e, s, index, old, first); err != nil {
			return err
		}
		old.Spec, old.MTU = first.Spec, first.MTU
	}
	if before := typeOf(l.Type).Before; before != nil && old.Spec != l.Spec && l.Spec != nil {
		first := old
		if first.Spec = before(l.Spec, old.Spec); first.Spec != old.Spec {
			if err := change(e, s, index, old, first); err != nil {
				return err
			}
			old.Spec = first.Spec
		}
	}
	l = later(s, old, l)
	if old.Master != l.Master || old.MTU != l.MTU {
		if err := keepMTU(e, l); err != nil {
			return err
		}
	}
	m, err := changeMessage(e, s, index, old, l)
	if err != nil {
		return err
	}
	if !isEmpty(m) {
		if err := s.NS.Write("change link "+l.Key().Place(), m.NetlinkRequest); err != nil {
			return explain(l, err)
		}
	}
	return putPort(e, s, index, old, l)
}

// putPort makes what the master keeps of a link what is wanted.
func putPort(e *object.Env, s *object.Section, index int, old, l Link) error {
	ports := portsOf(l)
	if ports == nil {
		return nil
	}
	if old.Master != l.Master || old.Port == nil {
		old.Port = ports.Joined(e, s, l)
	}
	if old.Port == l.Port {
		return nil
	}
	return ports.Put(s, index, l, old.Port)
}

// isEmpty says whether a message changes nothing.
func isEmpty(m kernel.Message) bool {
	head, ok := m.Data[0].(*nl.IfInfomsg)
	return ok && len(m.Data) == 1 && head.Change == 0
}

func changeMessage(e *object.Env, s *object.Section, index int, old, l Link) (m kernel.Message, err error) {
	flags, mask := l.flags(old)
	if old.Up != l.Up {
		flags, mask = flags|kernel.Bit(l.Up), mask|unix.IFF_UP
	}
	m = indexRequest(index, flags, mask)
	if old.TxQLen != l.TxQLen {
		m.U32(unix.IFLA_TXQLEN, l.TxQLen)
	}
	if old.MTU != l.MTU || old.Spec != l.Spec && typeOf(l.Type).WithMTU {
		m.U32(unix.IFLA_MTU, l.MTU)
	}
	if old.MAC != l.MAC {
		m.Add(unix.IFLA_ADDRESS, append([]byte(nil), l.MAC[:]...))
	}
	if old.Group != l.Group {
		m.U32(unix.IFLA_GROUP, l.Group)
	}
	if old.Alias != l.Alias {
		m.Add(unix.IFLA_IFALIAS, []byte(l.Alias))
	}
	if old.Master != l.Master {
		onMaster, err := master(s, l)
		if err != nil {
			return m, err
		}
		m.U32(unix.IFLA_MASTER, uint32(onMaster))
	}
	if old.Forwarding4 != l.Forwarding4 || old.Promote != l.Promote {
		l.confAttrs(m)
	}
	if old.Spec != l.Spec && l.Spec != nil && typeOf(l.Type).Configure == nil {
		below, err := e.Section(l.Underlay())
		if err != nil {
			return m, err
		}
		var data kernel.Attrs
		if live := s.Link(l.Name); live != nil {
			data = live.Data
		}
		return m, l.infoData(m, old.Spec, data, func(r object.Ref) (int, error) { return indexOfRef(below, r) })
	}
	return m, nil
}
