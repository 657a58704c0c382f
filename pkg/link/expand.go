package link

import (
	"net/netip"
	"slices"

	"github.com/plumbnet/plumb/pkg/object"
	"github.com/plumbnet/plumb/pkg/plan"
)

// objects makes the objects of all links, however they are declared.
func objects() object.Form {
	return object.Form{
		On: object.OnSection, Ordered: true, // by name
		Check: func(at *object.At) any {
			at.Expect(len(at.Links))
			return nil
		},
		Expand: func(at *object.At, x *object.Expansion) {
			for _, l := range at.Links {
				if l.Type != "" { // lo is not ours to make
					x.Add(onlyDeclared(l, fromFile(l)), l.At)
				}
			}
		},
	}
}

// fromFile is the link with every default filled in.
func fromFile(l *object.Iface) Link {
	ns, topology := l.Section.Name, l.Section.Topology
	o := Link{
		NS: ns, Name: l.Name, Ifname: l.Name, Type: l.Type, Up: !l.Down, MTU: l.EffectiveMTU(), MAC: l.EffectiveMAC(),
		Group: object.Group(topology), Alias: object.Alias(topology, ns, l.Name),
		Forwarding4: l.Forwards(object.IPv4, object.Forwarding4), Promote: true, Spec: l.Spec,
		Dynamic: l.Dynamic,
	}
	if typeOf(l.Type).AliasTells {
		o.Alias = object.AliasOver(o.Alias, typeOf(l.Type).Underlay(l.Spec))
	}
	o.common(l)
	// Below the least MTU of IPv6 the kernel has nothing of IPv6 on a link, no parameters either.
	if o.MTU >= object.MinIPv6MTU {
		o.Forwarding6 = l.Forwards(object.IPv6, object.Forwarding6)
		if typeOf(o.Type).MTUCopied && l.Setting(object.IPv6, "mtu") == nil {
			o.MTU6 = plan.Some(o.MTU)
		}
		if v, ok := l.AcceptRA(); ok {
			o.AcceptRA = plan.Some(v)
		}
		if o.hasOwnMAC() && o.Up {
			o.LinkLocal = linkLocal(l, o.MAC)
		}
	}
	if (len(o.below()) > len(l.Below) || slices.ContainsFunc(l.Below, untold)) && !l.MTU.Good() {
		o.MTU = 0 // what a link leaves that the file does not know: see [Settle]
	}
	if t := typeOf(l.Type); o.Spec == nil && t.New != nil { // a link that another one makes
		o.Spec = t.New()
	}
	if typeOf(l.Type).NoLinkLocal {
		o.LinkLocal = plan.Some(netip.Addr{})
	}
	if m := l.Master; m != nil {
		o.Master = m.Name
		if ports := typeOf(m.Type).Ports; ports != nil {
			o.Port = ports.Declared(l)
		}
		if o.enslaves().NoLinkLocal {
			o.LinkLocal = plan.Some(netip.Addr{})
		}
	}
	if l.Peer != nil {
		o.Peer = object.Ref(object.LinkKey(l.Peer.Section.Name, l.Peer.Name).Place())
	}
	return o
}

// linkLocal is the address that the kernel gives a link by itself; unset where it is told to give another, or none.
func linkLocal(l *object.Iface, mac object.MAC) plan.Opt[netip.Addr] {
	mode := l.Setting(object.IPv6, "addr_gen_mode")
	if mode == nil {
		mode = l.Section.Conf(object.IPv6, "all", "addr_gen_mode") // which the kernel copies to each link
	}
	switch {
	case l.NoIPv6() != nil:
		return plan.Opt[netip.Addr]{}
	case mode != nil && mode.Value.V == "1": // IN6_ADDR_GEN_MODE_NONE
		return plan.Some(netip.Addr{})
	case mode != nil && mode.Value.V != "0": // IN6_ADDR_GEN_MODE_EUI64
		return plan.Opt[netip.Addr]{}
	}
	return plan.Some(mac.LinkLocal())
}
