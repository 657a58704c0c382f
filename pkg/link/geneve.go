package link

import (
	"fmt"
	"net/netip"

	"github.com/plumbnet/plumb/pkg/file"
	"github.com/plumbnet/plumb/pkg/kernel"
	"github.com/plumbnet/plumb/pkg/object"
	"github.com/plumbnet/plumb/pkg/plan"
)

// Geneve is the end of a tunnel over UDP that carries Ethernet frames (RFC 8926; IFLA_GENEVE_* of linux/if_link.h).
type Geneve struct {
	ID       uint32            `file:"id,required,most=16777215" plan:"id,fixed" nl:"1" doc:"network identifier (VNI)"`
	Remote   netip.Addr        `file:"remote,required" plan:"remote" nl:"2,7" doc:"address of the other end"`
	Underlay object.SectionRef `file:"underlay" plan:"underlay,fixed" doc:"section that packets travel in"`
	Port     uint16            `file:"port,least=1" plan:"port,fixed" nl:"5,be,new=6081" doc:"UDP port"`
	TTL      uint8             `file:"ttl" plan:"ttl" nl:"3" doc:"time to live of packets; 0: the route's"`
	TOS      uint8             `file:"tos" plan:"tos" nl:"4" doc:"type of service; 1: that of what is carried"`
}

var geneve = overUnderlay(func(g *Geneve) *object.SectionRef { return &g.Underlay }, Type{
	Name: "geneve", Doc: "the end of a tunnel over UDP that carries Ethernet frames (RFC 8926)",
	Part: kernel.Part{Module: "geneve", Option: "GENEVE"},
	New:  func() Spec { return Geneve{Port: 6081} },
	Claims: func(s Spec) []plan.Key {
		g := s.(Geneve)
		return []plan.Key{{Kind: "geneve tunnel", Name: fmt.Sprintf("%d to %s (port %d)", g.ID, g.Remote, g.Port)}}
	},
	Fixed: func(want, have Spec) []string {
		if want.(Geneve).Remote.Is6() != have.(Geneve).Remote.Is6() {
			return []string{"remote"}
		}
		return nil
	},
	Check: func(l *object.Iface, at file.Spots) {
		g := l.Spec.(Geneve)
		hosts(l, at, "remote", g.Remote, g.Remote.Is6())
		g.Underlay = laidOver(l, at, "", g.Underlay)
		l.Spec = g
	},
	Stack:  Stack{AliasTells: true},
	Frames: Frames{Wire: func(s Spec) string { return fmt.Sprintf("geneve %d port %d", s.(Geneve).ID, s.(Geneve).Port) }},
	Traits: Traits{
		MTU:  func(s Spec, _ uint32) uint32 { return object.DefaultMTU - geneveHead(s) },
		MTUs: func(s Spec) (least, most uint32) { return object.MinMTU, object.MaxMTU - geneveHead(s) },
	},
	Changing: Changing{WithMTU: true},
})

// geneveHead is the size of what comes before a packet: IP, UDP, Geneve and the inner Ethernet.
func geneveHead(s Spec) uint32 {
	if s.(Geneve).Remote.Is6() {
		return 70
	}
	return 50
}
