package kinds

import (
	"encoding/binary"
	"fmt"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/plumbnet/plumb/pkg/kernel"
	"github.com/plumbnet/plumb/pkg/object"
)

// fdbTables is what is known of a section's forwarding tables: the kernel lists those of bridges and of VXLANs as one.
type fdbTables struct {
	asked   bool
	bridges bool // their entries matter
	static  []fdbEntry
}

// fdbEntry is an entry that nobody has learned (struct ndmsg of linux/neighbour.h).
type fdbEntry struct {
	link      int // that frames leave by: the port of a bridge, or the VXLAN
	bridge    int // 0 in the table of a VXLAN
	mac       object.MAC
	vlan      uint16
	permanent bool
	to        Target // in the table of a VXLAN
}

// fetch lists the static entries of a section, once.
func (known *fdbTables) fetch(s *object.Section, enter func(f func() error) error) error {
	if known.asked {
		return nil
	}
	return enter(func() error {
		m := kernel.NewMessage(unix.RTM_GETNEIGH, unix.NLM_F_DUMP, &netlink.Ndmsg{Family: unix.AF_BRIDGE})
		known.asked = true
		err := s.NS.Read(kernel.NewQuery(m.NetlinkRequest, unix.RTM_NEWNEIGH), func(msgs [][]byte) {
			known.static = nil
			for _, m := range msgs {
				if f, ok := parseFDBEntry(m); ok {
					known.static = append(known.static, f)
				}
			}
		})
		if err != nil {
			return fmt.Errorf("list the forwarding tables of bridges and VXLANs: %w", err)
		}
		return nil
	})
}

// parseFDBEntry reads an entry; ok is false for one that was learned, by the kernel or by a program for it, and for
// one of another kind of link.
func parseFDBEntry(b []byte) (f fdbEntry, ok bool) {
	const stateAt, flagsAt = 8, 10
	if len(b) < unix.SizeofNdMsg {
		return f, false
	}
	state, flags := kernel.U16(b[stateAt:]), b[flagsAt]
	if state&(unix.NUD_NOARP|unix.NUD_PERMANENT) == 0 || flags&unix.NTF_EXT_LEARNED != 0 {
		return f, false
	}
	attrs := kernel.Attrs(b[unix.SizeofNdMsg:])
	f.link, f.bridge = int(kernel.U32At(b, 1)), int(attrs.U32(unix.NDA_MASTER))
	f.vlan, f.permanent = kernel.U16(attrs.Get(unix.NDA_VLAN)), state&unix.NUD_PERMANENT != 0
	copy(f.mac[:], attrs.Get(unix.NDA_LLADDR))
	if flags&unix.NTF_SELF != 0 {
		f.to = parseTarget(attrs)
	}
	return f, f.bridge != 0 || f.to.Dst.IsValid()
}

func parseTarget(attrs kernel.Attrs) Target {
	t := Target{Dst: attrs.Addr(unix.NDA_DST), VNI: attrs.U32(unix.NDA_VNI), Index: attrs.U32(unix.NDA_IFINDEX)}
	if p := attrs.Get(unix.NDA_PORT); len(p) == 2 {
		t.Port = binary.BigEndian.Uint16(p)
	}
	return t
}
