package kinds

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/plumbnet/plumb/pkg/file"
	"github.com/plumbnet/plumb/pkg/link"
	"github.com/plumbnet/plumb/pkg/object"
	"github.com/plumbnet/plumb/pkg/plan"
)

// gatewayAt is a gateway that a route names, with the link that it is reached over.
type gatewayAt struct {
	netip.Addr
	dev string
	at  file.Span
}

// sectionRoutes is what the check of a section's routes found.
type sectionRoutes struct {
	list []resolvedRoute
	by   *leads
}

// routesOf finds the checked routes of a section.
func routesOf(s *object.Sense) *sectionRoutes { return checkedOf[*sectionRoutes](s) }

// checkedOf finds what the check of a form of a section returned, by its type.
func checkedOf[T any](s *object.Sense) (found T) {
	for _, f := range s.Forms {
		if v, ok := f.Checked.(T); ok {
			return v
		}
	}
	return found
}

// routesAcross warns of gateways that do not answer or forward, and of cables between different networks. A file with
// errors is not judged: what is missing may be what is wrong.
func routesAcross(n *object.Network) {
	if n.HasErrors() {
		return
	}
	w := wires{n, make(map[*object.Segment][]*object.Iface), make(map[gatewayOn]holder), make(map[any]bool)}
	for _, s := range n.Sections {
		for _, l := range s.Links {
			w.links[l.Segment()] = append(w.links[l.Segment()], l)
		}
	}
	for _, s := range n.Sections {
		routes := routesOf(s)
		for i := range routes.list {
			r := &routes.list[i]
			for _, g := range r.gateways {
				w.gateway(s, &r.Route, g)
			}
		}
	}
	cableEnds(n)
}

// wires are the links of a network by their segments, with what was found out and said of gateways.
type wires struct {
	*object.Network
	links   map[*object.Segment][]*object.Iface
	holders map[gatewayOn]holder
	said    map[any]bool
}

// gatewayOn is a gateway on a segment.
type gatewayOn struct {
	segment *object.Segment
	gateway netip.Addr
}

// holder is the link that answers for a gateway, nil for none. Doubt says that more than the file tells may answer.
type holder struct {
	link  *object.Iface
	doubt bool
}

// gateway warns of a gateway that nobody has on its segment, as far as the file knows all that is there, and of one
// whose holder forwards nothing.
func (w wires) gateway(s *object.Sense, r *Route, g gatewayAt) {
	l, ok := s.Link(g.dev)
	if !ok || l.Type == "" {
		return
	}
	on := gatewayOn{l.Segment(), g.Addr}
	h, known := w.holders[on]
	if !known {
		h = holderOf(w.links[on.segment], g.Addr)
		w.holders[on] = h
	}
	switch {
	case h.doubt:
	case h.link == nil:
		w.nobody(s, r, g, l)
	case !forwards(h.link, g.Addr):
		w.notForwarding(s, r, g, h.link)
	}
}

// once says whether something was not said yet.
func (w wires) once(what any) bool {
	said := w.said[what]
	w.said[what] = true
	return !said
}

// holderOf finds the link that answers for an address on a segment, best one that forwards. Linux answers in IPv4 for
// all addresses of a section on each of its links.
func holderOf(links []*object.Iface, a netip.Addr) (h holder) {
	for _, l := range links {
		s := l.Section
		switch {
		case l.IsPort():
			continue
		case l.Dynamic, s.Doubts(a), answersForOthers(l, a):
			return holder{doubt: true}
		}
		has := slices.ContainsFunc(l.Addresses, func(has file.Value[netip.Prefix]) bool { return has.V.Addr() == a })
		derived := a.Is6() && a.IsLinkLocalUnicast() && a == l.EffectiveMAC().LinkLocal()
		if (has || derived || a.Is4() && s.Holds(a, "", l.RouteTable())) && (h.link == nil || forwards(l, a)) {
			h.link = l
		}
	}
	return h
}

// answersForOthers says whether a link does proxy ARP, or what IPv6 has for that.
func answersForOthers(l *object.Iface, a netip.Addr) bool {
	family, key := object.IPv4, "proxy_arp"
	if a.Is6() {
		family, key = object.IPv6, "proxy_ndp"
	}
	for _, v := range []*object.Setting{l.Setting(family, key), l.Section.Conf(family, "all", key)} {
		if v != nil && v.Value.V != "0" {
			return true
		}
	}
	return false
}

// forwards says whether what comes in by a link is forwarded.
func forwards(l *object.Iface, a netip.Addr) bool {
	if a.Is4() {
		return l.Forwards(object.IPv4, object.Forwarding4)
	}
	return l.Forwards(object.IPv6, object.Forwarding6)
}

// leadsOn says whether the section that has a gateway is on other segments too, so that packets can go further.
func leadsOn(holder *object.Iface) bool {
	return slices.ContainsFunc(holder.Section.Links, func(l *object.Iface) bool {
		return l.Type != "" && !l.IsPort() && l.Segment() != holder.Segment()
	})
}

// notForwarding warns of a gateway that keeps what it gets: once for each section and family. Of the host only the live
// host tells that.
func (w wires) notForwarding(s *object.Sense, r *Route, g gatewayAt, holder *object.Iface) {
	family, key := "IPv4", object.Forwarding4
	if g.Is6() {
		family, key = "IPv6", object.Forwarding6
	}
	on := holder.Section
	arrives := r.Dst.IsSingleIP() && on.Holds(r.Dst.Addr(), holder.Name, holder.RouteTable())
	if !on.Foreign() && !arrives && leadsOn(holder) && w.once([2]any{on, family}) {
		s.Warnf(g.at, "the gateway %s, on %s, does not forward %s: packets for %s get no further",
			g.Addr, holder, family, r.goal()).
			Hint = fmt.Sprintf("%s, set sysctls: {%s: 1}", on.Where(), key)
	}
}

// goal is the destination as people say it.
func (r Route) goal() string {
	if r.Dst.Bits() == 0 {
		return "other networks"
	}
	return r.Dst.String()
}

// nobody warns that there is no such gateway, once: now where the segment is closed, else when it is seen that no
// others are on the bridges of the host that belong to it.
func (w wires) nobody(s *object.Sense, r *Route, g gatewayAt, from *object.Iface) {
	var bridges []string
	hint := "add the address to the router"
	for _, l := range w.links[from.Segment()] {
		switch {
		case link.Open(l), l.Type == link.TypeBridge && l.Section.Attach != "": // others may be there
			return
		case l.Type == link.TypeBridge && l.Section.Name == "":
			bridges = append(bridges, l.Name)
		}
		for _, a := range l.Addresses {
			if l.Section != s && !l.IsPort() && sameNetwork(from, a.V, g.Addr) {
				hint = fmt.Sprintf("%s has %s; or add the address to the router", l, a.V.Addr())
			}
		}
	}
	if !w.once(gatewayOn{from.Segment(), g.Addr}) {
		return
	}
	text := fmt.Sprintf("nobody on the segment of %s has the gateway %s: packets for %s get no further",
		from, g.Addr, r.goal())
	if len(bridges) == 0 {
		s.Warnf(g.at, "%s", text).Hint = hint
		return
	}
	if s.Name == "" {
		return // the host's own bridge, on which a guest may come to be
	}
	r.Doubt = Doubt{Bridges: strings.Join(bridges, " "), Text: text + "; " + hint}
}

// sameNetwork says whether an address is in a network of a link that a gateway is in too.
func sameNetwork(l *object.Iface, a netip.Prefix, gateway netip.Addr) bool {
	return slices.ContainsFunc(l.Addresses, func(own file.Value[netip.Prefix]) bool {
		return own.V.Contains(a.Addr()) && own.V.Contains(gateway)
	})
}

// Doubt is what diff and apply say of a route's gateway, unless links of others are on some bridges of the host.
type Doubt struct{ Text, Bridges string }

// warnUse tells of a gateway that nobody has, and of a table of the host that no rule looks up.
func warnUse(e *object.Env, o plan.Object) (texts []string, err error) {
	r, ok := o.(Route)
	if !ok {
		return nil, object.WrongType(KindRoute, o)
	}
	if r.Doubt.Text != "" && !othersOn(e, strings.Fields(r.Doubt.Bridges)) {
		texts = append(texts, fmt.Sprintf("%s: %s", r.Key().Label(), r.Doubt.Text))
	}
	if r.NS != "" || lookedUpByKernel(r.Table) {
		return texts, nil
	}
	looked, err := looksUp(e, r)
	if err == nil && !looked {
		texts = append(texts, fmt.Sprintf("%s: %s: %s", r.Key().Label(), neverLookedUp(r), ruleFor(r.Table)))
	}
	return texts, err
}

// warnOfRoute tells all that is to be said of a route.
func warnOfRoute(e *object.Env, o plan.Object) ([]string, error) {
	texts, err := warnRoute(e, o)
	more, failed := warnUse(e, o)
	return append(texts, more...), errors.Join(err, failed)
}

// othersOn says whether links that plumb did not make are ports of bridges of the host, or made on them.
func othersOn(e *object.Env, bridges []string) bool {
	s := e.Sections[""]
	return slices.ContainsFunc(s.Links, func(l object.LiveLink) bool {
		return l.Class != plan.Ours && slices.ContainsFunc(bridges, func(name string) bool {
			index := s.Known(name)
			return index != 0 && (l.Master == index || l.Lower == index && l.LowerNSID < 0)
		})
	})
}
