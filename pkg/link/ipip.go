package link

import (
	"net/netip"

	"github.com/plumbnet/plumb/pkg/file"
	"github.com/plumbnet/plumb/pkg/kernel"
	"github.com/plumbnet/plumb/pkg/object"
)

// IPIP is the end of a tunnel in IPv4 that puts a header before the packet and nothing else (RFC 2003; IFLA_IPTUN_* of
// linux/if_tunnel.h).
type IPIP struct {
	ipEnds  `file:",inline"`
	header4 `file:",inline"`
	Mode    string `file:"mode,enum=ipip|any" plan:"mode,fixed" nl:"9,u8,values=4|0" doc:"contents"`
}

// SIT is the end of a tunnel that carries IPv6 in IPv4 (RFC 4213).
type SIT struct {
	ipEnds  `file:",inline"`
	header4 `file:",inline"`
	Mode    string `file:"mode,enum=ip6ip|ipip|any" plan:"mode,fixed" nl:"9,u8,values=41|4|0" doc:"contents"`
}

// IP6Tunnel is the end of a tunnel in IPv6 (RFC 2473).
type IP6Tunnel struct {
	ipEnds     `file:",inline"`
	TTL        uint8  `file:"ttl" plan:"ttl" nl:"4" doc:"hop limit of packets; 0: the route's"`
	EncapLimit uint8  `file:"encap-limit" plan:"encap-limit" nl:"6" doc:"tunnels in this one"`
	Mode       string `file:"mode,enum=any|ip6ip6|ipip6" plan:"mode" nl:"9,u8,values=0|41|4" doc:"contents"`
}

// ipEnds is where the packets of such a tunnel travel.
type ipEnds struct {
	Local  netip.Addr `file:"local" plan:"local" nl:"2" doc:"source address of the tunnel's packets"`
	Remote netip.Addr `file:"remote,required" plan:"remote" nl:"3" doc:"address of the other end"`
	way    `file:",inline"`
}

// header4 is what the header of IPv4 that a tunnel puts before a packet says.
type header4 struct {
	TTL      uint8 `file:"ttl" plan:"ttl" nl:"4" doc:"time to live; 0: that of what is carried"`
	TOS      uint8 `file:"tos" plan:"tos" nl:"5" doc:"type of service; 1: of what is carried"`
	PMTUDisc bool  `file:"pmtudisc" plan:"pmtudisc" nl:"10" doc:"forbid routers to fragment the packets"`
}

// newHeader4 is what it says where the file does not.
var newHeader4 = header4{PMTUDisc: true}

func (e ipEnds) flow() flow { return flow{e.Local, e.Remote, e.Dev, e.Underlay, GREKey{}} }

func (t IPIP) over(u object.SectionRef) Spec      { t.Underlay = u; return t }
func (t SIT) over(u object.SectionRef) Spec       { t.Underlay = u; return t }
func (t IP6Tunnel) over(u object.SectionRef) Spec { t.Underlay = u; return t }

// Outer headers in bytes: IPv4's, and IPv6's with the option of the encapsulation limit.
const (
	head4 = 20
	head6 = 40 + limitOption
)

var (
	ipip = ttlTunnel(ipTunnel("ipip", "a tunnel of IPv4 packets in IPv4 (RFC 2003)",
		kernel.Part{Module: "ipip", Option: "NET_IPIP"},
		func() Spec { return IPIP{header4: newHeader4, Mode: "ipip"} }, func(Spec) uint32 { return head4 }))
	sit = withMTUs(mtusOfSIT, ttlTunnel(ipTunnel("sit", "a tunnel of IPv6 packets in IPv4 (RFC 4213)",
		kernel.Part{Module: "sit", Option: "IPV6_SIT"},
		func() Spec { return SIT{header4: newHeader4, Mode: "ip6ip"} }, func(Spec) uint32 { return head4 })))
	ip6tnl = withMTUs(mtusOfIP6, ipTunnel("ip6tnl", "a tunnel of IP packets in IPv6 (RFC 2473)",
		kernel.Part{Module: "ip6_tunnel", Option: "IPV6_TUNNEL"},
		func() Spec { return IP6Tunnel{TTL: 64, EncapLimit: 4, Mode: "any"} }, func(Spec) uint32 { return head6 }))
)

func withMTUs(mtus func(Spec) (least, most uint32), t Type) Type {
	t.MTUs = mtus
	return t
}

// mtusOfSIT are those of what carries IPv6 (net/ipv6/sit.c: ipip6_tunnel_setup).
func mtusOfSIT(Spec) (least, most uint32) { return object.MinIPv6MTU, object.MaxMTU }

// mtusOfIP6 leave room for the header where all that is carried is IPv4 (net/ipv6/ip6_tunnel.c: ip6_tnl_change_mtu).
func mtusOfIP6(s Spec) (least, most uint32) {
	if s.(IP6Tunnel).Mode == "ipip6" {
		return object.MinMTU, object.MaxMTU - (head6 - limitOption)
	}
	return object.MinMTU, object.MaxMTU
}

// ttlTunnel is a tunnel of which packets with a time to live of their own are never fragmented by routers
// (net/ipv4/ipip.c: ipip_netlink_parms).
func ttlTunnel(t Type) Type {
	t.Check = func(l *object.Iface, at file.Spots) {
		var h header4
		switch s := l.Spec.(type) {
		case IPIP:
			h = s.header4
		case SIT:
			h = s.header4
		}
		if h.TTL != 0 && !h.PMTUDisc {
			l.Section.Clash(file.Error, at.At("pmtudisc"), at.At("ttl"), "%s has pmtudisc false, and a ttl, with which the "+
				"kernel sets it", l)
		}
		checkTunnel(l, at)
	}
	return t
}
