package topology

import (
	"fmt"
	"slices"

	links "github.com/plumbnet/plumb/pkg/link"
	"github.com/plumbnet/plumb/pkg/object"
)

// declared enters the bridges and interfaces that the file lists by name.
func (c *checker) declared() {
	for _, s := range c.sections {
		for i := range s.Bridges {
			b := &s.Bridges[i]
			s.add(&link{name: b.Name, at: b.at, kind: links.TypeBridge, bridge: b, mtu: b.MTU, mac: b.MAC, addresses: b.Addresses})
		}
		for i := range s.Interfaces {
			f := &s.Interfaces[i]
			l := &link{name: f.Name, at: f.at, kind: links.TypeVeth, iface: f, mtu: f.MTU, mac: f.MAC, addresses: f.Addresses}
			if f.Name == "lo" {
				l.kind = ""
			}
			if had, ok := s.add(l); !ok {
				c.clash(l.at, had.at, "%s is both a bridge and an interface", in(s.Name, f.Name))
			}
		}
	}
}

// clash reports that two places do not go together, at the one that comes later.
func (c *checker) clash(a, b span, format string, args ...any) {
	if a.before(b) {
		a, b = b, a
	}
	p := c.errorf(a, format, args...)
	p.Message += elsewhere(a, b)
}

// elsewhere is the end of a message that tells of another place.
func elsewhere(at, other span) string {
	if at.line == other.line {
		return ""
	}
	return fmt.Sprintf(": see line %d", other.line)
}

// cables joins the ends of all cables, in the order of the file, so that of two that want one socket the first has it.
func (c *checker) cables() {
	var ends []*link
	for _, s := range c.sections {
		for _, l := range s.list {
			if l.iface != nil && l.kind == links.TypeVeth {
				ends = append(ends, l)
			}
		}
	}
	slices.SortStableFunc(ends, func(a, b *link) int {
		if a.at.before(b.at) {
			return -1
		}
		if b.at.before(a.at) {
			return 1
		}
		return 0
	})
	for _, l := range ends {
		switch f := l.iface; {
		case f.Bridge.Given() && f.Peer.Given():
			c.clash(f.Bridge.at, f.Peer.at, "interface %s has both bridge and peer", l)
		case f.Bridge.OK():
			c.plug(l)
		case f.Peer.OK():
			c.connect(l)
		}
		if f := l.iface; f.PortName.Given() && !f.Bridge.Given() && !f.flawed {
			c.errorf(f.PortName.at, "interface %s has port-name without bridge", l)
		}
	}
	for _, l := range ends {
		c.loose(l)
		c.enslave(l)
	}
}

// plug puts a cable between an interface and a bridge, where it ends in a port.
func (c *checker) plug(l *link) {
	f := l.iface
	bridge := c.bridge(f.Bridge)
	if bridge == nil {
		return
	}
	port := &link{name: f.PortName.V, at: l.at, kind: links.TypeVeth, master: bridge, claim: l.at}
	if !f.PortName.Given() {
		port.name = object.DerivedName(c.t.Name, l.section.Name, l.name)
	} else if f.PortName.bad {
		return
	}
	if had, ok := bridge.section.add(port); !ok {
		at := f.PortName.at
		if !f.PortName.Given() {
			at = l.at
		}
		c.clash(at, had.at, "the cable's end at bridge %s and another link are both called %s", bridge, port)
		return
	}
	bridge.ports++
	c.join(l, port)
}

// bridge finds the bridge that a cable goes to.
func (c *checker) bridge(ref Value[Place]) *link {
	s := c.section(ref)
	if s == nil {
		return nil
	}
	l, ok := s.links[ref.V.Name]
	switch {
	case ok && l.kind == links.TypeBridge:
		return l
	case ok && l.iface != nil:
		c.errorf(ref.at, "%s is an interface, not a bridge", l).Hint = "an interface is joined by peer: " + l.String()
	case s.flawed:
	default:
		c.errorf(ref.at, "there is no bridge %s %s", quote(ref.V.Name), s.where()).Hint = c.similar(ref.V, s)
	}
	return nil
}

// similar suggests a bridge that the file may mean: one of a near name, or one of the same name in one namespace.
func (c *checker) similar(p Place, s *section) string {
	if near := suggest(p.Name, s.names(links.TypeBridge)); near != "" || p.NS != "" {
		return near
	}
	for _, o := range c.sections {
		if l, ok := o.links[p.Name]; ok && l.kind == links.TypeBridge {
			return didYouMean(l.String())
		}
	}
	return ""
}

// section finds the namespace that a cable goes to.
func (c *checker) section(ref Value[Place]) *section {
	s, ok := c.byName[ref.V.NS]
	if !ok && !c.t.Host.flawed {
		c.errorf(ref.at, "there is no namespace %s in this file", quote(ref.V.NS)).Hint = suggest(ref.V.NS, c.namespaces())
	}
	return s
}

// connect puts a cable between two interfaces. The far one need not be listed.
func (c *checker) connect(l *link) {
	ref := l.iface.Peer
	s := c.section(ref)
	if s == nil {
		return
	}
	far, listed := s.links[ref.V.Name]
	if !listed {
		far, _ = s.add(&link{name: ref.V.Name, at: l.at, kind: links.TypeVeth})
	}
	switch {
	case far == l:
		c.errorf(ref.at, "the cable ends where it begins, at %s", l)
	case far.kind == links.TypeBridge:
		c.errorf(ref.at, "%s is a bridge, not an interface", far).Hint = "a bridge is joined by bridge: " + far.String()
	case far.peer == l: // declared at both ends
	case far.iface != nil && far.iface.Bridge.Given():
		c.clash(ref.at, far.iface.Bridge.at, "two cables end at %s", far)
	case far.iface != nil && far.iface.Peer.OK() && !c.is(far.iface.Peer.V, l):
		c.clash(ref.at, far.iface.Peer.at, "%s names %s as its peer, which names %s", l, far, far.iface.Peer.V)
	case far.peer != nil:
		c.clash(ref.at, far.claim, "two cables end at %s", far)
	default:
		far.claim = l.at
		c.join(l, far)
	}
}

func (c *checker) is(p Place, l *link) bool { return p.NS == l.section.Name && p.Name == l.name }

// join makes two links the ends of one cable, and gives both the MTU that either declares.
func (c *checker) join(l, far *link) {
	l.peer, far.peer = far, l
	switch {
	case !l.mtu.Given():
		l.mtu = far.mtu
	case !far.mtu.Given():
		far.mtu = l.mtu
	case l.mtu.OK() && far.mtu.OK() && l.mtu.V != far.mtu.V:
		c.clash(l.mtu.at, far.mtu.at, "the ends %s and %s of one cable have different MTUs, %d and %d", l, far, l.mtu.V, far.mtu.V)
	}
}

// loose reports an interface that no cable makes.
func (c *checker) loose(l *link) {
	f := l.iface
	if l.peer != nil || f.flawed || f.Bridge.Given() || f.Peer.Given() || c.t.Host.flawed || l.section.flawed {
		return
	}
	c.errorf(l.at, "interface %s has neither bridge nor peer, and no cable from elsewhere ends here", l).
		Hint = "as \"bridge: br0\", or \"peer: ns2/eth0\""
}

// enslave makes a cable's end a port of a bridge beside it.
func (c *checker) enslave(l *link) {
	ref := l.iface.Master
	if !ref.OK() {
		return
	}
	m, ok := l.section.links[ref.V]
	switch {
	case ok && m.kind == links.TypeBridge:
		l.master = m
		m.ports++
	case ok:
		c.errorf(ref.at, "%s is an interface, not a bridge", m)
	case l.section.flawed:
	default:
		c.errorf(ref.at, "there is no bridge %s %s", quote(ref.V), l.section.where()).
			Hint = suggest(ref.V, l.section.names(links.TypeBridge))
	}
}
