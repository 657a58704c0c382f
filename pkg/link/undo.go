package link

import (
	"net/netip"

	"github.com/plumbnet/plumb/pkg/object"
	"github.com/plumbnet/plumb/pkg/plan"
)

// Undo is what a rollback wants back of a link: what was found, but for what the kernel would have changed by itself.
func Undo(h plan.Have) (plan.Object, bool) {
	l, ok := h.Object.(Link)
	if !ok {
		return h.Object, true
	}
	if l.Underlay() == object.Unknown && typeOf(l.Type).AliasTells {
		return nil, false // a crash came upon its making
	}
	l.Tentative = false // for how long, the kernel alone decides
	if l.Disabled6.V {
		l.LinkLocal = plan.Some(netip.Addr{}) // what a switch that goes would have made: see [read]
	}
	if l.found != (object.MAC{}) {
		l.MAC = l.found
	}
	if p, ok := l.Port.(interface{ Lasts() Spec }); ok {
		l.Port = p.Lasts()
	}
	return l, true
}
