package topology

import (
	"net/netip"

	"github.com/plumbnet/plumb/pkg/file"
	"github.com/plumbnet/plumb/pkg/object"
)

// root finds the link that stands for a segment, and shortens the way to it.
func (l *link) root() *link {
	for l.segment != nil {
		if l.segment.segment != nil {
			l.segment = l.segment.segment
		}
		l = l.segment
	}
	return l
}

// unite makes one segment of two; false says that they were one already.
func unite(a, b *link) bool {
	a, b = a.root(), b.root()
	if a != b {
		b.segment = a
	}
	return a != b
}

// segments finds which links frames pass between, and warns of what is odd across namespaces: a network that is on
// two segments, and an address that two namespaces have. People do both on purpose, in labs that never meet.
func (c *checker) segments() {
	for _, s := range c.sections {
		for _, l := range s.list {
			if l.master != nil {
				unite(l.master, l)
			}
		}
	}
	for _, s := range c.sections {
		for _, l := range s.list {
			// Each cable once, and not those of interfaces from which nothing was made.
			if l.peer != nil && l.iface != nil && (l.peer.iface == nil || l.peer.at.Compare(l.at) >= 0) {
				c.cable(l)
			}
		}
	}
	c.across()
}

// cable unites the segments at a cable's ends, and warns of a cable that closes a loop of bridges.
func (c *checker) cable(l *link) {
	if unite(l, l.peer) || l.master == nil || l.peer.master == nil {
		return
	}
	for _, b := range []*link{l.master, l.peer.master} {
		if b.bridge.STP {
			return
		}
	}
	c.Warnf(l.at, "the cable from %s to %s closes a loop of bridges, in which frames go round for ever", l, l.peer).
		Hint = "set stp: true on a bridge of the loop"
}

// across warns of what two namespaces have in common.
func (c *checker) across() {
	type part struct {
		segment *link
		subnet  netip.Prefix
	}
	first := map[netip.Addr]claim{}
	parts := map[part]bool{}
	var claims []claim
	for _, s := range c.sections {
		for _, l := range s.list {
			for _, a := range l.addresses {
				ip := a.V.Addr()
				if ip.IsLinkLocalUnicast() || ip.IsLoopback() {
					continue
				}
				o, again := first[ip]
				if again && o.link.section != s {
					c.Clash(file.Warning, a.At, o.address.At, "address %s is in two namespaces, on %s and on %s", ip, l, o.link)
				} else if !again {
					first[ip] = claim{a, l}
				}
				// One address speaks for its segment: that a network is on two of them need not be said for each.
				if p := (part{l.root(), a.V.Masked()}); l.kind != "" && !parts[p] {
					parts[p] = true
					if !again {
						claims = append(claims, claim{a, l})
					}
				}
			}
		}
	}
	sweep(claims, func(a, b claim) bool { return a.link.root() != b.link.root() }, func(a, b claim) {
		if a.link.section != b.link.section {
			c.Clash(file.Warning, a.address.At, b.address.At, "%s on %s and %s on %s overlap, and no cable joins them",
				a.address.V, a.link, b.address.V, b.link)
		}
	})
}

// localMAC is the MAC address that the link will have.
func (l *link) localMAC(topology string) object.MAC {
	if l.mac.Good() {
		return l.mac.V.MAC
	}
	return object.DerivedMAC(topology, l.section.name, l.name)
}
