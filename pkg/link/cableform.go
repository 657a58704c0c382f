package link

import (
	"cmp"
	"slices"

	"github.com/plumbnet/plumb/pkg/file"
	"github.com/plumbnet/plumb/pkg/object"
)

// cable has the keys of an interface that is the end of a cable. Bridge or Peer is where the cable leads to, unless it
// is declared at its other end.
type cable struct {
	Bridge   object.Place     `file:"bridge" doc:"bridge that the cable leads to"`
	PortName object.OwnIfname `file:"port-name" doc:"name of the cable's end at the bridge; left out, derived"`
	Peer     object.Place     `file:"peer" doc:"interface that the cable leads to"`
	Netkit   Netkit           `file:"netkit" doc:"the cable is a netkit, for BPF programs; left out, a veth"`
}

// joinCables joins the ends of all cables, in the order of the file, so that of two that want one socket the first has
// it.
func joinCables(n *object.Network) {
	var ends []*object.Iface
	for _, s := range n.Sections {
		for _, l := range s.Links {
			if _, ok := l.Form.(*cable); ok && IsPair(l.Type) {
				ends = append(ends, l)
			}
		}
	}
	slices.SortStableFunc(ends, func(a, b *object.Iface) int { return a.At.Compare(b.At) })
	for _, l := range ends {
		join(l)
	}
	for _, l := range ends {
		loose(l)
	}
}

// join makes the other end of the cable that an interface declares.
func join(l *object.Iface) {
	c, at := l.Form.(*cable), l.Spots
	switch {
	case at.Given("bridge") && at.Given("peer"):
		l.Section.Clash(file.Error, at.At("bridge"), at.At("peer"), "interface %s has both bridge and peer", l)
	case at.Good("bridge"):
		attach(l, c)
	case at.Good("peer"):
		connect(l, c.Peer, at.At("peer"))
	}
	if at.Given("port-name") && !at.Given("bridge") && !at.Strange() {
		l.Section.Errorf(at.At("port-name"), "interface %s has port-name without bridge", l)
	}
}

// attach puts a cable between an interface and a bridge, where it ends in a port.
func attach(l *object.Iface, c *cable) {
	bridge := bridgeOf(l, c.Bridge, l.Spots.At("bridge"))
	if bridge == nil {
		return
	}
	at := l.At
	port := &object.Iface{Name: string(c.PortName), At: l.At, Type: TypeVeth, Master: bridge, Made: l.At}
	switch l.Spots.State("port-name") {
	case file.Absent:
		port.Name = object.DerivedName(l.Section.Topology, l.Section.Name, l.Name)
	case file.Bad:
		return
	case file.Good:
		at = l.Spots.At("port-name")
	}
	if had, ok := bridge.Section.Add(port); !ok {
		l.Section.Clash(file.Error, at, had.At,
			"the cable's end at bridge %s and another link are both called %s", bridge, port)
		return
	}
	bridge.Ports++
	pair(l, port)
}

// bridgeOf finds the bridge that a cable leads to.
func bridgeOf(l *object.Iface, to object.Place, at file.Span) *object.Iface {
	s, ok := l.Section.Find(to, at)
	if !ok {
		return nil
	}
	b, ok := s.Link(to.Name)
	switch {
	case ok && b.Type == TypeBridge:
		return b
	case ok && b.Given:
		s.Errorf(at, "%s is declared as an interface, not as a bridge", b).Hint = "if it is a bridge, declare it in bridges"
	case ok && b.Form != nil:
		s.Errorf(at, "%s is an interface, not a bridge", b).Hint = "to plug into an interface, write peer: " + b.String()
	case !s.Doubtful:
		s.Errorf(at, "%s has no bridge %s", s.Declared(), file.Quote(to.Name)).
			Hint = cmp.Or(similar(s, to), declareGiven(s, to.Name))
	}
	return nil
}

// similar suggests a bridge that the file may mean: one of a near name, or one of the same name in one namespace.
func similar(s *object.Sense, to object.Place) string {
	near := file.Suggest(to.Name, s.LinkNames(TypeBridge))
	if near != "" || to.NS != "" || len(s.Sections) > file.MaxCandidates {
		return near
	}
	for _, o := range s.Sections {
		if l, ok := o.Link(to.Name); ok && l.Type == TypeBridge {
			return file.DidYouMean(l.String())
		}
	}
	for _, o := range s.Sections[1:] {
		if names := o.LinkNames(TypeBridge); o.Name == to.Name && len(names) > 0 {
			return file.DidYouMean(o.Name + "/" + names[0])
		}
	}
	return ""
}

// connect puts a cable between two interfaces. The far one need not be listed.
func connect(l *object.Iface, to object.Place, at file.Span) {
	s, ok := l.Section.Find(to, at)
	if !ok {
		return
	}
	far, listed := s.Link(to.Name)
	if !listed && to.Bare {
		likeNamespace(l, to.Name, at)
	}
	if !listed {
		far, _ = s.Add(&object.Iface{Name: to.Name, At: l.At, Type: TypeVeth})
	}
	switch {
	case far == l:
		s.Errorf(at, "the cable ends where it begins, at %s", l)
	case far.Given && far.Type != TypeBridge:
		s.Errorf(at, "%s is there already, and no new cable can end at it", far).
			Hint = "a cable can end at a bridge, as master: NAME puts " + far.Name + " on one"
	case far.Type == TypeBridge:
		s.Errorf(at, "%s is a bridge, not an interface", far).Hint = "to plug into a bridge, write bridge: " + far.String()
	case far.Peer == l: // declared at both ends
	case far.Spots.Given("bridge"):
		s.Clash(file.Error, at, far.Spots.At("bridge"), "two cables end at %s", far)
	case far.Spots.Good("peer") && !leadsTo(far, l):
		s.Clash(file.Error, at, far.Spots.At("peer"),
			"%s names %s as its peer, which names %s", l, far, far.Form.(*cable).Peer)
	case far.Peer != nil:
		s.Clash(file.Error, at, far.Made, "two cables end at %s", far)
	default:
		far.Made = l.At
		pair(l, far)
	}
}

// likeNamespace warns of an interface that a cable makes on the host, and that is called as a namespace is.
func likeNamespace(l *object.Iface, name string, at file.Span) {
	for _, s := range l.Section.Sections[1:] {
		if s.Name != name {
			continue
		}
		end := l.Name
		if free := looseEnds(s); len(free) == 1 {
			end = free[0]
		}
		l.Section.Warnf(at, "this makes an interface %s on the host, and %s is a namespace of the file", name, name).
			Hint = file.DidYouMean(name + "/" + end)
	}
}

// looseEnds lists the interfaces of a section to which no cable is declared yet.
func looseEnds(s *object.Sense) (names []string) {
	for _, l := range s.Links {
		if _, ok := l.Form.(*cable); ok && l.Name != object.Lo && l.Peer == nil &&
			!l.Spots.Given("bridge") && !l.Spots.Given("peer") {
			names = append(names, l.Name)
		}
	}
	return names
}

// leadsTo reports whether the cable that an interface declares leads to a link.
func leadsTo(l *object.Iface, o *object.Iface) bool {
	to := l.Form.(*cable).Peer
	return to.NS == o.Section.Name && to.Name == o.Name
}

// pair makes two links the ends of one cable, and gives both the MTU that either declares.
func pair(l *object.Iface, far *object.Iface) {
	l.Peer, far.Peer = far, l
	pairTypes(l, far)
	switch {
	case !l.MTU.Given():
		l.MTU = far.MTU
	case !far.MTU.Given():
		far.MTU = l.MTU
	case l.MTU.Good() && far.MTU.Good() && l.MTU.V != far.MTU.V:
		l.Section.Clash(file.Error, l.MTU.At, far.MTU.At,
			"the ends %s and %s of one cable have different MTUs, %d and %d", l, far, l.MTU.V, far.MTU.V)
	}
}

// loose reports an interface that no cable makes.
func loose(l *object.Iface) {
	at := l.Spots
	if l.Peer == nil && !at.Strange() && !at.Given("bridge") && !at.Given("peer") && l.Section.Whole() {
		l.Section.Errorf(l.At, "interface %s is not connected", l).
			Hint = "give it bridge or peer, or name it as the peer of another interface"
	}
}

// cableSegments unites the segments at the ends of cables, and warns of a cable that closes a loop of bridges.
func cableSegments(n *object.Network) {
	joined := make(joinedBridges)
	for _, s := range n.Sections {
		for _, l := range s.Links {
			// Each cable once, and not those of interfaces from which nothing was made.
			if l.Peer == nil || l.Form == nil || l.Peer.Form != nil && l.Peer.At.Compare(l.At) < 0 {
				continue
			}
			object.Unite(l, l.Peer)
			if a, b := l.Master, l.Peer.Master; bothBridges(a, b) && !joined.join(a, b) {
				n.Warnf(l.At, "the cable from %s to %s closes a loop of bridges, in which frames go round for ever", l, l.Peer).
					Hint = "set stp: true on a bridge of the loop"
			}
		}
	}
}

func bothBridges(a, b *object.Iface) bool {
	return a != nil && b != nil && a.Type == TypeBridge && b.Type == TypeBridge
}

// joinedBridges leads from a bridge to another that it is joined with, by cables and bridges without STP. One bridge
// with STP keeps frames from going round: the others pass on its messages, and it blocks the port by which these come
// back.
type joinedBridges map[*object.Iface]*object.Iface

// join joins two bridges. It returns false when they were joined already, and a loop is closed.
func (j joinedBridges) join(a, b *object.Iface) bool {
	if a.STP || b.STP {
		return true
	}
	a, b = j.last(a), j.last(b)
	if a != b {
		j[a] = b
	}
	return a != b
}

// last stands for all that a bridge is joined with. The way there becomes shorter each time.
func (j joinedBridges) last(b *object.Iface) *object.Iface {
	for next := j[b]; next != nil; next = j[b] {
		if after := j[next]; after != nil {
			j[b] = after
		}
		b = next
	}
	return b
}
