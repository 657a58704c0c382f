package kinds

import (
	"encoding/binary"
	"errors"
	"iter"
	"slices"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/plumbnet/plumb/pkg/kernel"
	"github.com/plumbnet/plumb/pkg/object"
	"github.com/plumbnet/plumb/pkg/plan"
)

// fetchRemotes asks where there are VXLANs of the topology's.
func fetchRemotes(_ *object.Env, s *object.Section, enter func(f func() error) error) error {
	if !slices.ContainsFunc(s.Links, func(l object.LiveLink) bool { return l.Type == "vxlan" }) {
		return nil
	}
	return object.In[fdbTables](s).fetch(s, enter)
}

// readRemotes streams the entries that VXLANs do not have by themselves.
func readRemotes(e *object.Env, s *object.Section) iter.Seq[object.Live] {
	return func(yield func(object.Live) bool) {
		for _, f := range object.In[fdbTables](s).static {
			l := s.At(f.link)
			if l == nil || l.Type != "vxlan" || !f.to.Dst.IsValid() {
				continue
			}
			o := Remote{NS: s.NS.Name, Dev: l.Known, MAC: f.mac, To: f.to}
			live := object.Live{Object: o, Links: []*object.LiveLink{l}, ByHand: true}
			if !hasItself(l, o) && !yield(live.PartOf(l)) {
				return
			}
		}
	}
}

// Attributes of IFLA_INFO_DATA of a VXLAN, linux/if_link.h.
const (
	vxlanGroup  = 2
	vxlanGroup6 = 16
)

// hasItself says whether an entry is the one that a VXLAN has for its remote, or its group.
func hasItself(l *object.LiveLink, r Remote) bool {
	dst := r.To.Dst
	return r.MAC == object.MAC{} && (l.Data.Addr(vxlanGroup) == dst || l.Data.Addr(vxlanGroup6) == dst)
}

// putRemotes makes entries, or has them lead to another host. What was learned of a station gives way.
func putRemotes(e *object.Env, changes []plan.Change) error {
	for _, c := range changes {
		r, ok := c.New.(Remote)
		if !ok {
			return object.WrongType(KindRemote, c.New)
		}
		flags := unix.NLM_F_CREATE | unix.NLM_F_REPLACE
		if r.many() {
			flags = unix.NLM_F_CREATE | unix.NLM_F_APPEND
		}
		if err := r.write(e, "set", unix.RTM_NEWNEIGH, flags); err != nil {
			return err
		}
	}
	return nil
}

func delRemotes(e *object.Env, objects []plan.Object) error {
	if _, err := e.Section(objects[0].Key().NS); err != nil {
		return nil // the namespace is gone, and all in it
	}
	for _, o := range objects {
		r, ok := o.(Remote)
		if !ok {
			return object.WrongType(KindRemote, o)
		}
		err := r.write(e, "delete", unix.RTM_DELNEIGH, 0)
		if err != nil && !errors.Is(err, unix.ENOENT) && !errors.Is(err, object.ErrNoLink) {
			return err
		}
	}
	return nil
}

func (r Remote) write(e *object.Env, verb string, proto, flags int) error {
	s, index, err := e.LinkOf(r.NS, r.Dev)
	if err != nil {
		return err
	}
	m := kernel.NewMessage(proto, flags, &netlink.Ndmsg{
		Family: unix.AF_BRIDGE, Index: uint32(index), State: unix.NUD_NOARP | unix.NUD_PERMANENT, Flags: unix.NTF_SELF,
	})
	m.Add(unix.NDA_LLADDR, slices.Clone(r.MAC[:]))
	m.Addr(unix.NDA_DST, r.To.Dst)
	if r.To.Port != 0 {
		m.Add(unix.NDA_PORT, binary.BigEndian.AppendUint16(nil, r.To.Port))
	}
	if r.To.VNI != 0 {
		m.Add(unix.NDA_VNI, nl.Uint32Attr(r.To.VNI))
	}
	if r.To.Index != 0 {
		m.Add(unix.NDA_IFINDEX, nl.Uint32Attr(r.To.Index))
	}
	return s.NS.Write(verb+" "+r.Key().Label(), m.NetlinkRequest)
}
