package kinds

import (
	"fmt"
	"net/netip"

	"github.com/plumbnet/plumb/pkg/link"
	"github.com/plumbnet/plumb/pkg/object"
	"github.com/plumbnet/plumb/pkg/plan"
)

// KindRemote is a static entry of a VXLAN's forwarding table (bridge(8): fdb): a host that frames go to.
const KindRemote = "vxlan fdb"

// Remote is the wanted or live state of an entry. Frames to one station go to one host; those to stations that are not
// known, for which MAC is zero, go to many, and each is an entry of its own.
type Remote struct {
	NS, Dev string
	MAC     object.MAC

	To Target `plan:"dst"`
}

// Target is a host, and how its packets get there where that is not as the VXLAN says.
type Target struct {
	Dst   netip.Addr
	Port  uint16
	VNI   uint32
	Index uint32 // of the link that they leave by
}

func (t Target) String() string {
	s := t.Dst.String()
	if t.Port != 0 {
		s += fmt.Sprintf(" port %d", t.Port)
	}
	if t.VNI != 0 {
		s += fmt.Sprintf(" vni %d", t.VNI)
	}
	if t.Index != 0 {
		s += fmt.Sprintf(" by link %d", t.Index)
	}
	return s
}

// many says that an entry can have others beside it that differ in the host alone.
func (r Remote) many() bool { return r.MAC == object.MAC{} || r.MAC[0]&1 != 0 }

// Key implements [plan.Object].
func (r Remote) Key() plan.Key {
	name := r.Dev + " " + r.MAC.String()
	if r.many() {
		name += " dst " + r.To.String()
	}
	return plan.Key{NS: r.NS, Kind: KindRemote, Name: name}
}

// Needs implements [plan.Object].
func (r Remote) Needs() []plan.Key {
	return append(object.SectionNeed(r.NS), object.LinkKey(r.NS, r.Dev))
}

// On implements [plan.Dependent].
func (r Remote) On() []plan.Key { return r.Needs() }

// After implements [plan.Dependent]: an entry goes with its link, and one for stations that are not known becomes the
// link's own when that gets the host for its remote.
func (r Remote) After(_, now plan.Object, _ plan.World) (plan.Object, bool) {
	return r, now != nil && !r.own(now)
}

// own says whether an entry is the one that its link has by itself.
func (r Remote) own(o plan.Object) bool {
	l, ok := o.(link.Link)
	v, also := l.Spec.(link.VXLAN)
	return ok && also && l.Key() == object.LinkKey(r.NS, r.Dev) && r.MAC == object.MAC{} &&
		(r.To == Target{Dst: v.Remote} || r.To.Dst == v.Group)
}

// Describe implements [plan.Object].
func (r Remote) Describe() string {
	if r.many() {
		return ""
	}
	return "dst " + r.To.String()
}

// remoteForm only expands: the entries stand in their links.
func remoteForm() object.Form {
	return object.Form{
		On: object.OnSection,
		Expand: func(at *object.At, x *object.Expansion) {
			for _, l := range at.Links {
				for _, r := range link.Remotes(l) {
					x.Add(Remote{NS: at.Name, Dev: l.Name, MAC: r.MAC, To: Target{Dst: r.Dst}}, r.At)
				}
			}
		},
	}
}
