package link

import (
	"net/netip"

	"github.com/plumbnet/plumb/pkg/file"
	"github.com/plumbnet/plumb/pkg/kernel"
	"github.com/plumbnet/plumb/pkg/object"
)

// GRE is the end of a tunnel in IPv4 (RFC 2784, RFC 2890; IFLA_GRE_* of linux/if_tunnel.h).
type GRE struct {
	greEnds    `file:",inline"`
	TTL        uint8 `file:"ttl" plan:"ttl" nl:"8" doc:"time to live; 0: that of what is carried"`
	TOS        uint8 `file:"tos" plan:"tos" nl:"9" doc:"type of service; 1: of what is carried"`
	PMTUDisc   bool  `file:"pmtudisc" plan:"pmtudisc" nl:"10" doc:"forbid routers to fragment the packets"`
	greOptions `file:",inline"`
}

// GRE6 is the end of a tunnel in IPv6.
type GRE6 struct {
	greEnds    `file:",inline"`
	TTL        uint8 `file:"ttl" plan:"ttl" nl:"8" doc:"hop limit of packets; 0: the route's"`
	EncapLimit uint8 `file:"encap-limit" plan:"encap-limit" nl:"11" doc:"tunnels in this one"`
	greOptions `file:",inline"`
}

// greEnds is where the packets of a GRE tunnel travel.
type greEnds struct {
	Local  netip.Addr `file:"local" plan:"local" nl:"6" doc:"source address of the tunnel's packets"`
	Remote netip.Addr `file:"remote" plan:"remote" nl:"7" doc:"address of the other end"`
	way    `file:",inline"`
}

func (g GRE) flow() flow  { return flow{g.Local, g.Remote, g.Dev, g.Underlay, g.Key} }
func (g GRE6) flow() flow { return flow{g.Local, g.Remote, g.Dev, g.Underlay, g.Key} }

func (g GRE) over(u object.SectionRef) Spec  { g.Underlay = u; return g }
func (g GRE6) over(u object.SectionRef) Spec { g.Underlay = u; return g }

var (
	gre       = greType("gre", "a tunnel of IP packets in IPv4 (RFC 2784)", partGRE, newGRE)
	gretap    = ethernet(greType("gretap", "a tunnel of Ethernet frames in IPv4, as of gre", partGRE, newGRE))
	ip6gre    = greType("ip6gre", "a tunnel of IP packets in IPv6, as of gre", partGRE6, newGRE6)
	ip6gretap = ethernet(greType("ip6gretap", "a tunnel of Ethernet frames in IPv6, as of gre", partGRE6, newGRE6))

	partGRE  = kernel.Part{Module: "ip_gre", Option: "NET_IPGRE"}
	partGRE6 = kernel.Part{Module: "ip6_gre", Option: "IPV6_GRE"}
)

func newGRE() Spec { return GRE{PMTUDisc: true} }

// newGRE6 has the hop limit and the encapsulation limit of ip-link(8).
func newGRE6() Spec { return GRE6{TTL: 64, EncapLimit: 4} }

func greType(name, doc string, part kernel.Part, spec func() Spec) Type {
	t := ipTunnel(name, doc, part, spec, greHead)
	t.Check = checkGRE
	t.Fixed = func(want, have Spec) []string {
		fields := fixedOffloads(want, have)
		w, ok := want.(GRE)
		h, also := have.(GRE)
		if ok && also && w.Remote.IsValid() != h.Remote.IsValid() {
			fields = append(fields, "remote") // the link is point-to-point, or not
		}
		return fields
	}
	return t
}

// ethernetHead is the size of the header of a frame (ETH_HLEN of linux/if_ether.h).
const ethernetHead = 14

// ethernet is a tunnel that carries frames.
func ethernet(t Type) Type {
	t.IP, t.Fixed, t.Changed = false, fixedOffloads, nil
	mtu, mtus := t.MTU, t.MTUs
	t.MTU = func(s Spec, below uint32) uint32 { return max(mtu(s, below), ethernetHead) - ethernetHead }
	t.MTUs = func(s Spec) (least, most uint32) {
		least, most = mtus(s)
		return least, most - ethernetHead
	}
	return t
}

// greHead counts the outer header and GRE's own.
func greHead(s Spec) uint32 {
	const four, six, field = 20 + 4, 40 + limitOption + 4, 4 // IPv6 with the option of the encapsulation limit
	head := uint32(four)
	if _, ok := s.(GRE6); ok {
		head = six
	}
	o := optionsOf(s)
	for _, has := range []GREFlag{o.Key.keyed(), o.Checksum, o.Sequence} {
		if has[1] {
			head += field
		}
	}
	return head
}

// checkGRE settles what follows from the key.
func checkGRE(l *object.Iface, at file.Spots) {
	checkTunnel(l, at)
	switch g := l.Spec.(type) {
	case GRE:
		g.Keyed = g.Key.keyed()
		l.Spec = g
	case GRE6:
		g.Keyed = g.Key.keyed()
		l.Spec = g
	}
}

// fixedOffloads names what the kernel decides on a tunnel's offloads by. It does not do so anew, or not both ways
// (net/ipv4/ip_gre.c: ipgre_link_update; net/ipv6/ip6_gre.c: ip6gre_tnl_init_features).
func fixedOffloads(want, have Spec) (fields []string) {
	w, h := optionsOf(want), optionsOf(have)
	if w.Checksum != h.Checksum {
		fields = append(fields, "csum")
	}
	if w.Sequence != h.Sequence {
		fields = append(fields, "seq")
	}
	return fields
}
