package topology

import (
	"net/netip"

	"github.com/plumbnet/plumb/pkg/file"
	links "github.com/plumbnet/plumb/pkg/link"
	"github.com/plumbnet/plumb/pkg/object"
)

// links checks what the kernel would refuse of single links.
func (c *checker) links() {
	for _, s := range c.sections {
		for _, l := range s.list {
			if l.ports > links.MaxBridgePorts {
				c.Errorf(l.at, "bridge %s has %d ports, more than the %d that a bridge can have", l, l.ports, links.MaxBridgePorts)
			}
			for _, a := range l.addresses {
				c.fits(l, a)
			}
		}
	}
}

// fits reports an address that the link cannot have.
func (c *checker) fits(l *link, a file.Value[netip.Prefix]) {
	if a.V.Addr().Is4() || l.kind == "" {
		return
	}
	if l.mtuOr() < object.MinIPv6MTU {
		c.Errorf(a.At, "%s on %s: IPv6 needs an MTU of at least %d, and that of the link is %d",
			a.V, l, object.MinIPv6MTU, l.mtuOr()).Hint = l.mtu.At.See()
	}
	if by := l.section.disabled(l); by != nil {
		c.Errorf(a.At, "%s on %s: %s switches IPv6 off there", a.V, l, by.name).Hint = by.at.See()
	}
	if a.V.Bits() < 127 && a.V == a.V.Masked() {
		c.Warnf(a.At, "%s is the network, which IPv6 takes for the address of any router in it", a.V).
			Hint = file.DidYouMean(netip.PrefixFrom(a.V.Addr().Next(), a.V.Bits()).String())
	}
}

// maxObjects bounds what a document declares: a default for new links goes to every link, and so multiplies.
const maxObjects = 1_000_000

// size reports a topology that is too large to plan.
func (c *checker) size() {
	total := 0
	for _, s := range c.sections {
		total += 1 + len(s.Sysctls) + len(s.list)*(1+len(s.defaults())) + len(s.NAT) + len(s.routes)
		for _, l := range s.list {
			total += len(l.addresses)
		}
	}
	if total > maxObjects {
		c.Errorf(c.t.at, "the topology comes to more than %d objects", maxObjects)
	}
}
