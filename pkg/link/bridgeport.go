package link

import (
	"cmp"
	"errors"
	"slices"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/plumbnet/plumb/pkg/kernel"
	"github.com/plumbnet/plumb/pkg/object"
	"github.com/plumbnet/plumb/pkg/plan"
)

// BridgePort is what a bridge keeps of a port (IFLA_BRPORT_* of linux/if_link.h).
type BridgePort struct {
	// Blocked says that a bridge without STP holds this port back, as it does for 30 s after STP was on.
	Blocked bool `plan:"blocked by stp"`
	// State is that of a port which is held back for good, as a hand can do it. No file wants it, but a rollback does.
	State plan.Opt[uint8] `plan:"state,quiet"`

	PortOptions
	// Cost is 0 for what the kernel derives from the speed of the link.
	Cost uint32 `plan:"cost"`
	VLANTable
}

// PortOptions are those of a port that its attributes tell.
type PortOptions struct {
	Isolated  bool   `file:"isolated" plan:"isolated" nl:"33" doc:"exchange no frames with other isolated ports"`
	Hairpin   bool   `file:"hairpin" plan:"hairpin" nl:"4" doc:"frames may go back by the port that they came by"`
	Learning  bool   `file:"learning" plan:"learning" nl:"8,new=1" doc:"learn which addresses are behind the port"`
	Flood     bool   `file:"flood" plan:"flood" nl:"9,new=1" doc:"send frames to addresses that nobody knows there"`
	Guard     bool   `file:"guard" plan:"guard" nl:"5" doc:"shut the port when it hears a bridge (BPDU guard)"`
	FastLeave bool   `file:"fast-leave" plan:"fast-leave" nl:"7" doc:"a group ends with the first to leave it"`
	Priority  uint16 `file:"priority,most=63" plan:"priority" nl:"2,new=32" doc:"of ports of one cost, the lowest is used"`
}

func newPortOptions() PortOptions {
	o, _ := fresh(PortOptions{}).(PortOptions)
	return o
}

// costOf is the cost of a port of which the file says nothing, by its speed in Mbit/s; 0 is not known
// (net/bridge/br_if.c: port_cost).
func costOf(speed uint32) uint32 {
	const slowest = 100
	for _, c := range []struct{ speed, cost uint32 }{{10000, 2}, {5000, 3}, {2500, 4}, {1000, 5}, {100, 19}} {
		if speed == c.speed {
			return c.cost
		}
	}
	if speed > 10000 {
		return 1
	}
	return slowest
}

// vethSpeed is what ends of cables say they are.
const vethSpeed = 10000

// costing is a port of which the file does not say the cost, on a link of a type that only the live host tells.
func costing(port Spec, of string) Spec {
	p, ok := port.(BridgePort)
	if !ok || of != TypeVeth || p.Cost != 0 {
		return port
	}
	p.Cost = costOf(vethSpeed)
	return p
}

// portCosts are the costs of live ports by their speed, where the file says nothing, by their indexes.
type portCosts map[int]uint32

// fetchCosts asks for the speed of ports that are no ends of cables, which all have the same.
func fetchCosts(e *object.Env, s *object.Section, enter func(f func() error) error) error {
	costs := object.In[portCosts](s)
	var ask []*object.LiveLink
	for i := range s.Links {
		l := &s.Links[i]
		if l.PortType != TypeBridge || l.Type == TypeVeth || (*costs)[l.Index] != 0 {
			continue
		}
		want, _ := e.Want(object.LinkKey(s.NS.Name, cmp.Or(l.Known, l.Name))).(Link)
		if want.Given && want.Master != s.At(l.Master).Known {
			continue // what it costs there is recorded
		}
		if p, ok := want.Port.(BridgePort); ok && p.Cost == 0 {
			ask = append(ask, l)
		}
	}
	if len(ask) == 0 {
		return nil
	}
	if *costs == nil {
		*costs = make(portCosts)
	}
	return enter(func() error {
		for _, l := range ask {
			(*costs)[l.Index] = costOf(kernel.LinkSpeed(l.Name))
		}
		return nil
	})
}

// Lasts is what becomes of the port by itself: one that STP has held back forwards soon.
func (p BridgePort) Lasts() Spec {
	p.Blocked = p.State.Set
	return p
}

var bridgePorts = Ports{
	New:      func() Spec { return BridgePort{PortOptions: newPortOptions()} },
	Declared: func(l *object.Iface) Spec { return portSpec(l) },
	Read:     readBridgePort,
	Joined:   joinedBridge,
	Put:      putBridgePort,
}

// NewPort is what a link of a type is as a new port of a bridge.
func NewPort(of string, bridge Spec) BridgePort {
	b, _ := bridge.(Bridge)
	p := BridgePort{PortOptions: newPortOptions(), VLANTable: accessTo(b.DefaultPVID)}
	if of == TypeVeth {
		p.Cost = costOf(vethSpeed)
	}
	return p
}

// joinedBridge is what a link has become that was just put on a bridge. One that is about to get another default VLAN
// still has the old one.
func joinedBridge(e *object.Env, s *object.Section, l Link) Spec {
	var bridge Spec
	if m, ok := e.Want(object.LinkKey(l.NS, l.Master)).(Link); ok {
		bridge = m.Spec
	}
	p := NewPort(l.Type, bridge)
	if live := s.Link(l.Master); live != nil {
		vid := kernel.U16(live.Data.Get(unix.IFLA_BR_VLAN_DEFAULT_PVID))
		p.VLANs = addVLANs(p.VLANs, slices.Collect(accessTo(vid).VLANs.All())...)
	}
	return p
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

func readBridgePort(s *object.Section, port, master *object.LiveLink, wanted Spec) Spec {
	stp := master.Data.U32(unix.IFLA_BR_STP_STATE) != 0
	p := BridgePort{Blocked: !stp && blocked(port), Cost: port.PortData.U32(unix.IFLA_BRPORT_COST)}
	if p.Blocked && kernel.U32At(port.PortData.Get(unix.IFLA_BRPORT_FORWARD_DELAY_TIMER), 0) == 0 {
		p.State = plan.Some(port.PortData.U8(unix.IFLA_BRPORT_STATE))
	}
	options, err := decode(port.PortData, p.PortOptions, nil, nil)
	if err != nil {
		s.Warnf("port %s: %v", placeOf(s, port), err)
	}
	p.PortOptions, _ = options.(PortOptions)
	want, ok := wanted.(BridgePort)
	if ok && want.Cost == 0 && p.Cost == (*object.In[portCosts](s))[port.Index] {
		p.Cost = 0
	}
	p.VLANTable = vlansOf(s, port, master, want.VLANTable)
	return p
}

func putBridgePort(s *object.Section, index int, l Link, have Spec) error {
	want, ok := l.Port.(BridgePort)
	has, _ := have.(BridgePort)
	if !ok {
		return nil
	}
	if err := putState(s, index, l, want, has); err != nil {
		return err
	}
	if want.PortOptions != has.PortOptions || want.Cost != has.Cost {
		m, data := portMessage(index)
		if want.Cost != has.Cost {
			cost := cmp.Or(want.Cost, (*object.In[portCosts](s))[index], costOf(0))
			data.AddRtAttr(unix.IFLA_BRPORT_COST, nl.Uint32Attr(cost))
		}
		if err := encode(data, want.PortOptions, has.PortOptions, nil); err != nil {
			return err
		}
		if err := s.NS.Write("change port "+l.Key().Place(), m.NetlinkRequest); err != nil {
			return err
		}
	}
	return putVLANs(s, index, l.Key().Place(), false, want.VLANTable, has.VLANTable)
}

// putState has a port forward, or hold frames back, where that is not as wanted.
func putState(s *object.Section, index int, l Link, want, have BridgePort) error {
	switch {
	case want.Blocked && want.State.Set && have.State != want.State:
		return setState(s, index, l.Ifname, want.State.V, "held back")
	case have.Blocked && !want.Blocked:
		return forward(s, index, l.Ifname)
	}
	return nil
}

func forward(s *object.Section, index int, name string) error {
	return setState(s, index, name, portForwarding, "forwarding")
}

// setState gives a port a state, in words.
func setState(s *object.Section, index int, name string, state uint8, words string) error {
	m, data := portMessage(index)
	data.AddRtAttr(unix.IFLA_BRPORT_STATE, nl.Uint8Attr(state))
	err := s.NS.Write("set port "+name+" "+words, m.NetlinkRequest)
	if errors.Is(err, unix.EBUSY) {
		return nil // the bridge has begun to run STP, which alone decides then
	}
	return err
}

// portMessage begins a message about what a bridge keeps of a port.
func portMessage(index int) (m kernel.Message, data *nl.RtAttr) {
	m = indexRequest(index, 0, 0)
	info := m.Nest(unix.IFLA_LINKINFO)
	info.AddRtAttr(unix.IFLA_INFO_SLAVE_KIND, nl.NonZeroTerminated(TypeBridge))
	return m, info.AddRtAttr(unix.IFLA_INFO_SLAVE_DATA|unix.NLA_F_NESTED, nil)
}

// portAfter is what becomes of a port when its bridge changes: the default VLAN may move.
func (l Link) portAfter(old, now plan.Object) Spec {
	was, _ := old.(Link)
	is, _ := now.(Link)
	w, bridge := was.Spec.(Bridge)
	i, still := is.Spec.(Bridge)
	p, port := l.Port.(BridgePort)
	if !bridge || !still || !port || l.Master != was.Name || l.NS != was.NS || w.DefaultPVID == i.DefaultPVID {
		return l.Port
	}
	p.VLANTable = p.VLANTable.follow(w.DefaultPVID, i.DefaultPVID)
	return p
}
