package link

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/plumbnet/plumb/pkg/file"
	"github.com/plumbnet/plumb/pkg/kernel"
	"github.com/plumbnet/plumb/pkg/object"
	"github.com/plumbnet/plumb/pkg/plan"
)

// maxVLAN is the last VLAN id that a port can be in; 0 and 4095 stand for others (IEEE 802.1Q).
const maxVLAN = 4094

// VLANRange is VLAN ids from First to Last, as the file has them: 20, or 30-40.
type VLANRange struct{ First, Last uint16 }

// Parse implements [file.Parser].
func (r *VLANRange) Parse(what, text string) error {
	first, last, isRange := strings.Cut(text, "-")
	if !isRange {
		last = first
	}
	var ids [2]uint16
	for i, s := range []string{first, last} {
		n, err := strconv.ParseUint(s, 10, 16)
		if err != nil || n < 1 || n > maxVLAN || strconv.FormatUint(n, 10) != s {
			return file.Flawf("%s must be a number from 1 to %d, or a range as 30-40, not %q", what, maxVLAN, text)
		}
		ids[i] = uint16(n)
	}
	if ids[0] > ids[1] {
		return file.Flaw{
			Message: what + " " + file.Quote(text) + " ends before it begins",
			Hint:    file.DidYouMean(VLANRange{ids[1], ids[0]}.String()),
		}
	}
	*r = VLANRange{ids[0], ids[1]}
	return nil
}

// Text implements [file.Described].
func (*VLANRange) Text() file.Text {
	return file.Text{
		Words: "VLAN id from 1 to 4094, or a range of them, as 30-40", Pattern: `^[0-9]+(-[0-9]+)?$`,
		Types: []string{"string", "integer"},
	}
}

func (r VLANRange) String() string {
	if r.First == r.Last {
		return strconv.Itoa(int(r.First))
	}
	return fmt.Sprintf("%d-%d", r.First, r.Last)
}

// Minus is what is left of the range without another: see [plan.List].
func (r VLANRange) Minus(o VLANRange) (left []VLANRange) {
	if o.Last < r.First || o.First > r.Last {
		return []VLANRange{r}
	}
	if r.First < o.First {
		left = append(left, VLANRange{r.First, o.First - 1})
	}
	if r.Last > o.Last {
		left = append(left, VLANRange{o.Last + 1, r.Last})
	}
	return left
}

// vlans makes a set of VLAN ids: the ranges are in order, and none touches the next.
func vlans(ranges ...VLANRange) plan.List[VLANRange] {
	ranges = slices.Clone(ranges)
	slices.SortFunc(ranges, func(a, b VLANRange) int { return cmp.Compare(a.First, b.First) })
	var set []VLANRange
	for _, r := range ranges {
		if n := len(set); n > 0 && r.First <= set[n-1].Last+1 {
			set[n-1].Last = max(set[n-1].Last, r.Last)
		} else {
			set = append(set, r)
		}
	}
	return plan.NewList(nil, set...)
}

// minusVLANs is what is left of a set without another.
func minusVLANs(set, other plan.List[VLANRange]) plan.List[VLANRange] {
	rest := slices.Collect(set.All())
	for o := range other.All() {
		var left []VLANRange
		for _, r := range rest {
			left = append(left, r.Minus(o)...)
		}
		rest = left
	}
	return vlans(rest...)
}

// addVLANs is a set with more ranges.
func addVLANs(set plan.List[VLANRange], more ...VLANRange) plan.List[VLANRange] {
	return vlans(append(slices.Collect(set.All()), more...)...)
}

// VLANTable is which VLANs a port of a bridge is in, or the bridge itself.
type VLANTable struct {
	// PVID is the VLAN that frames without a tag are in, 0 for none: then they are dropped.
	PVID uint16 `plan:"pvid"`
	// VLANs are all that it is in, and Untagged those of them that leave without a tag.
	VLANs    plan.List[VLANRange] `plan:"vlans"`
	Untagged plan.List[VLANRange] `plan:"untagged"`
}

// accessTo is the table of a port of one VLAN, whose frames have no tag; 0 is none. So a new port is in the default
// VLAN of its bridge.
func accessTo(vid uint16) (t VLANTable) {
	if vid != 0 {
		t.PVID, t.VLANs, t.Untagged = vid, vlans(VLANRange{vid, vid}), vlans(VLANRange{vid, vid})
	}
	return t
}

// follow is what becomes of a table when the default VLAN of the bridge changes: who is in the old one as a new port
// is moves to the new one, and from none everybody does (net/bridge/br_vlan.c: __br_vlan_set_default_pvid).
func (t VLANTable) follow(old, now uint16) VLANTable {
	has := func(set plan.List[VLANRange], vid uint16) bool {
		return minusVLANs(vlans(VLANRange{vid, vid}), set).Len() == 0
	}
	still := old != 0 && t.PVID == old && has(t.Untagged, old)
	switch {
	case old == now || old != 0 && !still || now != 0 && has(t.VLANs, now):
		return t
	case now != 0:
		t.PVID = now
		t.VLANs = addVLANs(t.VLANs, VLANRange{now, now})
		t.Untagged = addVLANs(t.Untagged, VLANRange{now, now})
	default:
		t.PVID = 0
	}
	if old != 0 {
		gone := vlans(VLANRange{old, old})
		t.VLANs, t.Untagged = minusVLANs(t.VLANs, gone), minusVLANs(t.Untagged, gone)
	}
	return t
}

// entries are the ranges of a table that have the same flags (BRIDGE_VLAN_INFO_* of linux/if_bridge.h). The pvid
// stands alone.
func (t VLANTable) entries() map[vlanEntry]bool {
	list := make(map[vlanEntry]bool)
	add := func(set plan.List[VLANRange], flags uint16) {
		for r := range set.All() {
			list[vlanEntry{r, flags}] = true
		}
	}
	own := plan.List[VLANRange]{}
	if t.PVID != 0 {
		own = vlans(VLANRange{t.PVID, t.PVID})
	}
	tagged := minusVLANs(t.VLANs, t.Untagged)
	add(minusVLANs(tagged, own), 0)
	add(minusVLANs(t.Untagged, own), nl.BRIDGE_VLAN_INFO_UNTAGGED)
	if minusVLANs(own, tagged).Len() == 0 {
		add(own, nl.BRIDGE_VLAN_INFO_PVID)
	} else {
		add(own, nl.BRIDGE_VLAN_INFO_PVID|nl.BRIDGE_VLAN_INFO_UNTAGGED)
	}
	return list
}

type vlanEntry struct {
	VLANRange
	flags uint16
}

// putVLANs makes the table of a port of a bridge, or of a bridge itself, what is wanted. What comes is there before
// what goes has gone.
func putVLANs(s *object.Section, index int, name string, self bool, want, have VLANTable) error {
	was := have.entries()
	var come []vlanEntry
	for e := range want.entries() {
		if !was[e] {
			come = append(come, e)
		}
	}
	var goes []vlanEntry
	for r := range minusVLANs(have.VLANs, want.VLANs).All() {
		goes = append(goes, vlanEntry{VLANRange: r})
	}
	return errors.Join(
		writeVLANs(s, unix.RTM_SETLINK, "put link "+name+" into VLANs ", index, self, come),
		writeVLANs(s, unix.RTM_DELLINK, "take link "+name+" out of VLANs ", index, self, goes))
}

// writeVLANs sends one message about all entries, if there are any.
func writeVLANs(s *object.Section, kind int, what string, index int, self bool, list []vlanEntry) error {
	if len(list) == 0 {
		return nil
	}
	slices.SortFunc(list, func(a, b vlanEntry) int { return cmp.Compare(a.First, b.First) })
	info := nl.NewIfInfomsg(unix.AF_BRIDGE)
	info.Index = int32(index)
	m := kernel.NewMessage(kind, 0, info)
	spec := m.Nest(unix.IFLA_AF_SPEC)
	if self {
		spec.AddRtAttr(nl.IFLA_BRIDGE_FLAGS, nl.Uint16Attr(nl.BRIDGE_FLAGS_SELF))
	}
	var ranges []VLANRange
	for _, e := range list {
		ranges = append(ranges, e.VLANRange)
		if e.First == e.Last {
			spec.AddRtAttr(nl.IFLA_BRIDGE_VLAN_INFO, vlanInfo(e.flags, e.First))
			continue
		}
		spec.AddRtAttr(nl.IFLA_BRIDGE_VLAN_INFO, vlanInfo(e.flags|nl.BRIDGE_VLAN_INFO_RANGE_BEGIN, e.First))
		spec.AddRtAttr(nl.IFLA_BRIDGE_VLAN_INFO, vlanInfo(e.flags|nl.BRIDGE_VLAN_INFO_RANGE_END, e.Last))
	}
	return s.NS.Write(what+vlans(ranges...).String(), m.NetlinkRequest)
}

// vlanInfo is struct bridge_vlan_info of linux/if_bridge.h.
func vlanInfo(flags, vid uint16) []byte { return append(nl.Uint16Attr(flags), nl.Uint16Attr(vid)...) }

// vlanTables are the tables of a section's ports and bridges, by their index, where they were asked for.
type vlanTables struct{ of map[int]VLANTable }

// brvlanCompressed is RTEXT_FILTER_BRVLAN_COMPRESSED of linux/rtnetlink.h: ranges of VLANs are told as such.
const brvlanCompressed = 1 << 2

// fetchVLANs asks for the VLANs of ports where a bridge of the topology's filters them, shall do so, or may have been
// told to. It takes the kernel a message for each port.
func fetchVLANs(e *object.Env, s *object.Section, enter func(f func() error) error) error {
	tables := object.In[vlanTables](s)
	if tables.of != nil || !filters(e, s) {
		return nil
	}
	return enter(func() error {
		m := kernel.NewMessage(unix.RTM_GETLINK, unix.NLM_F_DUMP, nl.NewIfInfomsg(unix.AF_BRIDGE))
		m.U32(unix.IFLA_EXT_MASK, brvlanCompressed)
		tables.of = make(map[int]VLANTable)
		err := s.NS.Read(kernel.NewQuery(m.NetlinkRequest, unix.RTM_NEWLINK), func(msgs [][]byte) {
			for _, m := range msgs {
				spec := kernel.Attrs(m[unix.SizeofIfInfomsg:]).Nested(unix.IFLA_AF_SPEC)
				if spec.Get(nl.IFLA_BRIDGE_FLAGS) == nil { // else it is what a network card has by itself
					tables.of[int(nl.DeserializeIfInfomsg(m).Index)] = parseVLANs(spec)
				}
			}
		})
		if err != nil {
			return fmt.Errorf("list VLANs: %w", err)
		}
		return nil
	})
}

// filters says whether a bridge of the section may filter VLANs because of the topology.
func filters(e *object.Env, s *object.Section) bool {
	for i := range s.Links {
		l := &s.Links[i]
		if l.Type != TypeBridge {
			continue
		}
		k := object.LinkKey(s.NS.Name, cmp.Or(l.Known, l.Name))
		want, wanted := e.Want(k).(Link)
		if b, ok := want.Spec.(Bridge); ok && b.VLANFiltering {
			return true
		}
		ours := wanted || l.Class == plan.Ours && l.Known != ""
		if ours && l.Data.U8(unix.IFLA_BR_VLAN_FILTERING) != 0 || e.Record.Holds(k) {
			return true
		}
	}
	return false
}

// parseVLANs reads the entries of a table.
func parseVLANs(spec kernel.Attrs) (t VLANTable) {
	var all, untagged []VLANRange
	first := uint16(0)
	for kind, value := range kernel.Attributes(spec) {
		if kind != nl.IFLA_BRIDGE_VLAN_INFO || len(value) < nl.SizeofBridgeVlanInfo {
			continue
		}
		info := nl.DeserializeBridgeVlanInfo(value)
		if info.Flags&nl.BRIDGE_VLAN_INFO_RANGE_BEGIN != 0 {
			first = info.Vid
			continue
		}
		r := VLANRange{info.Vid, info.Vid}
		if info.Flags&nl.BRIDGE_VLAN_INFO_RANGE_END != 0 {
			r.First = first
		}
		all = append(all, r)
		if info.Flags&nl.BRIDGE_VLAN_INFO_UNTAGGED != 0 {
			untagged = append(untagged, r)
		}
		if info.Flags&nl.BRIDGE_VLAN_INFO_PVID != 0 {
			t.PVID = info.Vid
		}
	}
	t.VLANs, t.Untagged = vlans(all...), vlans(untagged...)
	return t
}

// vlansOf is the table of a live port of a bridge, or of the bridge itself. Where tables were not asked for, it is that
// of a new one; where the kernel has none, it is as wanted.
func vlansOf(s *object.Section, l, bridge *object.LiveLink, wanted VLANTable) VLANTable {
	switch tables := object.In[vlanTables](s); {
	case !hasVLANs(bridge):
		return wanted
	case tables.of != nil:
		return tables.of[l.Index]
	}
	return accessTo(kernel.U16(bridge.Data.Get(unix.IFLA_BR_VLAN_DEFAULT_PVID)))
}

// hasVLANs says whether the kernel has VLANs of a bridge.
func hasVLANs(bridge *object.LiveLink) bool {
	return bridge.Data.Get(unix.IFLA_BR_VLAN_DEFAULT_PVID) != nil
}

// Held says whether the host record must tell of a link: where a bridge once filtered VLANs, its tables are asked for.
func Held(o plan.Object, _ bool) bool {
	l, _ := o.(Link)
	b, ok := l.Spec.(Bridge)
	return ok && b.VLANFiltering
}
