package link

import (
	"fmt"
	"net/netip"

	"github.com/plumbnet/plumb/pkg/file"
	"github.com/plumbnet/plumb/pkg/kernel"
	"github.com/plumbnet/plumb/pkg/object"
	"github.com/plumbnet/plumb/pkg/plan"
)

// VXLAN is the end of a tunnel over UDP that carries Ethernet frames (RFC 7348; IFLA_VXLAN_* of linux/if_link.h).
type VXLAN struct {
	ID     uint32     `file:"id,required,most=16777215" plan:"id,fixed" nl:"1" doc:"VXLAN network identifier (VNI)"`
	Remote netip.Addr `file:"remote" plan:"remote" nl:"2,16,unicast" doc:"host that frames of unknown destination go to"`
	Group  netip.Addr `file:"group" plan:"multicast group" nl:"2,16,multicast" doc:"multicast group that they go to"`
	Local  netip.Addr `file:"local" plan:"local" nl:"4,17" doc:"source address of the tunnel's packets"`
	// Dev is the place of the link that packets leave by, empty for what the routes say.
	Dev object.Ref `file:"dev" plan:"dev" nl:"3" doc:"the link that packets leave by"`
	// Underlay is the section that the tunnel's packets travel in, empty for the link's own.
	Underlay object.SectionRef `file:"underlay" plan:"underlay,fixed" doc:"section that packets travel in"`
	Port     uint16            `file:"port,least=1" plan:"port,fixed" nl:"15,be,new=8472" doc:"UDP port"`
	Learning bool              `file:"learning" plan:"learning" nl:"7,new=1" doc:"learn where addresses are"`
	TTL      uint8             `file:"ttl" plan:"ttl" nl:"5" doc:"time to live of packets; 0: the route's"`
}

var vxlan = overUnderlay(func(v *VXLAN) *object.SectionRef { return &v.Underlay }, Type{
	Name: "vxlan", Doc: "the end of a tunnel over UDP that carries Ethernet frames (RFC 7348)",
	Part:  kernel.Part{Module: "vxlan", Option: "VXLAN"},
	Check: checkVXLAN,
	New:   func() Spec { return VXLAN{Port: 4789, Learning: true} },
	Claims: func(s Spec) []plan.Key {
		v := s.(VXLAN)
		return []plan.Key{{Kind: "vxlan id", Name: fmt.Sprintf("%d (port %d, IPv%d)", v.ID, v.Port, family(v))}}
	},
	Fixed: func(want, have Spec) (fields []string) {
		w, h := want.(VXLAN), have.(VXLAN)
		if family(w) != family(h) { // the kernel takes addresses of the other family at creation alone
			fields = append(fields, "remote", "local")
		}
		if w.Group != h.Group {
			fields = append(fields, "multicast group") // it is joined when the link comes up
		}
		if w.Dev != h.Dev && (w.Dev == "" || w.Group.IsValid() || !canLose(w.Remote, h.Remote)) {
			fields = append(fields, "dev") // it takes another, but does not let go, and joins no group there
		}
		if !w.Remote.IsValid() && h.Remote.Is6() {
			fields = append(fields, "remote") // it is told of none as an address of IPv4
		}
		if !w.Local.IsValid() && h.Local.Is6() {
			fields = append(fields, "local")
		}
		return fields
	},
	Changing: Changing{Before: forgetRemote},

	Stack:  Stack{Below: func(s Spec) []plan.Key { return placed(s.(VXLAN).Dev) }},
	Frames: Frames{Wire: func(s Spec) string { return fmt.Sprintf("vxlan %d port %d", s.(VXLAN).ID, s.(VXLAN).Port) }},
	Traits: Traits{
		MTU: func(s Spec, below uint32) uint32 {
			v := s.(VXLAN)
			if below == 0 || v.Dev == "" {
				below = object.DefaultMTU
			}
			return max(below, overhead(v)) - overhead(v)
		},
	},
})

// forgetRemote takes the remote away before the link that packets leave by changes: what is sent to the remote would go
// on leaving by the former one (drivers/net/vxlan/vxlan_core.c: vxlan_changelink).
func forgetRemote(want, have Spec) Spec {
	w, _ := want.(VXLAN)
	h, _ := have.(VXLAN)
	if w.Dev != h.Dev && w.Remote == h.Remote {
		h.Remote = netip.Addr{}
	}
	return h
}

// canLose says whether a remote is another one, or can be taken away for a moment: as none the kernel knows one of IPv4.
func canLose(want, have netip.Addr) bool { return want != have || !want.Is6() }

// family is that of the tunnel's packets: 4 or 6.
func family(v VXLAN) int {
	if v.Remote.Is6() || v.Group.Is6() || v.Local.Is6() {
		return 6
	}
	return 4
}

// overhead is what the tunnel's own headers take of the MTU below, in bytes.
func overhead(v VXLAN) uint32 {
	const four, six = 50, 70 // IP, UDP, VXLAN and the inner Ethernet
	if family(v) == 6 {
		return six
	}
	return four
}

// checkVXLAN reports what does not go together, and settles the underlay, which follows from dev.
func checkVXLAN(l *object.Iface, at file.Spots) {
	v, s := l.Spec.(VXLAN), l.Section
	toGroup := v.Group.IsValid()
	switch {
	case toGroup && v.Remote.IsValid():
		s.Clash(file.Error, at.At("remote"), at.At("group"), "%s has both remote and group", l)
	case toGroup && v.Dev == "":
		s.Errorf(at.At("group"), "a group needs dev, the link that it is joined on")
	case toGroup && !v.Group.IsMulticast():
		s.Errorf(at.At("group"), "%s is no multicast group", v.Group).Hint = "a single host is remote: " + v.Group.String()
	case v.Remote.IsMulticast():
		s.Errorf(at.At("remote"), "%s is a multicast group", v.Remote).Hint = "write group: " + v.Remote.String()
	}
	for _, far := range []struct {
		key string
		netip.Addr
	}{{"remote", v.Remote}, {"group", v.Group}} {
		if far.IsValid() && v.Local.IsValid() && far.Is4() != v.Local.Is4() {
			s.Errorf(at.At("local"), "local %s and %s %s are of different families", v.Local, far.key, far)
		}
	}
	if v.Remote.IsValid() && v.Remote.IsUnspecified() {
		s.Errorf(at.At("remote"), "%s is no address of a host", v.Remote).Hint = "leave remote out"
	}
	if v.Local.IsValid() && (v.Local.IsUnspecified() || v.Local.IsMulticast()) {
		s.Errorf(at.At("local"), "%s is no address of a host", v.Local).Hint = "leave local out"
	}
	v.Underlay = laidOver(l, at, v.Dev, v.Underlay)
	l.Spec = v
}
