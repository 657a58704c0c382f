package link

import (
	"slices"
	"strings"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/plumbnet/plumb/pkg/file"
	"github.com/plumbnet/plumb/pkg/kernel"
	"github.com/plumbnet/plumb/pkg/object"
)

// TypeBond is several links that are used as one.
const TypeBond = "bond"

// Bond is what is peculiar to a bond (IFLA_BOND_* of linux/if_link.h; Documentation/networking/bonding.rst).
type Bond struct {
	Mode      BondMode          `file:"mode,required" plan:"mode" nl:"1,u8" doc:"how packets are shared out"`
	MIIMon    file.Milliseconds `file:"miimon" plan:"miimon" nl:"3" doc:"how often the carrier of the ports is looked at"`
	UpDelay   file.Milliseconds `file:"updelay" plan:"updelay" nl:"4" doc:"time until a port with a carrier is used"`
	DownDelay file.Milliseconds `file:"downdelay" plan:"downdelay" nl:"5" doc:"time until one without is not"`

	ARPInterval file.Delay    `file:"arp-interval" plan:"arp-interval" nl:"7" doc:"how often hosts are asked instead"`
	ARPTargets  Hosts         `file:"arp-ip-target" plan:"arp-ip-target" nl:"8" doc:"those hosts"`
	ARPValidate ARPValidation `file:"arp-validate" plan:"arp-validate" nl:"9,new=0" doc:"ports whose answers are checked"`

	ARPAll string `file:"arp-all-targets,enum=any|all" plan:"arp-all-targets" nl:"10,new=0" doc:"who must answer"`

	// Primary is known to the kernel while it is a port.
	Primary  object.OwnIfname `file:"primary" plan:"primary" nl:"11" doc:"port that is used whenever it can be"`
	Reselect Reselection      `file:"primary-reselect" plan:"primary-reselect" nl:"12,u8,new=0" doc:"when it is again"`
	FailOver FailOverMAC      `file:"fail-over-mac" plan:"fail-over-mac" nl:"13,u8,new=0" doc:"MAC addresses of ports"`
	XmitHash HashPolicy       `file:"xmit-hash-policy" plan:"xmit-hash-policy" nl:"14,u8,new=0" doc:"what picks the port"`

	IGMP     uint32 `file:"resend-igmp,most=255" plan:"resend-igmp" nl:"15,new=1" doc:"IGMP reports after a failover"`
	Notify   uint8  `file:"num-peer-notif" plan:"num-peer-notif" nl:"16,new=1" doc:"announcements after a failover"`
	AllPorts bool   `file:"all-slaves-active" plan:"all-slaves-active" nl:"17" doc:"unused ports take what comes in"`
	MinLinks uint32 `file:"min-links,most=65535" plan:"min-links" nl:"18" doc:"ports that make the bond's carrier"`
	PerPort  uint32 `file:"packets-per-slave,most=65535" plan:"packets-per-slave" nl:"20,new=1" doc:"for each in turn"`
	LACPRate string `file:"lacp-rate,enum=slow|fast" plan:"lacp-rate" nl:"21,u8,new=0" doc:"how often the peer tells"`

	ADSelect Aggregation `file:"ad-select" plan:"ad-select" nl:"22,u8,new=0" doc:"which ports are used together"`
}

// The modes of a bond that others are told apart by.
const (
	roundRobin   = "balance-rr"
	activeBackup = "active-backup"
	byHash       = "balance-xor"
	broadcasts   = "broadcast"
	lacp         = "802.3ad"
	balanceTLB   = "balance-tlb"
	balanceALB   = "balance-alb"
)

// bondDefaults is a bond of which the file says nothing. The kernel would not look at its ports (miimon 0), and so use
// those that are dead.
var bondDefaults = Bond{
	MIIMon: 100, ARPValidate: "none", ARPAll: "any", Reselect: "always", FailOver: "none", XmitHash: "layer2",
	IGMP: 1, Notify: 1, PerPort: 1, LACPRate: "slow", ADSelect: "stable",
}

// BondPort is what a bond keeps of a port.
type BondPort struct {
	// Roams says that the bond gives its ports MAC addresses as it needs them.
	Roams bool `plan:"roams,quiet"`
}

var bond = Type{
	Name: TypeBond, Doc: "several links that are used as one",
	Part:  kernel.Part{Module: "bonding", Option: "BONDING"},
	New:   func() Spec { return bondDefaults },
	Check: checkBond,
	Fixed: func(want, have Spec) []string {
		if w, h := want.(Bond), have.(Bond); (w.FailOver == "follow") != (h.FailOver == "follow") {
			return []string{"fail-over-mac"} // it has its own MAC then, and takes no other: see FixedMACWhile
		}
		return nil
	},
	Traits: Traits{
		OwnMAC: func(s Spec) bool { return s.(Bond).FailOver != "active" },
		// The kernel answers 0, and does nothing (drivers/net/bonding/bond_main.c: bond_set_mac_address).
		FixedMACWhile: func(s Spec) bool { return s.(Bond).Mode == activeBackup && s.(Bond).FailOver == "follow" },
	},
	Master: Master{
		UpAfterPorts: true,
		CheckPorts:   checkBondPorts,
		Ports: &Ports{
			New: func() Spec { return BondPort{} },
			Declared: func(l *object.Iface) Spec {
				b, _ := l.Master.Spec.(Bond)
				return BondPort{b.roams()}
			},
			Read: func(_ *object.Section, _, master *object.LiveLink, _ Spec) Spec {
				b, _ := decode(master.Data, Bond{}, nil, func(int) object.Ref { return "" })
				return BondPort{b.(Bond).roams()}
			},
			Joined: joinedMaster, Put: nothing, // it follows from the bond
		},
		Enslaves: &Enslaves{
			Restarts: true, FromDown: true, NoLinkLocal: true, NeedsMAC: true,
			Refuses: func(l *object.Iface) string {
				if l.Type == TypeBond || l.Type == TypeVRF || l.Type == TypeBridge {
					return "a " + l.Type + " is in no bond"
				}
				return ""
			},
			Enter: enterBond,
			Adapt: adaptToBond,
		},
	},
	Making: Making{
		// The kernel is told of a primary port by its index, and ports are made after the bond.
		AsMade: func(_ *object.Env, l Link) Link {
			l.Spec = withoutPrimary(l.Spec)
			return l
		},
		Awaits:  func(s Spec) object.OwnIfname { return s.(Bond).Primary },
		Without: withoutPrimary,
	},
	Changing: Changing{
		Stops:   func(want, have Spec) bool { return emptiesBond(want, have) || stopsBond(want.(Bond), have.(Bond)) },
		Empties: emptiesBond,
		Before:  beforeBond,
		Extra:   bondExtra,
	},
}

// roams says whether ports have MAC addresses as the bond needs them, not all the same.
func (b Bond) roams() bool {
	own := b.FailOver == "active" || b.FailOver == "follow"
	return b.Mode == activeBackup && own || b.Mode == balanceTLB || b.Mode == balanceALB
}

// adaptToBond is a port with the MTU and the MAC of its bond.
func adaptToBond(port, bond Link) Link {
	port.MTU = bond.MTU
	if p, ok := port.Port.(BondPort); ok && !p.Roams {
		port.MAC = bond.MAC
	}
	return port
}

// emptiesBond says whether a change is one that the kernel takes of a bond without ports alone.
func emptiesBond(want, have Spec) bool {
	w, h := want.(Bond), have.(Bond)
	return w.Mode != h.Mode || w.FailOver != h.FailOver
}

// stopsBond says whether a change is one that the kernel takes of a bond that is down alone.
func stopsBond(w, h Bond) bool { return w.LACPRate != h.LACPRate || w.ADSelect != h.ADSelect }

// beforeBond undoes, in the old mode, what the kernel does not take back in the new one; and delays, before nobody
// looks at the carrier any more.
func beforeBond(want, have Spec) Spec {
	w, h := want.(Bond), have.(Bond)
	switch {
	case w.Mode != h.Mode:
		first := bondDefaults
		first.Mode, first.MIIMon = h.Mode, h.MIIMon
		return first
	case w.MIIMon == 0:
		h.UpDelay, h.DownDelay = 0, 0
	}
	return h
}

// bondExtra sends what the kernel changes with other options: delays, which it counts in times of miimon, and what it
// may have kept of an earlier time in a mode.
func bondExtra(data *nl.RtAttr, want, have Spec) {
	w := want.(Bond)
	h, ok := have.(Bond)
	if !ok || w.MIIMon == h.MIIMon || w.MIIMon == 0 {
		return
	}
	if w.UpDelay == h.UpDelay {
		data.AddRtAttr(unix.IFLA_BOND_UPDELAY, nl.Uint32Attr(uint32(w.UpDelay)))
	}
	if w.DownDelay == h.DownDelay {
		data.AddRtAttr(unix.IFLA_BOND_DOWNDELAY, nl.Uint32Attr(uint32(w.DownDelay)))
	}
}

// bondModes are the modes in which the kernel takes or heeds an option.
var bondModes = []struct {
	keys  string
	modes []string
}{
	{"primary primary-reselect", []string{activeBackup, balanceTLB, balanceALB}},
	{"fail-over-mac", []string{activeBackup}},
	{"lacp-rate ad-select min-links", []string{lacp}},
	{"packets-per-slave", []string{roundRobin}},
	{"xmit-hash-policy", []string{byHash, lacp, balanceTLB, balanceALB}},
	{"arp-interval arp-ip-target arp-validate arp-all-targets", []string{roundRobin, activeBackup, byHash, broadcasts}},
}

// checkBond reports what does not go together, and looks at no carrier where hosts are asked instead.
func checkBond(l *object.Iface, at file.Spots) {
	b, s := l.Spec.(Bond), l.Section
	for _, group := range bondModes {
		for key := range strings.FieldsSeq(group.keys) {
			if at.Given(key) && at.Good("mode") && !slices.Contains(group.modes, string(b.Mode)) {
				s.Clash(file.Error, at.At(key), at.At("mode"), "%s is for mode %s, and the mode of %s is %s",
					key, strings.Join(group.modes, ", "), l, b.Mode)
			}
		}
	}
	arp := at.Given("arp-interval") && b.ARPInterval > 0
	if arp && !at.Given("miimon") {
		b.MIIMon = 0
	}
	switch {
	case arp && b.MIIMon > 0:
		s.Clash(file.Error, at.At("arp-interval"), at.At("miimon"), "%s has both arp-interval and miimon", l)
	case arp && b.ARPTargets == "":
		s.Errorf(at.At("arp-interval"), "arp-interval needs arp-ip-target, the hosts that are asked")
	case !arp && at.Given("arp-ip-target"):
		s.Errorf(at.At("arp-ip-target"), "arp-ip-target needs arp-interval, which says how often they are asked")
	case b.MIIMon == 0 && slices.Contains([]string{lacp, balanceTLB, balanceALB}, string(b.Mode)):
		s.Errorf(at.At("miimon"), "mode %s needs miimon", b.Mode).Hint = "leave it out: it is 100ms then"
	}
	for key, delay := range map[string]file.Milliseconds{"updelay": b.UpDelay, "downdelay": b.DownDelay} {
		switch {
		case delay == 0:
		case b.MIIMon == 0:
			s.Errorf(at.At(key), "%s needs miimon", key)
		case delay%b.MIIMon != 0:
			s.Errorf(at.At(key), "%s is %s, which is no multiple of miimon, %s", key, delay, b.MIIMon).
				Hint = "the kernel would make it " + (delay - delay%b.MIIMon).String()
		}
	}
	l.Spec = b
}

// enterBond gives a port the MTU and the MAC of its bond. The other end of its cable gets that MTU too.
func enterBond(port *object.Iface) {
	s, bond := port.Section, port.Master
	b, _ := bond.Spec.(Bond)
	if port.MTU.Good() && port.MTU.V != bond.EffectiveMTU() {
		s.Errorf(port.MTU.At, "%s gets the MTU of its bond, which is %d", port, bond.EffectiveMTU()).
			Hint = "set mtu on " + bond.String()
	}
	if port.MAC.Given() && !b.roams() {
		s.Errorf(port.MAC.At, "%s gets the MAC address of its bond", port).Hint = "set mac on " + bond.String()
	}
	if port.DefaultMTU = bond.EffectiveMTU; port.Peer != nil && port.Peer.DefaultMTU == nil {
		port.Peer.DefaultMTU = bond.EffectiveMTU
	}
	if !b.roams() {
		port.DefaultMAC = bond.EffectiveMAC
	}
}

// checkBondPorts reports a primary port that is no port, and cables whose other ends are in a bond of another MTU.
func checkBondPorts(l *object.Iface, at file.Spots) {
	for _, port := range l.Section.Links {
		far := port.Peer
		if port.Master == l && far != nil && far.Master != nil && far.EffectiveMTU() != l.EffectiveMTU() {
			l.Section.Errorf(port.At, "the cable from %s to %s joins %s, of MTU %d, and %s, of MTU %d",
				port, far, l, l.EffectiveMTU(), far.Master, far.EffectiveMTU())
		}
	}
	b, _ := l.Spec.(Bond)
	port, ok := l.Section.Link(string(b.Primary))
	if at.Good("primary") && (!ok || port.Master != l) && l.Section.Whole() {
		l.Section.Errorf(at.At("primary"), "primary %s is no port of %s", b.Primary, l).
			Hint = "set master: " + l.Name + " on it"
	}
}

func withoutPrimary(s Spec) Spec {
	b, ok := s.(Bond)
	if !ok {
		return s
	}
	b.Primary = ""
	return b
}
