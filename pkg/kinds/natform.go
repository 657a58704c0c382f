package kinds

import (
	"net/netip"
	"slices"

	"github.com/plumbnet/plumb/pkg/file"
	"github.com/plumbnet/plumb/pkg/object"
)

// NATEntry is an entry of a section's nat list: what comes from the subnet leaves with the address of the interface
// that it leaves by.
type NATEntry struct {
	Subnet netip.Prefix  `file:"masquerade,required" missing:"as {masquerade: 192.168.10.0/24, out: eth0}" doc:"network"`
	Out    object.Ifname `file:"out" doc:"interface to leave by; left out, any that does not hold the network"`
}

// natForm is a section's address translation.
func natForm() object.Form {
	return object.Form{
		On: object.OnSection,
		Part: file.Part{
			Key: "nat", Item: "a nat entry", Doc: "networks hidden behind an address",
			Also: "masquerade|snat=nat: [{masquerade: NETWORK}]",
			New:  func() any { return new([]NATEntry) },
		},
		Enter: enterNAT, Check: checkNAT, Expand: expandNAT,
	}
}

// unreadable reports whether an entry can't be judged.
func (NATEntry) unreadable(at file.Spots) bool {
	return at.Strange() || !at.Good("masquerade") || at.State("out") == file.Bad
}

// enterNAT enters the forwarding that the entries need.
func enterNAT(at *object.At) {
	if at.Name == "" && at.Spots.State() != file.Absent {
		at.Reach(object.BeyondNAT, at.Spots.Key())
	}
	list := *at.Form.(*[]NATEntry)
	for i, spot := range at.Spots.Items() {
		if e := list[i]; !e.unreadable(spot) {
			at.NeedForwarding(e.Subnet, spot.At())
		}
	}
}

func checkNAT(at *object.At) any {
	list := *at.Form.(*[]NATEntry)
	at.Expect(len(list))
	first := map[NATEntry]file.Span{}
	for i, spot := range at.Spots.Items() {
		e := list[i]
		if e.unreadable(spot) {
			continue
		}
		if first, twice := first[e]; twice {
			at.Errorf(spot.At(), "this nat entry is given twice, first on line %d", first.Line)
			continue
		}
		first[e] = spot.At()
		if v := at.Sysctl(object.ForwardingOf(e.Subnet)); v != nil && v.Value.V == "0" {
			at.Errorf(spot.At(), "nat needs forwarding, and %s is 0", v.Name).Hint = v.At.See()
		}
		if spot.Given("out") {
			at.Has(string(e.Out), spot.At("out"))
		}
		if at.Whole() {
			e.holders(at, spot)
		}
	}
	return nil
}

func expandNAT(at *object.At, x *object.Expansion) {
	list := *at.Form.(*[]NATEntry)
	for i, spot := range at.Spots.Items() {
		e := list[i]
		x.Add(Masquerade(at.Name, e.Subnet, string(e.Out), at.Subnets.Touching(e.Subnet), e.within(at)...), spot.At())
	}
}

// within lists the networks of links that packets of the entry may leave by, as far as the file declares them. Without
// out, they leave by no link that is in a part of the network: its name is excepted.
func (e NATEntry) within(at *object.At) (list []netip.Prefix) {
	if e.Out == "" {
		return at.Subnets.Over(e.Subnet)
	}
	if l, ok := at.Sense.Link(string(e.Out)); ok {
		for _, a := range l.Addresses {
			list = append(list, a.V)
		}
	}
	return list
}

// holders warns of a network that nobody holds, and of an out that holds it. What a host holds beside the file only the
// live host tells.
func (e NATEntry) holders(at *object.At, spot file.Spots) {
	holders := at.Subnets.Touching(e.Subnet)
	switch {
	case !at.Foreign() && len(holders) == 0 && !held(at.Network, e.Subnet) && !at.Doubts(e.Subnet.Addr()) &&
		!routeInto(at.Sense, e.Subnet):
		at.Warnf(spot.At("masquerade"), "nobody has an address in %s, so nothing is translated", e.Subnet).
			Hint = e.meant(at)
	case at.Foreign() && len(at.Subnets.Over(e.Subnet)) == 0: // others may hold the rest
	case len(holders) == 1 && holders[0] == string(e.Out) && !routeInto(at.Sense, e.Subnet, string(e.Out)):
		at.Warnf(spot.At("out"), "%s holds %s itself, so what comes from there does not leave by it", e.Out, e.Subnet).
			Hint = "out is the interface on the far side"
	}
}

// meant is the network that was likely meant: the only one of its family in the section, but for those of out.
func (e NATEntry) meant(at *object.At) string {
	var networks []linkNetwork
	for _, l := range at.Links {
		for _, a := range l.Addresses {
			if l.Type != "" && !a.V.IsSingleIP() && !a.V.Addr().IsLinkLocalUnicast() {
				networks = append(networks, linkNetwork{a.V.Masked(), l.Name})
			}
		}
	}
	if p, ok := only(networks, e.Subnet, string(e.Out)); ok {
		return file.DidYouMean(p.String())
	}
	return ""
}

// routeInto says whether a route of the section leads to a part of p, by a link that is not one of but.
func routeInto(s *object.Sense, p netip.Prefix, but ...string) bool {
	routes := routesOf(s)
	return routes != nil && slices.ContainsFunc(routes.list, func(r resolvedRoute) bool {
		return r.Dst.Bits() > 0 && r.Dst.Overlaps(p) && !slices.Contains(but, r.Dev.V)
	})
}

// held says whether a link of the file has an address in a network.
func held(n *object.Network, p netip.Prefix) bool {
	for _, s := range n.Sections {
		for _, l := range s.Links {
			for _, a := range l.Addresses {
				if a.V.Masked().Overlaps(p) {
					return true
				}
			}
		}
	}
	return false
}
