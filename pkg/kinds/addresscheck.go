package kinds

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"

	"github.com/plumbnet/plumb/pkg/file"
	"github.com/plumbnet/plumb/pkg/object"
)

// checkAddresses reports addresses that a link cannot have.
func checkAddresses(at *object.At) any {
	l := at.Link
	at.Expect(len(l.Addresses))
	scopeOf := make(map[netip.Prefix]uint8)
	for i, spot := range at.Spots.Items() {
		e := (*at.Form.(*[]AddressEntry))[i]
		checkOptions(at.Sense, e, spot)
		a := e.address(at.Name, l.Name)
		if scope, known := scopeOf[a.subnet()]; known && scope != a.Scope && spot.Good("address") {
			at.Errorf(spot.At(), "%s has another scope than an address of the same network before it", a.Prefix.Addr()).
				Hint = "give all of a network one scope"
		} else if spot.Good("address") {
			scopeOf[a.subnet()] = a.Scope
		}
	}
	if l.IsPort() && len(l.Addresses) > 0 {
		at.Warnf(l.Addresses[0].At, "%s is a port of %s, which takes its frames: its addresses do not work", l, l.Master).
			Hint = "move them to " + l.Master.String()
	}
	for _, a := range l.Addresses {
		if a.V.Addr().Is4() || l.Type == "" {
			continue
		}
		if l.EffectiveMTU() < object.MinIPv6MTU {
			at.Errorf(a.At, "%s on %s: IPv6 needs an MTU of at least %d, and that of the link is %d",
				a.V, l, object.MinIPv6MTU, l.EffectiveMTU()).Hint = l.MTU.At.See()
		}
		if l.Down {
			at.Errorf(a.At, "%s on %s: the link is declared down, and the kernel keeps IPv6 addresses of links that are up",
				a.V, l).Hint = l.Spots.At("up").See()
		}
		if by := l.NoIPv6(); by != nil {
			at.Errorf(a.At, "%s on %s: %s switches IPv6 off there", a.V, l, by.Name).Hint = by.At.See()
		}
		if a.V.Bits() < 127 && a.V == a.V.Masked() {
			at.Warnf(a.At, "%s is the network, which IPv6 takes for the address of any router in it", a.V).
				Hint = file.DidYouMean(netip.PrefixFrom(a.V.Addr().Next(), a.V.Bits()).String())
		}
	}
	return nil
}

// checkOptions reports what an address of its family cannot have.
func checkOptions(s *object.Sense, a AddressEntry, at file.Spots) {
	ip := a.Address.Addr()
	if !at.Good("address") {
		return
	}
	for _, key := range []string{"label", "scope"} {
		if ip.Is6() && at.Given(key) {
			s.Errorf(at.At(key), "%s has a %s, which only IPv4 addresses have", ip, key)
		}
	}
	switch {
	case len(a.Label) > maxLabel:
		s.Errorf(at.At("label"), "label %s is longer than %d bytes", file.Quote(a.Label), maxLabel)
	case at.Given("label") && strings.TrimSpace(a.Label) != a.Label || at.Given("label") && a.Label == "":
		s.Errorf(at.At("label"), "label %s is empty, or has space around it", file.Quote(a.Label))
	case a.Peer.IsValid() && a.Peer.Is4() != ip.Is4():
		s.Errorf(at.At("peer"), "%s and its peer %s are of different families", ip, a.Peer)
	case a.Peer.IsValid() && (a.Peer == ip || a.Peer.IsUnspecified() || a.Peer.IsMulticast()):
		s.Errorf(at.At("peer"), "%s is no other host", a.Peer)
	}
}

// maxLabel is IFNAMSIZ less the closing zero.
const maxLabel = 15

// claim is an address of a link, as a stake in its subnet.
type claim struct {
	address file.Value[netip.Prefix]
	link    *object.Iface
	// network is the one that the address leads to; not valid for none.
	network netip.Prefix
}

func (c claim) subnet() netip.Prefix { return c.network }

// addressesAcross checks the addresses of each section against each other, and those of all sections.
func addressesAcross(n *object.Network) {
	for _, s := range n.Sections {
		ownAddresses(s)
	}
	foreignAddresses(n)
}

// alone says whether the address is one of no network: it can be on many links, each with routes of its own.
func (c claim) alone() bool { return c.address.V.IsSingleIP() }

// ownAddresses enters the addresses of a section, and reports those that it has twice, or in networks that overlap.
func ownAddresses(s *object.Sense) {
	var claims []claim
	first := make(map[object.OwnAddress]claim)
	for _, l := range s.Links {
		here := make(map[netip.Addr]claim, len(l.Addresses))
		for i, a := range l.Addresses {
			c := claim{a, l, l.Networks[i]}
			local := a.V.Addr().IsLinkLocalUnicast()
			if !repeated(c, here, first) && c.network.IsValid() && l.Type != "" && !local && !c.alone() {
				claims = append(claims, c)
			}
		}
	}
	s.Subnets = object.NewSubnets(s.Links)
	of := func(c claim) domain { return domain{s, c.link.Table} }
	sweep(claims, of, func(a, b claim) bool { return a.link != b.link }, func(a, b claim) {
		s.Clash(file.Warning, a.address.At, b.address.At, "%s on %s and %s on %s overlap",
			a.address.V, a.link, b.address.V, b.link).Hint = leavesByOne
	})
}

const leavesByOne = "what is in both is reached by one link only: use different networks, or /32 or /128 and routes"

// repeated enters an address of a section, and reports one that the link or another one of the section has already:
// here has those of the link, and first those of all. Link-local addresses may be on several links, since they mean
// something on their own link only, and so may those of no network.
func repeated(c claim, here map[netip.Addr]claim, first map[object.OwnAddress]claim) bool {
	l, a := c.link, c.address
	s, ip := l.Section, a.V.Addr()
	key := object.OwnAddress{Addr: ip, Table: l.Table}
	if ip.Is6() && ip.IsLinkLocalUnicast() {
		if l.Type != "" && ip == l.EffectiveMAC().LinkLocal() {
			s.Errorf(a.At, "%s is the link-local address that the kernel gives %s by itself", ip, l).Hint = "leave it out"
			return true
		}
		key.Addr = ip.WithZone(l.Name)
	}
	if o, twice := here[ip]; twice {
		s.Clash(file.Error, a.At, o.address.At, "address %s is given twice %s", ip, s.Where())
		return true
	}
	here[ip] = c
	o, again := first[key]
	if !again || o.alone() {
		first[key] = c
	}
	if !again {
		s.Own[key] = a
	}
	if !again || o.alone() || c.alone() {
		return false
	}
	s.Clash(file.Warning, a.At, o.address.At, "address %s is on two links %s, %s and %s", ip, s.Where(), o.link, l).
		Hint = leavesByOne
	return true
}

// foreignAddresses warns of what is odd across namespaces: a network that is on two segments, and an address that two
// namespaces have. People do both on purpose, in labs that never meet, and on either side of a VRF.
func foreignAddresses(n *object.Network) {
	type part struct {
		segment *object.Segment
		subnet  netip.Prefix
	}
	domains := domainsOf(n)
	type addressIn struct {
		netip.Addr
		domain
	}
	first := map[addressIn]claim{}
	parts := map[part]bool{}
	var claims []claim
	add := func(l *object.Iface, a file.Value[netip.Prefix], network netip.Prefix) {
		ip := a.V.Addr()
		if ip.IsLinkLocalUnicast() || ip.IsLoopback() {
			return
		}
		c := claim{a, l, network}
		if c.alone() {
			return // people give one to several on purpose: anycast, unnumbered links
		}
		in := addressIn{ip, domains[l.Segment()]}
		o, again := first[in]
		if again && o.link.Section != l.Section {
			n.Clash(file.Warning, a.At, o.address.At, "address %s is used twice: on %s and on %s", ip, l, o.link)
		} else if !again {
			first[in] = c
		}
		// One address speaks for its segment: that a network is on two of them need not be said for each.
		if p := (part{l.Segment(), network}); l.Type != "" && network.IsValid() && !parts[p] {
			parts[p] = true
			if !again {
				claims = append(claims, c)
			}
		}
	}
	for _, s := range n.Sections {
		for _, l := range s.Links {
			for i, a := range l.Addresses {
				add(l, a, l.Networks[i])
			}
		}
	}
	of := func(c claim) domain { return domains[c.link.Segment()] }
	sweep(claims, of, func(a, b claim) bool { return a.link.Segment() != b.link.Segment() }, func(a, b claim) {
		if a.link.Section != b.link.Section {
			n.Clash(file.Warning, a.address.At, b.address.At, "%s on %s and %s on %s overlap, and no cable joins them",
				a.address.V, a.link, b.address.V, b.link)
		}
	})
}

// sweep reports conflicts of claims of the same domain.
func sweep(claims []claim, of func(claim) domain, conflict func(a, b claim) bool, report func(a, b claim)) {
	var order []domain
	in := make(map[domain][]claim)
	for _, c := range claims {
		d := of(c)
		if in[d] == nil {
			order = append(order, d)
		}
		in[d] = append(in[d], c)
	}
	for _, d := range order {
		sweepOne(in[d], conflict, report)
	}
}

// sweepOne reports, for each claim, one that came before it in order, in the same or a wider subnet, and that conflicts
// with it. It walks the subnets in order, with those around the current one on a stack, and so takes little more time
// than sorting does. Of each subnet it keeps two claims of different links, for whatever conflicts with one.
func sweepOne(claims []claim, conflict func(a, b claim) bool, report func(a, b claim)) {
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

// domain is a VRF of a section; zero for none.
type domain struct {
	section *object.Sense
	table   uint32
}

// domainsOf tells which segments are those of a VRF's ports: networks may be the same there as elsewhere.
func domainsOf(n *object.Network) map[*object.Segment]domain {
	domains := make(map[*object.Segment]domain)
	for _, s := range n.Sections {
		for _, l := range s.Links {
			if l.Table != 0 {
				domains[l.Segment()] = domain{s, l.Table}
			}
		}
	}
	return domains
}
