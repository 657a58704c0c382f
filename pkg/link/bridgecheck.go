package link

import (
	"fmt"
	"slices"

	"github.com/plumbnet/plumb/pkg/object"
)

// checkBridges warns of bridges of which some packets get nowhere, or none for some time.
func checkBridges(n *object.Network) {
	ports := make(map[*object.Iface][]*object.Iface)
	for _, s := range n.Sections {
		for _, l := range s.Links {
			if l.Master != nil {
				ports[l.Master] = append(ports[l.Master], l)
			}
		}
	}
	var tree []*object.Iface
	for _, s := range n.Sections {
		for _, l := range s.Links {
			if l.Type != TypeBridge || len(ports[l]) == 0 {
				continue
			}
			checkPortMTUs(l, ports[l])
			if l.STP {
				tree = append(tree, l)
			}
		}
	}
	checkSTP(tree, n)
}

// checkPortMTUs warns of a bridge with a port that takes less than what comes its way, from other ports or from the
// bridge itself: a bridge does not fragment, but drops what is too large for a port, and nobody is told.
func checkPortMTUs(bridge *object.Iface, ports []*object.Iface) {
	least, most := ports[0], ports[0]
	if bridge.MTU.Given() || len(bridge.Addresses) > 0 {
		most = bridge
	}
	for _, l := range append([]*object.Iface{most}, ports...) {
		if !knownMTU(l) {
			return
		}
		if l != bridge && l.EffectiveMTU() < least.EffectiveMTU() {
			least = l
		}
		if l.EffectiveMTU() > most.EffectiveMTU() {
			most = l
		}
	}
	small, large := least.EffectiveMTU(), most.EffectiveMTU()
	if small >= large {
		return
	}
	at := portEnd(least).At
	for _, l := range []*object.Iface{most, least} {
		if l.MTU.Given() {
			at = l.MTU.At
		}
	}
	bridge.Section.Warnf(at, "%s has an MTU of %d, and %s on bridge %s has %d: packets between these sizes get lost there",
		portEnd(most), large, portEnd(least), bridge, small).
		Hint = fmt.Sprintf("set mtu: %d on bridge %s and on all that is plugged into it", small, bridge)
}

// knownMTU reports whether the file tells the MTU of a link: that of a link on one which it does not declare, only the
// live host does.
func knownMTU(l *object.Iface) bool {
	if l.MTU.Given() {
		return l.MTU.Good()
	}
	unknown := func(below *object.Iface) bool { return !knownMTU(below) }
	return !l.Given && len((Link{Type: l.Type, Spec: l.Spec}).below()) <= len(l.Below) &&
		!slices.ContainsFunc(l.Below, unknown)
}

// portEnd is the link by which a person knows a port: of a cable to a namespace, the end there.
func portEnd(l *object.Iface) *object.Iface {
	if l.Form == nil && l.Peer != nil && l.Type != TypeBridge {
		return l.Peer
	}
	return l
}

// checkSTP warns of bridges that wait for 30 seconds before they forward, for no loop: the spanning tree protocol has
// ports listen and learn first (IEEE 802.1D).
func checkSTP(bridges []*object.Iface, n *object.Network) {
	if len(bridges) == 0 {
		return
	}
	inLoop := inLoops(n)
	for _, b := range bridges {
		if !inLoop[b] {
			b.Section.Warnf(b.Spots.At("stp"), "with stp, nothing passes bridge %s for the first 30 seconds, "+
				"and no loop in this file needs it", b).Hint = "leave stp out"
		}
	}
}

// inLoops finds the links that frames could come back to: what is left when all ends are taken off, again and again.
// What leads out of the file may meet there.
func inLoops(n *object.Network) map[*object.Iface]bool {
	next := make(map[*object.Iface][]*object.Iface)
	join := func(a, b *object.Iface) { next[a], next[b] = append(next[a], b), append(next[b], a) }
	outside := new(object.Iface)
	for _, s := range n.Sections {
		for _, l := range s.Links {
			if l.Master == nil {
				continue
			}
			join(l, l.Master)
			switch {
			case l.Peer == nil:
				join(l, outside)
			case l.Peer.Master == nil || l.Peer.Section.Name+"/"+l.Peer.Name < l.Section.Name+"/"+l.Name:
				join(l, l.Peer) // each cable once
			}
		}
	}
	left, degree := make(map[*object.Iface]bool), make(map[*object.Iface]int)
	var ends []*object.Iface
	for l, others := range next {
		left[l], degree[l] = true, len(others)
		if len(others) < 2 {
			ends = append(ends, l)
		}
	}
	for len(ends) > 0 {
		l := ends[len(ends)-1]
		ends = ends[:len(ends)-1]
		delete(left, l)
		for _, other := range next[l] {
			if degree[other]--; degree[other] == 1 {
				ends = append(ends, other)
			}
		}
	}
	return left
}
