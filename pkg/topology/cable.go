package topology

import (
	"slices"

	"github.com/plumbnet/plumb/pkg/file"
	links "github.com/plumbnet/plumb/pkg/link"
	"github.com/plumbnet/plumb/pkg/object"
)

// declared enters the bridges and interfaces that the file lists by name.
func (c *checker) declared() {
	for _, s := range c.sections {
		for i, at := range s.spots.In("bridges").Items() {
			b := &s.Bridges[i].Value
			s.add(s.declare(string(s.Bridges[i].Key), link{kind: links.TypeBridge, bridge: b}, at, b.MTU, b.MAC, b.Addresses))
		}
		for i, at := range s.spots.In("interfaces").Items() {
			f := &s.Interfaces[i].Value
			l := s.declare(string(s.Interfaces[i].Key), link{kind: links.TypeVeth, iface: f}, at, f.MTU, f.MAC, f.Addresses)
			if l.name == "lo" {
				l.kind = ""
			}
			if had, ok := s.add(l); !ok {
				c.Clash(file.Error, l.at, had.at, "%s is both a bridge and an interface", in(s.name, l.name))
			}
		}
	}
}

// declare makes a link of what the file says of it.
func (s *section) declare(name string, l link, at file.Spots, mtu uint32, mac MAC, addresses []Address) *link {
	l.name, l.at, l.spots = name, at.Key(), at
	l.mtu, l.mac = file.ValueAt(mtu, at.In("mtu")), file.ValueAt(mac, at.In("mac"))
	l.addresses = s.readAddresses(addresses, at.In("addresses"))
	return &l
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
	slices.SortStableFunc(ends, func(a, b *link) int { return a.at.Compare(b.at) })
	for _, l := range ends {
		switch at := l.spots; {
		case at.Given("bridge") && at.Given("peer"):
			c.Clash(file.Error, at.At("bridge"), at.At("peer"), "interface %s has both bridge and peer", l)
		case at.Good("bridge"):
			c.plug(l)
		case at.Good("peer"):
			c.connect(l)
		}
		if at := l.spots; at.Given("port-name") && !at.Given("bridge") && !at.Strange() {
			c.Errorf(at.At("port-name"), "interface %s has port-name without bridge", l)
		}
	}
	for _, l := range ends {
		c.loose(l)
		c.enslave(l)
	}
}

// plug puts a cable between an interface and a bridge, where it ends in a port.
func (c *checker) plug(l *link) {
	bridge := c.bridge(l.iface.Bridge, l.spots.At("bridge"))
	if bridge == nil {
		return
	}
	at := l.at
	port := &link{name: string(l.iface.PortName), at: l.at, kind: links.TypeVeth, master: bridge, claim: l.at}
	switch l.spots.State("port-name") {
	case file.Absent:
		port.name = object.DerivedName(c.t.Name, l.section.name, l.name)
	case file.Bad:
		return
	case file.Good:
		at = l.spots.At("port-name")
	}
	if had, ok := bridge.section.add(port); !ok {
		c.Clash(file.Error, at, had.at, "the cable's end at bridge %s and another link are both called %s", bridge, port)
		return
	}
	bridge.ports++
	c.join(l, port)
}

// bridge finds the bridge that a cable goes to.
func (c *checker) bridge(to Place, at file.Span) *link {
	s := c.section(to, at)
	if s == nil {
		return nil
	}
	l, ok := s.links[to.Name]
	switch {
	case ok && l.kind == links.TypeBridge:
		return l
	case ok && l.iface != nil:
		c.Errorf(at, "%s is an interface, not a bridge", l).Hint = "an interface is joined by peer: " + l.String()
	case s.flawed:
	default:
		c.Errorf(at, "there is no bridge %s %s", file.Quote(to.Name), s.where()).Hint = c.similar(to, s)
	}
	return nil
}

// similar suggests a bridge that the file may mean: one of a near name, or one of the same name in one namespace.
func (c *checker) similar(p Place, s *section) string {
	if near := file.Suggest(p.Name, s.names(links.TypeBridge)); near != "" || p.NS != "" {
		return near
	}
	for _, o := range c.sections {
		if l, ok := o.links[p.Name]; ok && l.kind == links.TypeBridge {
			return file.DidYouMean(l.String())
		}
	}
	return ""
}

// section finds the namespace that a cable goes to.
func (c *checker) section(to Place, at file.Span) *section {
	s, ok := c.byName[to.NS]
	if !ok && !c.sections[0].flawed {
		c.Errorf(at, "there is no namespace %s in this file", file.Quote(to.NS)).
			Hint = file.Suggest(to.NS, c.namespaces())
	}
	return s
}

// connect puts a cable between two interfaces. The far one need not be listed.
func (c *checker) connect(l *link) {
	to, at := l.iface.Peer, l.spots.At("peer")
	s := c.section(to, at)
	if s == nil {
		return
	}
	far, listed := s.links[to.Name]
	if !listed {
		far, _ = s.add(&link{name: to.Name, at: l.at, kind: links.TypeVeth})
	}
	switch {
	case far == l:
		c.Errorf(at, "the cable ends where it begins, at %s", l)
	case far.kind == links.TypeBridge:
		c.Errorf(at, "%s is a bridge, not an interface", far).Hint = "a bridge is joined by bridge: " + far.String()
	case far.peer == l: // declared at both ends
	case far.spots.Given("bridge"):
		c.Clash(file.Error, at, far.spots.At("bridge"), "two cables end at %s", far)
	case far.spots.Good("peer") && !c.is(far.iface.Peer, l):
		c.Clash(file.Error, at, far.spots.At("peer"), "%s names %s as its peer, which names %s", l, far, far.iface.Peer)
	case far.peer != nil:
		c.Clash(file.Error, at, far.claim, "two cables end at %s", far)
	default:
		far.claim = l.at
		c.join(l, far)
	}
}

func (c *checker) is(p Place, l *link) bool { return p.NS == l.section.name && p.Name == l.name }

// join makes two links the ends of one cable, and gives both the MTU that either declares.
func (c *checker) join(l, far *link) {
	l.peer, far.peer = far, l
	switch {
	case !l.mtu.Given():
		l.mtu = far.mtu
	case !far.mtu.Given():
		far.mtu = l.mtu
	case l.mtu.Good() && far.mtu.Good() && l.mtu.V != far.mtu.V:
		c.Clash(file.Error, l.mtu.At, far.mtu.At, "the ends %s and %s of one cable have different MTUs, %d and %d",
			l, far, l.mtu.V, far.mtu.V)
	}
}

// loose reports an interface that no cable makes.
func (c *checker) loose(l *link) {
	at := l.spots
	if l.peer != nil || at.Strange() || at.Given("bridge") || at.Given("peer") ||
		c.sections[0].flawed || l.section.flawed {
		return
	}
	c.Errorf(l.at, "interface %s has neither bridge nor peer, and no cable from elsewhere ends here", l).
		Hint = "as \"bridge: br0\", or \"peer: ns2/eth0\""
}

// enslave makes a cable's end a port of a bridge beside it.
func (c *checker) enslave(l *link) {
	if !l.spots.Good("master") {
		return
	}
	name, at := string(l.iface.Master), l.spots.At("master")
	m, ok := l.section.links[name]
	switch {
	case ok && m.kind == links.TypeBridge:
		l.master = m
		m.ports++
	case ok:
		c.Errorf(at, "%s is an interface, not a bridge", m)
	case l.section.flawed:
	default:
		c.Errorf(at, "there is no bridge %s %s", file.Quote(name), l.section.where()).
			Hint = file.Suggest(name, l.section.names(links.TypeBridge))
	}
}
