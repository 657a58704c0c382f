package kinds

import (
	"fmt"

	"github.com/plumbnet/plumb/pkg/link"
	"github.com/plumbnet/plumb/pkg/object"
	"github.com/plumbnet/plumb/pkg/plan"
)

// KindFDB is a static entry of a bridge's forwarding table (bridge(8): fdb).
const KindFDB = "fdb"

// FDB is the wanted or live state of an entry: frames to MAC leave by the port Dev. VLAN is 0 on a bridge that keeps no
// VLANs apart.
type FDB struct {
	NS, Bridge string
	MAC        object.MAC
	VLAN       uint16

	Dev string `plan:"dev"`
	// Local says that the frames are for the host itself, or the namespace.
	Local bool `plan:"local"`
}

// Key implements [plan.Object].
func (f FDB) Key() plan.Key {
	name := f.Bridge + " " + f.MAC.String()
	if f.VLAN != 0 {
		name += fmt.Sprintf(" vlan %d", f.VLAN)
	}
	return plan.Key{NS: f.NS, Kind: KindFDB, Name: name}
}

// Needs implements [plan.Object].
func (f FDB) Needs() []plan.Key {
	return append(object.SectionNeed(f.NS), object.LinkKey(f.NS, f.Bridge), object.LinkKey(f.NS, f.Dev))
}

// On implements [plan.Dependent].
func (f FDB) On() []plan.Key { return f.Needs() }

// After implements [plan.Dependent]: an entry goes with its bridge, and with its port, be it that the port leaves.
func (f FDB) After(old, now plan.Object, _ plan.World) (plan.Object, bool) {
	if now == nil {
		return nil, false
	}
	was, _ := old.(link.Link)
	is, ok := now.(link.Link)
	left := ok && was.Name == f.Dev && is.Master != f.Bridge
	return f, !left
}

// Describe implements [plan.Object].
func (f FDB) Describe() string { return "dev " + f.Dev }

// fdbForm only expands: the entries stand in their bridges.
func fdbForm() object.Form {
	return object.Form{
		On: object.OnSection,
		Expand: func(at *object.At, x *object.Expansion) {
			for _, l := range at.Links {
				for _, s := range link.StaticEntries(l) {
					x.Add(FDB{NS: at.Name, Bridge: l.Name, MAC: s.MAC, VLAN: s.VLAN, Dev: s.Port.Name}, s.At)
				}
			}
		},
	}
}
