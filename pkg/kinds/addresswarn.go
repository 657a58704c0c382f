package kinds

import (
	"fmt"
	"slices"

	"github.com/plumbnet/plumb/pkg/object"
	"github.com/plumbnet/plumb/pkg/plan"
)

// warnAddress tells of an address of the host whose network is that of the host's uplink too, or has the uplink's
// gateway in it: the host would look for them on the wrong link.
func warnAddress(e *object.Env, o plan.Object) (texts []string, err error) {
	a, ok := o.(Address)
	s := e.Sections[""]
	if !ok || s == nil || a.NS != "" {
		return nil, nil
	}
	var overlapping []string
	for _, d := range object.DefaultRoutes(s) {
		for _, dev := range d.Devs {
			if d.Proto == object.Protocol || dev == a.Dev || madeOn(e, a.Dev, dev) {
				continue
			}
			if d.Via.IsValid() && a.Prefix.Masked().Contains(d.Via) {
				return []string{fmt.Sprintf("address %s on %s: its network holds %s, the gateway of the host's default route "+
					"over %s; give %s an address of another network", a.Prefix, a.Dev, d.Via, dev, a.Dev)}, nil
			}
			if p, overlaps := overlapsLive(s, a, dev); overlaps {
				overlapping = append(overlapping, fmt.Sprintf("address %s on %s: its network overlaps %s of %s, the host's "+
					"uplink; give %s an address of another network", a.Prefix, a.Dev, p.Prefix, dev, a.Dev))
			}
		}
	}
	return overlapping, nil
}

// madeOn says whether a wanted link is made on another one of the host, or has it for a port: then what is on one is on
// the other.
func madeOn(e *object.Env, dev, below string) bool {
	l := e.Want(object.LinkKey("", dev))
	if g, ok := e.Want(object.LinkKey("", below)).(object.Given); ok && g.IsGiven() {
		if master, ok := g.Onto(); ok && master == object.LinkKey("", dev) {
			return true
		}
	}
	return l != nil && slices.Contains(l.Needs(), object.LinkKey("", below))
}

// overlapsLive finds an address of a live link whose network overlaps that of a wanted one. A network of a single host
// is no more than that: it goes beside others on purpose.
func overlapsLive(s *object.Section, a Address, dev string) (live object.LiveAddress, overlaps bool) {
	if a.Prefix.IsSingleIP() || a.Prefix.Addr().IsLinkLocalUnicast() {
		return live, false
	}
	for _, l := range s.Addresses() {
		if l.Index == s.Known(dev) && !l.Prefix.IsSingleIP() && l.Prefix.Overlaps(a.Prefix) {
			return l, true
		}
	}
	return live, false
}
