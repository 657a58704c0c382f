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
	Local    netip.Addr        `file:"local" plan:"local" nl:"2" doc:"source address of the tunnel's packets"`
	Remote   netip.Addr        `file:"remote,required" plan:"remote" nl:"3" doc:"address of the other end"`
	Dev      object.Ref        `file:"dev" plan:"dev" nl:"1" doc:"the link that packets leave by"`
	Underlay object.SectionRef `file:"underlay" plan:"underlay,fixed" doc:"section that packets travel in"`
	TTL      uint8             `file:"ttl" plan:"ttl" nl:"4" doc:"time to live; 0: that of what is carried"`
	TOS      uint8             `file:"tos" plan:"tos" nl:"5" doc:"type of service; 1: of what is carried"`
	PMTUDisc bool              `file:"pmtudisc" plan:"pmtudisc" nl:"10" doc:"forbid routers to fragment the packets"`
	Mode     string            `file:"mode,enum=ipip|any" plan:"mode,fixed" nl:"9,u8,values=4|0" doc:"contents"`
}

func (t IPIP) flow() flow                    { return flow{t.Local, t.Remote, t.Dev, t.Underlay, GREKey{}} }
func (t IPIP) over(u object.SectionRef) Spec { t.Underlay = u; return t }

// SIT is the end of a tunnel that carries IPv6 in IPv4 (RFC 4213).
type SIT struct {
	Local    netip.Addr        `file:"local" plan:"local" nl:"2" doc:"source address of the tunnel's packets"`
	Remote   netip.Addr        `file:"remote,required" plan:"remote" nl:"3" doc:"address of the other end"`
	Dev      object.Ref        `file:"dev" plan:"dev" nl:"1" doc:"the link that packets leave by"`
	Underlay object.SectionRef `file:"underlay" plan:"underlay,fixed" doc:"section that packets travel in"`
	TTL      uint8             `file:"ttl" plan:"ttl" nl:"4" doc:"time to live; 0: that of what is carried"`
	TOS      uint8             `file:"tos" plan:"tos" nl:"5" doc:"type of service; 1: of what is carried"`
	PMTUDisc bool              `file:"pmtudisc" plan:"pmtudisc" nl:"10" doc:"forbid routers to fragment the packets"`
	Mode     string            `file:"mode,enum=ip6ip|ipip|any" plan:"mode,fixed" nl:"9,u8,values=41|4|0" doc:"contents"`
}

func (t SIT) flow() flow                    { return flow{t.Local, t.Remote, t.Dev, t.Underlay, GREKey{}} }
func (t SIT) over(u object.SectionRef) Spec { t.Underlay = u; return t }

// IP6Tunnel is the end of a tunnel in IPv6 (RFC 2473).
type IP6Tunnel struct {
	Local      netip.Addr        `file:"local" plan:"local" nl:"2" doc:"source address of the tunnel's packets"`
	Remote     netip.Addr        `file:"remote,required" plan:"remote" nl:"3" doc:"address of the other end"`
	Dev        object.Ref        `file:"dev" plan:"dev" nl:"1" doc:"the link that packets leave by"`
	Underlay   object.SectionRef `file:"underlay" plan:"underlay,fixed" doc:"section that packets travel in"`
	TTL        uint8             `file:"ttl" plan:"ttl" nl:"4" doc:"hop limit of packets; 0: the route's"`
	EncapLimit uint8             `file:"encap-limit" plan:"encap-limit" nl:"6" doc:"tunnels in this one"`
	Mode       string            `file:"mode,enum=any|ip6ip6|ipip6" plan:"mode" nl:"9,u8,values=0|41|4" doc:"contents"`
}

func (t IP6Tunnel) flow() flow                    { return flow{t.Local, t.Remote, t.Dev, t.Underlay, GREKey{}} }
func (t IP6Tunnel) over(u object.SectionRef) Spec { t.Underlay = u; return t }

// Outer headers in bytes: IPv4's, and IPv6's with the option of the encapsulation limit.
const (
	head4 = 20
	head6 = 40 + 8
)

var (
	ipip = ttlTunnel(ipTunnel("ipip", "a tunnel of IPv4 packets in IPv4 (RFC 2003)",
		kernel.Part{Module: "ipip", Option: "NET_IPIP"},
		func() Spec { return IPIP{PMTUDisc: true, Mode: "ipip"} }, func(Spec) uint32 { return head4 }))
	sit = ttlTunnel(ipTunnel("sit", "a tunnel of IPv6 packets in IPv4 (RFC 4213)",
		kernel.Part{Module: "sit", Option: "IPV6_SIT"},
		func() Spec { return SIT{PMTUDisc: true, Mode: "ip6ip"} }, func(Spec) uint32 { return head4 }))
	ip6tnl = ipTunnel("ip6tnl", "a tunnel of IP packets in IPv6 (RFC 2473)",
		kernel.Part{Module: "ip6_tunnel", Option: "IPV6_TUNNEL"},
		func() Spec { return IP6Tunnel{TTL: 64, EncapLimit: 4, Mode: "any"} }, func(Spec) uint32 { return head6 })
)

// ttlTunnel is a tunnel of which packets with a time to live of their own are never fragmented by routers
// (net/ipv4/ipip.c: ipip_netlink_parms).
func ttlTunnel(t Type) Type {
	t.Check = func(l *object.Iface, at file.Spots) {
		ttl, pmtudisc := uint8(0), true
		switch s := l.Spec.(type) {
		case IPIP:
			ttl, pmtudisc = s.TTL, s.PMTUDisc
		case SIT:
			ttl, pmtudisc = s.TTL, s.PMTUDisc
		}
		if ttl != 0 && !pmtudisc {
			l.Section.Clash(file.Error, at.At("pmtudisc"), at.At("ttl"), "%s has pmtudisc false, and a ttl, with which the "+
				"kernel sets it", l)
		}
		checkTunnel(l, at)
	}
	return t
}
