package kinds

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/plumbnet/plumb/pkg/kernel"
	"github.com/plumbnet/plumb/pkg/object"
	"github.com/plumbnet/plumb/pkg/plan"
)

// warnNAT tells of an `out` that names no interface, of a network that nobody holds, and of other tools' chains that
// drop what the topology wants forwarded.
func warnNAT(e *object.Env, o plan.Object) (texts []string, err error) {
	n, ok := o.(NAT)
	s := e.Sections[n.NS]
	if !ok || s == nil {
		return nil, nil // a namespace yet to be made holds nothing that we did not plan
	}
	v4 := n.Subnet.Addr().Is4()
	if n.Out != "" && s.Known(n.Out) == 0 && !e.Wanted(object.LinkKey(n.NS, n.Out)) {
		text := fmt.Sprintf("nat %s: there is no interface %s", n.Key().Place(), n.Out)
		if dev := object.DefaultDev(s, v4); dev != "" {
			text += fmt.Sprintf("; the default route leaves by %s", dev)
		}
		texts = append(texts, text)
	}
	texts = append(texts, n.warnOfNobody(e, s)...)
	dropped, err := warnRouted(e, s, translatedNetworks(e, s, n), n.leaves(s))
	return append(texts, dropped...), err
}

// leaves is the interface that what the entry translates leaves by, as far as that is known.
func (n NAT) leaves(s *object.Section) string {
	if n.Out != "" {
		return n.Out
	}
	return object.DefaultDev(s, n.Subnet.Addr().Is4())
}

// translatedNetworks is the network of an entry, with each link that holds a part of it.
func translatedNetworks(e *object.Env, s *object.Section, n NAT) (list []linkNetwork) {
	for _, l := range slices.Concat(wantedNetworks(e, n.NS), undeclaredNetworks(e, s)) {
		if l.Overlaps(n.Subnet) && l.dev != n.leaves(s) {
			list = append(list, linkNetwork{n.Subnet, l.dev})
		}
	}
	if len(list) == 0 {
		list = append(list, linkNetwork{n.Subnet, ""})
	}
	return list
}

// warnOfNobody tells of a network of the host that nobody holds, and of an `out` that holds it. What the file knows as
// a whole, the file is checked for.
func (n NAT) warnOfNobody(e *object.Env, s *object.Section) []string {
	if n.NS != "" {
		return nil
	}
	holders := holdersOf(slices.Concat(wantedNetworks(e, n.NS), undeclaredNetworks(e, s)), n.Subnet)
	declared := e.Wanted(object.LinkKey(n.NS, n.Out))
	switch routed := liveRouteInto(s, n.Subnet) || wantedInto(e, n.Subnet); {
	case len(holders) == 0 && !routed:
		text := fmt.Sprintf("nat %s: nobody has an address in %s, so nothing is translated", n.Key().Place(), n.Subnet)
		if p, ok := only(wantedNetworks(e, n.NS), n.Subnet, n.Out); ok {
			text += fmt.Sprintf("; write masquerade: %s, the network of %s", p.Prefix, p.dev)
		}
		return []string{text}
	case len(holders) == 1 && holders[0] == n.Out && !declared && !liveRouteInto(s, n.Subnet, n.Out):
		return []string{fmt.Sprintf("nat %s: %s holds %s itself, so what comes from there does not leave by it; "+
			"out is the interface on the far side", n.Key().Place(), n.Out, n.Subnet)}
	}
	return nil
}

// holdersOf lists the links that are in a network which overlaps p.
func holdersOf(networks []linkNetwork, p netip.Prefix) (devs []string) {
	for _, n := range networks {
		if n.Overlaps(p) && !slices.Contains(devs, n.dev) {
			devs = append(devs, n.dev)
		}
	}
	return devs
}

// only is the one network of a family that is not that of a link; ok is false when there are more, or none.
func only(networks []linkNetwork, like netip.Prefix, but string) (is linkNetwork, ok bool) {
	for _, n := range networks {
		if n.Addr().Is4() != like.Addr().Is4() || n.dev == but || n == is {
			continue
		}
		if ok {
			return is, false
		}
		is, ok = n, true
	}
	return is, ok
}

// liveRouteInto says whether a route of the section, other than the default one, leads to a part of p by a link that is
// not one of but.
func liveRouteInto(s *object.Section, p netip.Prefix, but ...string) bool {
	return slices.ContainsFunc(s.Messages(object.RouteDump), func(b []byte) bool {
		m := nl.DeserializeRtMsg(b)
		a := kernel.Attrs(b[m.Len():])
		dst := object.RouteDestination(m, a)
		return m.Type == unix.RTN_UNICAST && dst.Bits() > 0 && dst.Overlaps(p) &&
			!slices.Contains(but, s.LinkName(int(a.U32(unix.RTA_OIF))))
	})
}

// wantedInto says whether a link of the topology has an address in p, or a route leads there.
func wantedInto(e *object.Env, p netip.Prefix) bool {
	return slices.ContainsFunc(e.AllWanted(), func(o plan.Object) bool {
		switch o := o.(type) {
		case Address:
			return o.Prefix.Masked().Overlaps(p)
		case Route:
			return o.NS == "" && o.Dst.Bits() > 0 && o.Dst.Overlaps(p)
		}
		return false
	})
}
