package kinds

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/plumbnet/plumb/pkg/object"
	"github.com/plumbnet/plumb/pkg/plan"
)

// warnRoute tells of gateways and of a source that are not where a route needs them. Of a namespace of the topology's
// the file tells that; the host, and one that is attached, have more links than the file knows.
func warnRoute(e *object.Env, o plan.Object) (texts []string, err error) { //nolint:unparam // a row's Warn
	r, ok := o.(Route)
	s := e.Sections[o.Key().NS]
	if !ok || s == nil || s.Owned {
		return nil, nil
	}
	for _, h := range append(r.NextHops.Split(), NextHop{Via: r.Via, Dev: r.Dev.V, Onlink: r.Onlink}) {
		switch {
		case !h.Via.IsValid() || h.Onlink || h.Via.Is6() && h.Via.IsLinkLocalUnicast() || reached(e, s, h.Via, h.Dev):
		case h.Dev != "":
			texts = append(texts, fmt.Sprintf("route %s: the gateway %s is on no connected subnet of %s; "+
				"set onlink: true if it is on that link nevertheless", o.Key().Place(), h.Via, h.Dev))
		default:
			texts = append(texts, fmt.Sprintf("route %s: the gateway %s is on no connected subnet %s; "+
				"name the interface that it is on with dev, and set onlink: true", o.Key().Place(), h.Via, s.Where()))
		}
	}
	if r.Src.IsValid() && !holds(e, s, r.Src) {
		texts = append(texts, fmt.Sprintf("route %s: src %s is no address %s; "+
			"leave it out, or give it to an interface", o.Key().Place(), r.Src, s.Where()))
	}
	return texts, nil
}

// reached says whether a gateway of a section is a neighbour, or will be: on dev, unless that is empty.
func reached(e *object.Env, s *object.Section, via netip.Addr, dev string) bool {
	on := func(other string) bool { return dev == "" || other == "" || other == dev }
	for _, n := range wantedNetworks(e, s.NS.Name) {
		if n.Contains(via) && on(n.dev) {
			return true
		}
	}
	for _, o := range e.WantedHere(s.NS.Name, KindRoute) {
		if r, ok := o.(Route); ok && !r.Via.IsValid() && r.NextHops == "" && r.Dst.Contains(via) && on(r.Dev.V) {
			return true
		}
	}
	index := s.Known(dev)
	return (dev == "" || index != 0) && object.IsNeighbour(s.NS, via, index)
}

// holds says whether an address is one of the section's, or will be.
func holds(e *object.Env, s *object.Section, a netip.Addr) bool {
	wanted := func(o plan.Object) bool { w, ok := o.(Address); return ok && w.Prefix.Addr() == a }
	live := func(l object.LiveAddress) bool { return l.Prefix.Addr() == a }
	return slices.ContainsFunc(e.WantedHere(s.NS.Name, KindAddress), wanted) || slices.ContainsFunc(s.Addresses(), live)
}
