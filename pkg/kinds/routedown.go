package kinds

import (
	"net/netip"
	"slices"

	"github.com/plumbnet/plumb/pkg/file"
	"github.com/plumbnet/plumb/pkg/object"
)

// isDown reports a route over a link that is declared down.
func (r routeAt) isDown(dev string, at file.Span) bool {
	l, ok := r.Link(dev)
	if !ok || !l.Down {
		return false
	}
	r.Errorf(at, "%s is declared down, and no route leads over it", l).Hint = l.Spots.At("up").See()
	return true
}

// overDown reports a gateway in a network of a link that is declared down.
func (r routeAt) overDown(gateway netip.Addr, at file.Span) bool {
	for _, l := range r.Links {
		if l.Down && holdsNetwork(l, gateway) {
			r.Errorf(at, "the gateway %s is in a network of %s, which is declared down", gateway, l).
				Hint = l.Spots.At("up").See()
			return true
		}
	}
	return false
}

func holdsNetwork(l *object.Iface, a netip.Addr) bool {
	return slices.ContainsFunc(l.Networks, func(own netip.Prefix) bool { return own.Contains(a) })
}
