package link

import (
	"fmt"

	"github.com/plumbnet/plumb/pkg/file"
	"github.com/plumbnet/plumb/pkg/object"
)

// fdbEntry is an entry of a bridge's list of stations.
type fdbEntry struct {
	MAC  object.MAC   `file:"mac,required" doc:"address of the station"`
	Dev  object.Place `file:"dev,required" doc:"port that it is behind, or the interface whose cable ends there"`
	VLAN uint16       `file:"vlan,least=1,most=4094" doc:"VLAN that it is in; left out, the pvid of the port"`
}

// StaticEntry is a station that a bridge knows without having heard it.
type StaticEntry struct {
	MAC  object.MAC
	Port *object.Iface
	VLAN uint16
	At   file.Span
}

// StaticEntries are those of a bridge; of another link there are none.
func StaticEntries(l *object.Iface) []StaticEntry {
	if f, ok := l.Form.(*bridgeForm); ok {
		return f.static
	}
	return nil
}

// entries finds the ports of a bridge's stations, and reports what can't be.
func (f *bridgeForm) entries(l *object.Iface) (list []StaticEntry) {
	type station struct {
		object.MAC
		vlan uint16
	}
	first := make(map[station]file.Span)
	for i, e := range f.FDB {
		at := l.Spots.In("fdb", i)
		if !at.Good("mac") || !at.Good("dev") || at.Given("vlan") && !at.Good("vlan") {
			continue
		}
		port := portOf(l, e.Dev, at.At("dev"))
		if port == nil {
			continue
		}
		vlan, ok := e.vlan(l, port, at)
		if !ok {
			continue
		}
		if had, twice := first[station{e.MAC, vlan}]; twice {
			l.Section.Clash(file.Error, at.At("mac"), had, "bridge %s has two entries for %s", l, e.MAC)
			continue
		}
		first[station{e.MAC, vlan}] = at.At("mac")
		list = append(list, StaticEntry{e.MAC, port, vlan, at.At()})
	}
	return list
}

// portOf finds a port of a bridge by its own name, or by the interface at the other end of its cable.
func portOf(bridge *object.Iface, to object.Place, at file.Span) *object.Iface {
	if to.Bare {
		to.NS = bridge.Section.Name
	}
	s, ok := bridge.Section.Find(to, at)
	if !ok {
		return nil
	}
	l, ok := s.Link(to.Name)
	switch {
	case ok && l.Master == bridge:
		return l
	case ok && l.Peer != nil && l.Peer.Master == bridge:
		return l.Peer
	case ok || !s.Doubtful:
		s.Errorf(at, "%s is no port of bridge %s", file.Quote(to.String()), bridge)
	}
	return nil
}

// vlan is the VLAN of an entry, 0 where the bridge keeps none apart.
func (e fdbEntry) vlan(bridge, port *object.Iface, at file.Spots) (vlan uint16, ok bool) {
	b, _ := bridge.Spec.(Bridge)
	s, p := bridge.Section, portSpec(port)
	switch {
	case !b.VLANFiltering && e.VLAN == 0:
		return 0, true
	case !b.VLANFiltering:
		s.Errorf(at.At("vlan"), "bridge %s does not filter VLANs", bridge).Hint = "leave vlan out"
	case e.VLAN == 0 && p.PVID == 0:
		s.Errorf(at.At("dev"), "port %s has no pvid, and the entry no vlan", port).
			Hint = "give the entry one of the VLANs of the port"
	case e.VLAN == 0:
		return p.PVID, true
	case minusVLANs(vlans(VLANRange{e.VLAN, e.VLAN}), p.VLANs).Len() > 0:
		s.Errorf(at.At("vlan"), "port %s is not in VLAN %d", port, e.VLAN).
			Hint = fmt.Sprintf("it is in %s", p.VLANs)
	default:
		return e.VLAN, true
	}
	return 0, false
}

// portSpec is what a bridge shall keep of a port.
func portSpec(l *object.Iface) BridgePort {
	if p, ok := l.Port.(BridgePort); ok {
		return p
	}
	return NewPort(l.Type, l.Master.Spec)
}
