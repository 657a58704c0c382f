package kinds

import (
	"errors"
	"iter"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/plumbnet/plumb/pkg/kernel"
	"github.com/plumbnet/plumb/pkg/object"
	"github.com/plumbnet/plumb/pkg/plan"
)

// fetchFDB asks where there are entries of the topology's, or may be. There can be very many that bridges have learned.
func fetchFDB(e *object.Env, s *object.Section, enter func(f func() error) error) error {
	known := object.In[fdbTables](s)
	known.bridges = known.bridges || len(e.WantedHere(s.NS.Name, KindFDB)) > 0 || e.Record.Mentions(s.NS.Name, KindFDB)
	if !known.bridges {
		return nil
	}
	return known.fetch(s, enter)
}

// readFDB streams static entries, and of those for the host itself the ones that a file wants otherwise: a bridge makes
// them for all MACs that it and its ports have.
func readFDB(e *object.Env, s *object.Section) iter.Seq[object.Live] {
	return func(yield func(object.Live) bool) {
		known := object.In[fdbTables](s)
		if !known.bridges {
			return
		}
		for _, f := range known.static {
			port, bridge := s.At(f.link), s.At(f.bridge)
			if port == nil || bridge == nil || f.vlan != 0 && bridge.Data.U8(unix.IFLA_BR_VLAN_FILTERING) == 0 {
				continue // of one for all VLANs the kernel makes one for each that the port is in, whether they are filtered
			}
			o := FDB{
				NS: s.NS.Name, Bridge: bridge.Known, MAC: f.mac, VLAN: f.vlan, Dev: port.Known, Local: f.permanent,
			}
			if o.Local && !e.Wanted(o.Key()) {
				continue
			}
			proto := uint8(0)
			if e.Record.Holds(o.Key()) { // the kernel keeps no mark with it
				proto = object.Protocol
			}
			if !yield(object.Live{Object: o, Links: []*object.LiveLink{bridge}, Proto: proto, ByHand: true}) {
				return
			}
		}
	}
}

// putFDB makes entries, or has them lead to another port. What the bridge has learned of the address gives way.
func putFDB(e *object.Env, changes []plan.Change) error {
	for _, c := range changes {
		f, ok := c.New.(FDB)
		if !ok {
			return object.WrongType(KindFDB, c.New)
		}
		const flags = unix.NLM_F_CREATE | unix.NLM_F_REPLACE
		if err := f.write(e, "set", unix.RTM_NEWNEIGH, flags); err != nil {
			return err
		}
	}
	return nil
}

func delFDB(e *object.Env, objects []plan.Object) error {
	if _, err := e.Section(objects[0].Key().NS); err != nil {
		return nil // the namespace is gone, and all in it
	}
	for _, o := range objects {
		f, ok := o.(FDB)
		if !ok {
			return object.WrongType(KindFDB, o)
		}
		err := f.write(e, "delete", unix.RTM_DELNEIGH, 0)
		if errors.Is(err, unix.EINVAL) && f.VLAN != 0 {
			// The port has left the VLAN, and the kernel names no single entry of such a one: none of them is wanted.
			const bulk = 0x200 // NLM_F_BULK of linux/netlink.h
			err = f.write(e, "flush what is left with", unix.RTM_DELNEIGH, bulk)
		}
		if err != nil && !errors.Is(err, unix.ENOENT) && !errors.Is(err, object.ErrNoLink) {
			return err
		}
	}
	return nil
}

func (f FDB) write(e *object.Env, verb string, proto, flags int) error {
	s, index, err := e.LinkOf(f.NS, f.Dev)
	if err != nil {
		return err
	}
	head := &netlink.Ndmsg{Family: unix.AF_BRIDGE, Index: uint32(index), State: unix.NUD_NOARP, Flags: unix.NTF_MASTER}
	if f.Local {
		head.State = unix.NUD_PERMANENT
	}
	m := kernel.NewMessage(proto, flags, head)
	if proto == unix.RTM_NEWNEIGH || flags == 0 {
		m.Add(unix.NDA_LLADDR, append([]byte(nil), f.MAC[:]...))
	} else {
		head.State = 0 // whatever the state
	}
	if f.VLAN != 0 {
		m.Add(unix.NDA_VLAN, nl.Uint16Attr(f.VLAN))
	}
	return s.NS.Write(verb+" "+f.Key().Label(), m.NetlinkRequest)
}
