package link

import (
	"golang.org/x/sys/unix"

	"github.com/plumbnet/plumb/pkg/file"
	"github.com/plumbnet/plumb/pkg/kernel"
	"github.com/plumbnet/plumb/pkg/object"
)

// TypeVRF is a routing domain of its own (IFLA_VRF_* of linux/if_link.h; ip-vrf(8)).
const TypeVRF = "vrf"

// VRF is what is peculiar to a VRF.
type VRF struct {
	Table object.TableNumber `file:"table,required" plan:"table,fixed" nl:"1" doc:"routing table of its ports"`
}

// VRFPort is what a VRF keeps of a port.
type VRFPort struct {
	// Table is that of the VRF. It changes with that.
	Table object.TableNumber `plan:"table,quiet"`
}

var vrf = Type{
	Name: TypeVRF, Doc: "a routing table of its own for some links, which are its ports",
	Part: kernel.Part{Module: "vrf", Option: "NET_VRF"},
	New:  func() Spec { return VRF{} },
	Check: func(l *object.Iface, _ file.Spots) {
		l.Table = uint32(l.Spec.(VRF).Table)
	},
	Traits: Traits{
		NoARP: true, NoMulticast: true, NoLinkLocal: true,
		// Of a packet that is as large as IPv6 has them (drivers/net/vrf.c: vrf_setup).
		MTU:  func(Spec, uint32) uint32 { return maxIPv6 },
		MTUs: func(Spec) (least, most uint32) { return object.MinIPv6MTU, object.MaxMTU },
	},
	Master: Master{
		Ports: &Ports{
			New: func() Spec { return VRFPort{} },
			Declared: func(l *object.Iface) Spec {
				v, _ := l.Master.Spec.(VRF)
				return VRFPort(v)
			},
			Read: func(_ *object.Section, port, _ *object.LiveLink, _ Spec) Spec {
				return VRFPort{object.TableNumber(port.PortData.U32(unix.IFLA_VRF_PORT_TABLE))}
			},
			Joined: joinedMaster, Put: nothing, // it follows from the VRF
		},
		Enslaves: &Enslaves{
			Restarts: true,
			Table:    func(s Spec) uint32 { return uint32(s.(VRF).Table) },
			Refuses: func(l *object.Iface) string {
				if l.Type == TypeVRF {
					return "a vrf is in no other"
				}
				return ""
			},
			Enter: func(port *object.Iface) { port.Table = uint32(port.Master.Spec.(VRF).Table) },
		},
	},
}
