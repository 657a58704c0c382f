package link

import (
	"net/netip"

	"github.com/plumbnet/plumb/pkg/file"
	"github.com/plumbnet/plumb/pkg/object"
)

// remotes has the keys of a VXLAN that says where stations are.
type remotes struct {
	FDB []remote `file:"fdb,item=an fdb entry" doc:"of a vxlan: which hosts its frames go to"`
}

// remote is an entry of that list.
type remote struct {
	MAC StationMAC `file:"mac" doc:"address of the station; left out, of all that are not known"`
	Dst netip.Addr `file:"dst,required" doc:"host that its frames go to"`
}

// StationMAC is the address of a station behind a VXLAN; zero is any that is not known.
type StationMAC struct{ object.MAC }

// Parse implements [file.Parser].
func (m *StationMAC) Parse(name, s string) error {
	if s == (object.MAC{}).String() {
		m.MAC = object.MAC{}
		return nil
	}
	return m.MAC.Parse(name, s)
}

// Remote says of a VXLAN that frames to a MAC go to a host.
type Remote struct {
	MAC object.MAC
	Dst netip.Addr
	At  file.Span
}

// Remotes are those of a VXLAN; of another link there are none.
func Remotes(l *object.Iface) []Remote {
	if of, ok := l.Form.(*typed); ok {
		return of.remotes
	}
	return nil
}

// resolveRemotes reports what of the list cannot be.
func resolveRemotes(l *object.Iface, list []remote) (found []Remote) {
	v, ok := l.Spec.(VXLAN)
	s := l.Section
	if !ok {
		if l.Spots.Given("fdb") {
			s.Errorf(l.Spots.At("fdb"), "%s is no vxlan, and has no fdb", l)
		}
		return nil
	}
	first := make(map[Remote]file.Span)
	for i, r := range list {
		at := l.Spots.In("fdb", i)
		if !at.Good("dst") || at.Given("mac") && !at.Good("mac") {
			continue
		}
		if !fits(l, v, r, at) {
			continue
		}
		k := Remote{MAC: r.MAC.MAC}
		if r.MAC.MAC == (object.MAC{}) { // of which there can be many
			k.Dst = r.Dst
		}
		if had, twice := first[k]; twice {
			s.Clash(file.Error, at.At(), had, "%s has two entries for %s", l, r.MAC)
			continue
		}
		first[k] = at.At()
		found = append(found, Remote{r.MAC.MAC, r.Dst, at.At()})
	}
	return found
}

// fits reports an entry that the tunnel cannot have.
func fits(l *object.Iface, v VXLAN, r remote, at file.Spots) bool {
	s, any := l.Section, r.MAC.MAC == (object.MAC{})
	switch {
	case r.Dst.IsUnspecified() || r.Dst.IsMulticast():
		s.Errorf(at.At("dst"), "%s is no address of a host", r.Dst)
	case r.Dst.Is6() != (family(v) == 6):
		s.Errorf(at.At("dst"), "%s is not of the family of the tunnel's packets, IPv%d", r.Dst, family(v)).
			Hint = "local and remote say which it is"
	case any && r.Dst == v.Remote:
		s.Clash(file.Error, at.At("dst"), l.Spots.In(l.Type).At("remote"), "%s is the remote of %s", r.Dst, l).
			Hint = "leave the entry out"
	case any && v.Group.IsValid():
		s.Clash(file.Error, at.At(), l.Spots.In(l.Type).At("group"), "%s has a group, and an entry for unknown stations", l)
	default:
		return true
	}
	return false
}
