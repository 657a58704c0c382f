package topology

import (
	"cmp"
	"net/netip"
	"slices"

	"github.com/plumbnet/plumb/pkg/file"
)

// claim is an address of a link, as a stake in its subnet.
type claim struct {
	address file.Value[netip.Prefix]
	link    *link
}

func (c claim) subnet() netip.Prefix { return c.address.V.Masked() }

// addresses checks each section's addresses against each other.
func (c *checker) addresses() {
	for _, s := range c.sections {
		var claims []claim
		for _, l := range s.list {
			for _, a := range l.addresses {
				if c.repeated(s, l, a) {
					continue
				}
				if l.kind != "" && !a.V.Addr().IsLinkLocalUnicast() {
					claims = append(claims, claim{a, l})
				}
			}
		}
		s.subnets = newSubnets(s.list)
		sweep(claims, func(a, b claim) bool { return a.link != b.link }, func(a, b claim) {
			c.Clash(file.Error, a.address.At, b.address.At, "%s on %s and %s on %s overlap",
				a.address.V, a.link, b.address.V, b.link)
		})
	}
}

// repeated enters an address of a section, and reports one that the section has already. Link-local addresses may be
// on several links, since they mean something on their own link only.
func (c *checker) repeated(s *section, l *link, a file.Value[netip.Prefix]) bool {
	ip := a.V.Addr()
	key := ip
	if ip.Is6() && ip.IsLinkLocalUnicast() {
		key = ip.WithZone(l.name)
		if l.kind != "" && ip == l.localMAC(c.t.Name).LinkLocal() {
			c.Errorf(a.At, "%s is the link-local address that the kernel gives %s by itself", ip, l).Hint = "leave it out"
			return true
		}
	}
	first, ok := s.own[key]
	if !ok {
		s.own[key] = a
		return false
	}
	c.Clash(file.Error, a.At, first.At, "address %s is given twice %s", ip, s.where())
	return true
}

// sweep reports, for each claim, one that came before it in order, in the same or a wider subnet, and that conflicts
// with it. It walks the subnets in order, with those around the current one on a stack, and so takes little more time
// than sorting does. Of each subnet it keeps two claims of different links, for whatever conflicts with one.
func sweep(claims []claim, conflict func(a, b claim) bool, report func(a, b claim)) {
	slices.SortStableFunc(claims, func(a, b claim) int {
		p, q := a.subnet(), b.subnet()
		return cmp.Or(p.Addr().Compare(q.Addr()), cmp.Compare(p.Bits(), q.Bits()))
	})
	type frame struct {
		subnet netip.Prefix
		claims []claim
	}
	var around []frame
	for _, c := range claims {
		p := c.subnet()
		for len(around) > 0 && !around[len(around)-1].subnet.Overlaps(p) {
			around = around[:len(around)-1]
		}
		if len(around) == 0 || around[len(around)-1].subnet != p {
			around = append(around, frame{subnet: p})
		}
	search:
		for i := len(around) - 1; i >= 0; i-- {
			for _, o := range around[i].claims {
				if conflict(o, c) {
					report(c, o)
					break search
				}
			}
		}
		f := &around[len(around)-1]
		if len(f.claims) == 0 || len(f.claims) == 1 && conflict(f.claims[0], c) {
			f.claims = append(f.claims, c)
		}
	}
}
