package link

import (
	"errors"
	"fmt"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/plumbnet/plumb/pkg/kernel"
	"github.com/plumbnet/plumb/pkg/object"
	"github.com/plumbnet/plumb/pkg/plan"
)

// TypeBridge is an Ethernet switch in the kernel.
const TypeBridge = "bridge"

// MaxBridgePorts is the most ports that a bridge can have (BR_MAX_PORTS in net/bridge/br_private.h, less port 0).
const MaxBridgePorts = 1023

// Bridge is what is peculiar to a bridge (IFLA_BR_* of linux/if_link.h).
type Bridge struct {
	STP bool `file:"stp" plan:"stp" nl:"5,u32" doc:"run the spanning tree protocol (IEEE 802.1D)"`
	// VLANFiltering needs a kernel that has it, and is sent only to change what is.
	VLANFiltering bool `file:"vlan-filtering" plan:"vlan-filtering" nl:"7" doc:"keep VLANs apart"`
	// Snooping is whatever is wanted where the kernel has no multicast snooping.
	Snooping bool `file:"mcast-snooping" plan:"mcast-snooping" nl:"23,new=1,absent=wanted" doc:"multicast by membership"`
}

// BridgePort is what a bridge keeps of a port.
type BridgePort struct {
	// Blocked says that a bridge without STP holds this port back, as it does for 30 s after STP was on.
	Blocked bool `plan:"blocked by stp"`
	// State is that of a port which is held back for good, as a hand can do it. No file wants it, but a rollback does.
	State plan.Opt[uint8] `plan:"state,quiet"`
}

// Lasts is what becomes of the port by itself: one that STP has held back forwards soon.
func (p BridgePort) Lasts() Spec {
	p.Blocked = p.State.Set
	return p
}

var bridge = Type{
	Name:    TypeBridge,
	Part:    kernel.Part{Module: "bridge", Option: "BRIDGE"},
	New:     func() Spec { return Bridge{Snooping: true} },
	Late:    true,
	First:   firstBridge,
	Extra:   bridgeAgeing,
	Changed: unblock,
	Explain: explainBridge,
	Ports: &Ports{
		New:  func() Spec { return BridgePort{} },
		Read: readBridgePort,
		Put: func(s *object.Section, index int, l Link) error {
			p, ok := l.Port.(BridgePort)
			switch {
			case !ok || p.Blocked && !p.State.Set:
				return nil
			case p.Blocked:
				return setState(s, index, l.Ifname, p.State.V, "held back")
			}
			return forward(s, index, l.Ifname)
		},
	},
}

// firstBridge is another MTU: only a change of it makes it stay when ports of another MTU join. A crowd of ports joins
// without snooping.
func firstBridge(e *object.Env, l Link) Link {
	l.MTU ^= 1
	if b, ok := l.Spec.(Bridge); ok && l.Up && crowded(e, l) {
		b.Snooping = false // until it is up
		l.Spec = b
	}
	return l
}

// crowd is so many ports of a bridge that what the kernel does for all of them, whenever the state of one changes,
// takes longer than to avoid it. Most of that is multicast snooping (net/bridge/br_stp.c: br_port_state_selection).
const crowd = 128

// crowded says whether a bridge is to have a crowd of ports.
func crowded(e *object.Env, l Link) bool {
	ports := 0
	for _, o := range e.WantedHere(l.NS, object.KindLink) {
		if port, ok := o.(Link); ok && port.Master == l.Name {
			ports++
		}
	}
	return ports >= crowd
}

// ageingTime is how long a new bridge remembers an address, in hundredths of a second (BR_DEFAULT_AGEING_TIME of
// linux/if_bridge.h).
const ageingTime = 30000

// bridgeAgeing restores what STP changes. While the topology changes it forgets addresses faster, and switched off
// then, it leaves it at that (net/bridge/br_stp.c: __br_set_topology_change). The kernel takes the switch first,
// whatever the order here.
func bridgeAgeing(data *nl.RtAttr, want, have Spec) {
	w, _ := want.(Bridge)
	if h, ok := have.(Bridge); ok && h.STP && !w.STP {
		data.AddRtAttr(unix.IFLA_BR_AGEING_TIME, nl.Uint32Attr(ageingTime))
	}
}

// explainBridge names what a kernel without VLAN filtering lacks.
func explainBridge(l Link, err error) error {
	if b, ok := l.Spec.(Bridge); ok && b.VLANFiltering && errors.Is(err, unix.EOPNOTSUPP) {
		return fmt.Errorf("%w: vlan-filtering needs a kernel with CONFIG_BRIDGE_VLAN_FILTERING", err)
	}
	return err
}

// unblock sets the ports of a bridge forwarding whose STP was switched off: nobody else does before 30 s are over.
func unblock(s *object.Section, index int, want, have Spec) error {
	w, _ := want.(Bridge)
	if h, ok := have.(Bridge); !ok || !h.STP || w.STP {
		return nil
	}
	links, err := object.ListLinks(s.NS)
	if err != nil {
		return err
	}
	for i := range links {
		port := &links[i]
		if port.Master == index && blocked(port) {
			if err := forward(s, port.Index, port.Name); err != nil {
				return err
			}
		}
	}
	return nil
}

// The states of a bridge's port, linux/if_bridge.h.
const (
	portListening  = 1
	portLearning   = 2
	portForwarding = 3
	portBlocking   = 4
)

func blocked(port *object.LiveLink) bool {
	state := port.PortData.U8(unix.IFLA_BRPORT_STATE)
	return state == portListening || state == portLearning || state == portBlocking
}

func readBridgePort(port, master *object.LiveLink) Spec {
	stp := master.Data.U32(unix.IFLA_BR_STP_STATE) != 0
	p := BridgePort{Blocked: !stp && blocked(port)}
	if p.Blocked && kernel.U32At(port.PortData.Get(unix.IFLA_BRPORT_FORWARD_DELAY_TIMER), 0) == 0 {
		p.State = plan.Some(port.PortData.U8(unix.IFLA_BRPORT_STATE))
	}
	return p
}

func forward(s *object.Section, index int, name string) error {
	return setState(s, index, name, portForwarding, "forwarding")
}

// setState gives a port a state, in words.
func setState(s *object.Section, index int, name string, state uint8, words string) error {
	m := indexRequest(index, 0, 0)
	info := m.Nest(unix.IFLA_LINKINFO)
	info.AddRtAttr(unix.IFLA_INFO_SLAVE_KIND, nl.NonZeroTerminated(TypeBridge))
	info.AddRtAttr(unix.IFLA_INFO_SLAVE_DATA|unix.NLA_F_NESTED, nil).
		AddRtAttr(unix.IFLA_BRPORT_STATE, nl.Uint8Attr(state))
	err := s.NS.Write("set port "+name+" "+words, m.NetlinkRequest)
	if errors.Is(err, unix.EBUSY) {
		return nil // the bridge has begun to run STP, which alone decides then
	}
	return err
}

// takeDown takes down the bridges with a crowd of ports, before their ports go one after the other.
func takeDown(s *object.Section, there, doomed []object.LiveLink) error {
	ports := make(map[int]int)
	for _, l := range there {
		ports[l.Master]++
	}
	for _, l := range doomed {
		if l.Type != TypeBridge || !l.Up() || ports[l.Index] < crowd {
			continue
		}
		err := s.NS.Write("take down link "+placeOf(s, &l), indexRequest(l.Index, 0, unix.IFF_UP).NetlinkRequest)
		if err != nil && !errors.Is(err, unix.ENODEV) {
			return err
		}
	}
	return nil
}
