package kinds

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/plumbnet/plumb/pkg/file"
	"github.com/plumbnet/plumb/pkg/object"
)

// cableEnds warns of cables whose ends are in different networks, or take one network for wider than the other.
func cableEnds(n *object.Network) {
	for _, s := range n.Sections {
		for _, l := range s.Links {
			far := l.Peer
			// Each cable once; an end that the file does not list has no addresses.
			if far == nil || l.At.Compare(far.At) >= 0 || l.IsPort() || far.IsPort() {
				continue
			}
			if !reaches(l, far) && !reaches(far, l) {
				cableNetworks(l, far)
			}
		}
	}
}

// reaches says whether a declared route leads from a link to an address of the cable's other end.
func reaches(l, far *object.Iface) bool {
	by := routesOf(l.Section).by
	return slices.ContainsFunc(far.Addresses, func(a file.Value[netip.Prefix]) bool {
		one, _, ok := by.toward(a.V.Addr(), l.Name, l.RouteTable())
		return ok && one.direct
	})
}

// cableNetworks compares the networks at the ends of a cable, by family.
func cableNetworks(l, far *object.Iface) {
	for _, six := range []bool{false, true} {
		here, there := networksOn(l, six), networksOn(far, six)
		if len(here) == 0 || len(there) == 0 {
			continue
		}
		var wider [2]file.Value[netip.Prefix]
		same := slices.ContainsFunc(here, func(a file.Value[netip.Prefix]) bool {
			return slices.ContainsFunc(there, func(b file.Value[netip.Prefix]) bool {
				if a.V.Overlaps(b.V) {
					wider = [2]file.Value[netip.Prefix]{a, b}
				}
				return a.V.Masked() == b.V.Masked()
			})
		})
		a, b := here[0], there[0]
		switch s := l.Section; {
		case same:
		case wider[0].V.IsValid():
			a, b = wider[0], wider[1]
			s.Clash(file.Warning, a.At, b.At, "%s on %s and %s on %s, the ends of one cable, have different prefix lengths",
				a.V, l, b.V, far).Hint = "write the same length at both ends"
		default:
			s.Clash(file.Warning, a.At, b.At, "%s on %s and %s on %s, the ends of one cable, are in different networks",
				a.V, l, b.V, far).
				Hint = fmt.Sprintf("use one network, or routes with dev, as {to: %s, dev: %s} for %s", hostOf(b.V), l.Name, l)
		}
	}
}

// hostOf is an address as a destination.
func hostOf(p netip.Prefix) string { return netip.PrefixFrom(p.Addr(), p.Addr().BitLen()).String() }

// networksOn lists the addresses of a link that are in networks with others.
func networksOn(l *object.Iface, six bool) (list []file.Value[netip.Prefix]) {
	for _, a := range l.Addresses {
		if a.V.Addr().Is6() == six && !a.V.IsSingleIP() && !a.V.Addr().IsLinkLocalUnicast() {
			list = append(list, a)
		}
	}
	return list
}
