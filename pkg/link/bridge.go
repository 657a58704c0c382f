package link

import (
	"bytes"
	"errors"
	"fmt"
	"time"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/plumbnet/plumb/pkg/file"
	"github.com/plumbnet/plumb/pkg/kernel"
	"github.com/plumbnet/plumb/pkg/object"
)

// TypeBridge is an Ethernet switch in the kernel.
const TypeBridge = "bridge"

// MaxBridgePorts is the most ports that a bridge can have (BR_MAX_PORTS in net/bridge/br_private.h, less port 0).
const MaxBridgePorts = 1023

// Bridge is what is peculiar to a bridge (IFLA_BR_* of linux/if_link.h). Its VLANs are those that the host itself, or
// the namespace, is in by it. Of VLANs and of multicast snooping a kernel that lacks them has whatever is wanted.
type Bridge struct {
	STP bool `file:"stp" plan:"stp" nl:"5,u32" doc:"run the spanning tree protocol (IEEE 802.1D)"`
	// VLANFiltering needs a kernel that has it, and is sent only to change what is.
	VLANFiltering bool `file:"vlan-filtering" plan:"vlan-filtering" nl:"7" doc:"keep VLANs apart"`

	Snooping bool   `file:"mcast-snooping" plan:"mcast-snooping" nl:"23,new=1,absent=wanted" doc:"multicast by membership"`
	Priority uint16 `file:"priority" plan:"priority" nl:"6,new=32768" doc:"the lowest is the root of the spanning tree"`

	Ageing  file.Duration `file:"ageing" plan:"ageing" nl:"4,unit=10ms,near,new=30000" doc:"time to forget a station"`
	Delay   file.Duration `file:"forward-delay" plan:"forward-delay" nl:"1,unit=10ms,near,new=1500" doc:"wait of a port"`
	Forward GroupMask     `file:"group-fwd-mask" plan:"group-fwd-mask" nl:"9" doc:"bit N passes on 01:80:c2:00:00:0N"`

	DefaultPVID uint16 `file:"default-pvid,most=4094" plan:"default-pvid" nl:"39,new=1,absent=wanted" doc:"VLAN of ports"`
	// Tags are the kind of tags that tell VLANs.
	Tags VLANProto `file:"vlan-protocol" plan:"vlan-protocol" nl:"8,be,new=33024,absent=wanted" doc:"tags"`

	VLANTable
}

// NewBridge is what the kernel makes.
func NewBridge() Bridge {
	b, _ := fresh(Bridge{}).(Bridge)
	b.VLANTable = accessTo(b.DefaultPVID)
	return b
}

var bridge = Type{
	Name:    TypeBridge,
	Part:    kernel.Part{Module: "bridge", Option: "BRIDGE"},
	New:     func() Spec { return NewBridge() },
	Lacks:   noVLANs,
	Live:    liveBridge,
	Explain: explainBridge,
	Master: Master{
		UpAfterPorts: true,
		Ports:        &bridgePorts,
		Enslaves: &Enslaves{Refuses: func(l *object.Iface) string {
			switch {
			case l.Type == TypeBridge:
				return "a bridge is in no other"
			case l.Type == TypeVRF:
				return "it has no frames"
			}
			return ""
		}},
	},
	Making:   Making{AsMade: firstBridge, Finish: finishBridge},
	Changing: Changing{Before: stpOff, Extra: bridgeAgeing, Changed: changedBridge},
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

// liveBridge adds what no attribute tells, and takes for wanted what the spanning tree has made another for a time: the
// bridge has the delay of the tree's root, and forgets addresses faster while the topology changes
// (net/bridge/br_stp.c: __br_set_topology_change).
func liveBridge(s *object.Section, live *object.LiveLink, spec, wanted Spec) Spec {
	b, _ := spec.(Bridge)
	want, ok := wanted.(Bridge)
	if !ok {
		want = b
	}
	root, own := live.Data.Get(unix.IFLA_BR_ROOT_ID), live.Data.Get(unix.IFLA_BR_BRIDGE_ID)
	if !bytes.Equal(root, own) {
		b.Delay = want.Delay
	}
	if b.STP && live.Data.U8(unix.IFLA_BR_TOPOLOGY_CHANGE) != 0 {
		b.Ageing = want.Ageing
	}
	b.VLANTable = vlansOf(s, live, live, want.VLANTable)
	return b
}

// stpOff switches the spanning tree off before the rest: while it runs, the kernel refuses delays that it can't use,
// and it takes the delay first, whatever the order in a message.
func stpOff(want, have Spec) Spec {
	w, _ := want.(Bridge)
	h, _ := have.(Bridge)
	if h.STP && !w.STP && h.Delay != w.Delay {
		h.STP = false
	}
	return h
}

// bridgeAgeing restores what STP changes: it forgets addresses faster while the topology changes, and switched off
// then, it leaves it at that.
func bridgeAgeing(data *nl.RtAttr, want, have Spec) {
	w, _ := want.(Bridge)
	if h, ok := have.(Bridge); ok && h.STP && !w.STP && h.Ageing == w.Ageing {
		data.AddRtAttr(unix.IFLA_BR_AGEING_TIME, nl.Uint32Attr(uint32(time.Duration(w.Ageing)/bridgeTick)))
	}
}

// bridgeTick is the unit of a bridge's times.
const bridgeTick = 10 * time.Millisecond

// finishBridge makes the VLANs of a new bridge itself what is wanted.
func finishBridge(s *object.Section, index int, l Link) error {
	b, _ := l.Spec.(Bridge)
	return putVLANs(s, index, l.Ifname, true, b.VLANTable, accessTo(b.DefaultPVID))
}

// changedBridge finishes a change of a bridge.
func changedBridge(s *object.Section, index int, l Link, have Spec) error {
	w, _ := l.Spec.(Bridge)
	h, ok := have.(Bridge)
	if !ok {
		return nil
	}
	has := h.VLANTable.follow(h.DefaultPVID, w.DefaultPVID)
	if err := putVLANs(s, index, l.Ifname, true, w.VLANTable, has); err != nil {
		return err
	}
	return unblock(s, index, w, h)
}

// vlanPart says what a kernel needs whose bridges don't filter VLANs.
const vlanPart = "vlan-filtering needs a kernel with CONFIG_BRIDGE_VLAN_FILTERING"

// explainBridge names what a kernel without VLAN filtering lacks.
func explainBridge(l Link, err error) error {
	if b, ok := l.Spec.(Bridge); ok && b.VLANFiltering && errors.Is(err, unix.EOPNOTSUPP) {
		return fmt.Errorf("%w: %s", err, vlanPart)
	}
	return err
}

// noVLANs says that the bridges of this kernel don't filter VLANs, where that is wanted. What is not in the kernel yet
// may do so.
func noVLANs(e *object.Env, l Link) string {
	if b, ok := l.Spec.(Bridge); !ok || !b.VLANFiltering || !kernel.Loaded(TypeBridge) {
		return ""
	}
	if s := e.Sections[l.NS]; s != nil {
		if live := s.Link(l.Name); live != nil && live.Data.U8(unix.IFLA_BR_VLAN_FILTERING) != 0 {
			return ""
		}
	}
	const noBridge = 1 // lo, of which a kernel says that it is none, where it has VLANs of bridges
	head := &nl.RtGenMsg{RtGenmsg: unix.RtGenmsg{Family: unix.AF_BRIDGE}}
	m := kernel.NewMessage(unix.RTM_GETVLAN, unix.NLM_F_DUMP, head)
	m.AddRawData(append(make([]byte, 3), nl.Uint32Attr(noBridge)...)) // struct br_vlan_msg
	err := e.Sections[""].NS.Read(kernel.NewQuery(m.NetlinkRequest, unix.RTM_NEWVLAN), func([][]byte) {})
	if errors.Is(err, unix.EOPNOTSUPP) {
		return vlanPart
	}
	return ""
}

// unblock sets the ports of a bridge forwarding whose STP was switched off: nobody else does before 30 s are over.
func unblock(s *object.Section, index int, want, have Bridge) error {
	if !have.STP || want.STP {
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
