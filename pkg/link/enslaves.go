package link

import (
	"cmp"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/plumbnet/plumb/pkg/file"
	"github.com/plumbnet/plumb/pkg/object"
)

// Enslaves is what a master makes of its ports, beside what it keeps of them: see [Ports].
type Enslaves struct {
	// Refuses says why a link cannot be a port, empty for one that can.
	Refuses func(l *object.Iface) string
	// NeedsMAC says that a port must have a MAC address of its own.
	NeedsMAC bool
	// Enter settles what a port has from its master, and reports what does not go with that.
	Enter func(port *object.Iface)
	// Table is the routing table for what comes in by its ports: it takes packets then, and no frames, and ports keep
	// their addresses. Nil is the table of the section, and a master that takes the frames.
	Table func(Spec) uint32
	// Restarts says that a link which joins or leaves is down for a moment.
	Restarts bool
	// FromDown says that a link must be down to join. It comes up with that, and is down when it has left.
	FromDown bool
	// NoLinkLocal says that the kernel derives no link-local address for a port.
	NoLinkLocal bool
	// Adapt is a port with what its master gives it, whenever that changes.
	Adapt func(port, master Link) Link
}

// takesAll is a master of which nothing is known but that it is one.
var takesAll Enslaves

// enslaves is how the master of a link treats it.
func (l Link) enslaves() *Enslaves {
	return cmp.Or(masterOf(l).Enslaves, &takesAll)
}

// inVRF says whether the master of a link takes its packets, and not its frames.
func (l Link) inVRF() bool { return l.enslaves().Table != nil }

// Table is the routing table of what is sent and received by a link.
func (l Link) Table() uint32 {
	if p, ok := l.Port.(VRFPort); ok {
		return uint32(p.Table)
	}
	if v, ok := l.Spec.(VRF); ok {
		return uint32(v.Table)
	}
	return object.MainTable
}

// Restarted says whether a link that was up, and is up, was down in between: what a down takes is gone.
func (l Link) Restarted(from Link) bool {
	t := typeOf(l.Type)
	switch {
	case !from.Up || !l.Up:
		return false
	case from.restarts != l.restarts:
		return true
	case t.Stops != nil && l.Type == from.Type && l.Spec != nil && from.Spec != nil && t.Stops(l.Spec, from.Spec):
		return true
	}
	restarts := func(e *Enslaves) bool { return e.Restarts || e.FromDown }
	return from.Master != l.Master && (restarts(from.enslaves()) || restarts(l.enslaves()))
}

// released is a link that its master has let go.
func (l Link) released() Link {
	if l.enslaves().FromDown {
		l.Up = false
	}
	l.Master, l.Port = "", nil
	return l
}

// afterMaster is a link after its master has changed.
func (l Link) afterMaster(old, now Link) Link {
	if l.Master != now.Name || l.NS != now.NS {
		return l
	}
	if t := typeOf(now.Type); t.Empties != nil && old.Spec != nil && now.Spec != nil && t.Empties(now.Spec, old.Spec) {
		return l.released()
	}
	if adapt := l.enslaves().Adapt; adapt != nil {
		return adapt(l, now)
	}
	return l
}

// move gives a link another master where that takes more than the message that changes the rest. It returns the link as
// it is then.
func move(s *object.Section, index int, old, l Link) (Link, error) {
	leaves, joins := old.enslaves().FromDown, l.enslaves().FromDown
	if old.Master == l.Master || !leaves && !joins {
		return old, nil
	}
	to, err := master(s, l)
	if err != nil {
		return old, err
	}
	place := l.Key().Place()
	if joins {
		down := indexRequest(index, 0, unix.IFF_UP)
		if err := s.NS.Write("take down link "+place, down.NetlinkRequest); err != nil {
			return old, err
		}
	}
	var loses []int
	if from := s.Link(old.Master); from != nil && leaves {
		loses = append(loses, from.Index)
	}
	err = keepMACs(s, loses, func() error {
		m := indexRequest(index, 0, 0)
		m.U32(unix.IFLA_MASTER, uint32(to))
		return explain(l, s.NS.Write("set master of link "+place, m.NetlinkRequest))
	})
	if err != nil {
		return old, err
	}
	live, err := object.ReadLink(s.NS, object.LinkQuery(linkAt(index)))
	if err != nil {
		return old, err
	}
	old.Master, old.Port, old.Up, old.MTU = l.Master, l.Port, live.Up(), live.MTU
	if old.MAC = live.MAC; !l.hasOwnMAC() {
		old.MAC = l.MAC
	}
	return old, nil
}

// stop takes a link down, and frees its ports, where it could not become another one otherwise. It returns the link as
// it is then.
func stop(s *object.Section, index int, old, l Link) (Link, error) {
	t := typeOf(l.Type)
	if l.Spec == nil || old.Spec == nil || t.Stops == nil || !t.Stops(l.Spec, old.Spec) {
		return old, nil
	}
	if t.Empties(l.Spec, old.Spec) {
		links, err := object.ListLinks(s.NS)
		if err != nil {
			return old, err
		}
		if err := keepMACs(s, []int{index}, func() error { return free(s, links, index) }); err != nil {
			return old, err
		}
	}
	down := indexRequest(index, 0, unix.IFF_UP)
	if err := s.NS.Write("take down link "+l.Key().Place(), down.NetlinkRequest); err != nil {
		return old, err
	}
	live, err := object.ReadLink(s.NS, object.LinkQuery(linkAt(index)))
	if err != nil {
		return old, err
	}
	old.Up = false
	if l.hasOwnMAC() {
		old.MAC = live.MAC // without ports, a bond has another
	}
	return old, nil
}

// free frees the ports of a link.
func free(s *object.Section, links []object.LiveLink, master int) error {
	for _, port := range links {
		if port.Master != master {
			continue
		}
		m := indexRequest(port.Index, 0, 0)
		m.U32(unix.IFLA_MASTER, 0)
		if err := s.NS.Write("free port "+placeOf(s, &port), m.NetlinkRequest); err != nil {
			return err
		}
	}
	return nil
}

// keepMACs lets masters of a section lose ports, and gives each its MAC back: with its last port a bond gets
// another (drivers/net/bonding/bond_main.c: __bond_release_one).
func keepMACs(s *object.Section, masters []int, lose func() error) error {
	had := make(map[int]object.MAC)
	for _, index := range masters {
		live, err := object.ReadLink(s.NS, object.LinkQuery(linkAt(index)))
		if err == nil && live.Type == TypeBond {
			had[index] = live.MAC
		}
	}
	if err := lose(); err != nil {
		return err
	}
	for index, mac := range had {
		live, err := object.ReadLink(s.NS, object.LinkQuery(linkAt(index)))
		if err != nil || live.MAC == mac {
			continue // it is gone, or has others
		}
		m := indexRequest(index, 0, 0)
		m.Add(unix.IFLA_ADDRESS, mac[:])
		if err := s.NS.Write("give link "+placeOf(s, &live)+" its MAC back", m.NetlinkRequest); err != nil {
			return err
		}
	}
	return nil
}

// losingPorts lists the bonds that lose ports when links are deleted.
func losingPorts(there, doomed []object.LiveLink) (masters []int) {
	for _, l := range there {
		lost := func(d object.LiveLink) bool { return d.Master == l.Index }
		goes := func(d object.LiveLink) bool { return d.Index == l.Index }
		if l.Type == TypeBond && slices.ContainsFunc(doomed, lost) && !slices.ContainsFunc(doomed, goes) {
			masters = append(masters, l.Index)
		}
	}
	return masters
}

// enslave finds the links that others name as their master.
func enslave(n *object.Network) {
	for _, s := range n.Sections {
		for _, l := range s.Links {
			if l.Spots.Good("master") {
				enslaveTo(l, l.MasterName, l.Spots.At("master"))
			}
			checkNetkit(l)
		}
	}
	for _, s := range n.Sections {
		for _, l := range s.Links {
			checkMasters(l)
		}
	}
	for _, s := range n.Sections {
		for _, l := range s.Links {
			if l.Master != nil {
				if e := typeOf(l.Master.Type).Enslaves; e.Enter != nil {
					e.Enter(l)
				}
			}
		}
	}
}

// checkMasters reports a link that is among the masters of its masters, and cuts it loose.
func checkMasters(l *object.Iface) {
	seen := map[*object.Iface]bool{}
	for m := l.Master; m != nil && !seen[m]; m = m.Master {
		if seen[m] = true; m == l {
			l.Section.Errorf(l.Spots.At("master"), "%s would be a port of itself", l)
			l.Master = nil
			return
		}
	}
}

func enslaveTo(l *object.Iface, name string, at file.Span) {
	s := l.Section
	m, ok := s.Link(name)
	if !ok {
		if !s.Doubtful {
			s.Errorf(at, "%s has no bridge, bond or vrf %s", s.Declared(), file.Quote(name)).
				Hint = cmp.Or(file.Suggest(name, masterNames(s)), declareGiven(s, name))
		}
		return
	}
	e := typeOf(m.Type).Enslaves
	if e == nil {
		s.Errorf(at, "%s is an interface, not a bridge, bond or vrf", m)
		return
	}
	if t := typeOf(l.Type); t.NoPort && e.Table == nil {
		s.Errorf(at, "%s is %s, which cannot be a port of a %s", l, withArticle(l.Type), m.Type)
		return
	}
	why := ""
	if e.Refuses != nil {
		why = e.Refuses(l)
	}
	if own := (Link{Type: l.Type, Spec: l.Spec}); why == "" && e.NeedsMAC && !own.hasOwnMAC() {
		why = "it has no MAC address of its own"
	}
	if why != "" {
		s.Errorf(at, "%s cannot be a port of %s %s: %s", l, m.Type, m, why)
		return
	}
	l.Master = m
	m.Ports++
}

// masterNames lists the links of a section that can be masters.
func masterNames(s *object.Sense) (names []string) {
	for _, t := range Types {
		if t.Enslaves != nil {
			names = append(names, s.LinkNames(t.Name)...)
		}
	}
	return names
}

// joinedMaster is what a port is of which the master alone decides, and nothing makes it that.
func joinedMaster(_ *object.Env, _ *object.Section, l Link) Spec { return l.Port }

func nothing(*object.Section, int, Link, Spec) error { return nil }
