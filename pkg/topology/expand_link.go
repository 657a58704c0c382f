package topology

import (
	"net/netip"

	links "github.com/plumbnet/plumb/pkg/link"
	"github.com/plumbnet/plumb/pkg/object"
	"github.com/plumbnet/plumb/pkg/plan"
)

// link adds a bridge or an end of a cable, with every default filled in; lo is not ours to make.
func (x *expansion) link(l *link) {
	if l.kind == "" {
		return
	}
	s := l.section
	o := links.Link{
		NS: s.name, Name: l.name, Ifname: l.name, Type: l.kind, Up: true, MTU: l.mtuOr(), MAC: l.localMAC(x.topology),
		Group: object.Group(x.topology), Alias: object.Alias(x.topology, s.name, l.name),
		Forwarding4: s.linkForwarding(ipv4, object.Forwarding4, l),
		Promote:     true,
	}
	// Below the least MTU of IPv6 the kernel has nothing of IPv6 on a link, no parameters either.
	if o.MTU >= object.MinIPv6MTU {
		o.LinkLocal = s.linkLocal(l, o.MAC)
		o.Forwarding6 = s.linkForwarding(ipv6, object.Forwarding6, l)
	}
	if l.master != nil {
		o.Master = l.master.name
	}
	if l.peer != nil {
		o.Peer = object.Ref(object.LinkKey(l.peer.section.name, l.peer.name).Place())
	}
	o.Spec = links.Veth{}
	if b := l.bridge; b != nil {
		o.Spec = links.Bridge{STP: b.STP, VLANFiltering: b.VLANFiltering, Snooping: b.Snooping}
	}
	if l.master != nil {
		o.Port = links.BridgePort{}
	}
	x.add(o, l.at)
}

// linkForwarding is a link's own forwarding: what is asked for the link, else for new links, else for all.
func (s *section) linkForwarding(family, all string, l *link) bool {
	if v := s.setting(family, "forwarding", l); v != nil {
		return v.value != "0"
	}
	on, _, _ := s.forwarding(all)
	return on
}

// linkLocal is the address that the kernel gives a link by itself; unset where it is told to give another, or none.
func (s *section) linkLocal(l *link, mac object.MAC) plan.Opt[netip.Addr] {
	mode := s.setting(ipv6, "addr_gen_mode", l)
	switch {
	case s.disabled(l) != nil:
		return plan.Opt[netip.Addr]{}
	case mode != nil && mode.value == "1": // IN6_ADDR_GEN_MODE_NONE
		return plan.Some(netip.Addr{})
	case mode != nil && mode.value != "0": // IN6_ADDR_GEN_MODE_EUI64
		return plan.Opt[netip.Addr]{}
	}
	return plan.Some(mac.LinkLocal())
}
