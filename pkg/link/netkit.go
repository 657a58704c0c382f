package link

import (
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/plumbnet/plumb/pkg/file"
	"github.com/plumbnet/plumb/pkg/kernel"
	"github.com/plumbnet/plumb/pkg/object"
)

// TypeNetkit is an end of a cable for programs in the kernel (BPF), which has it say what becomes of each packet.
const TypeNetkit = "netkit"

// Netkit is such an end (IFLA_NETKIT_* of linux/if_link.h). The mode is the cable's, the rest each end's own.
type Netkit struct {
	Mode   string `file:"mode,enum=l2|l3" plan:"mode,fixed" nl:"5,new=1" doc:"carry frames or packets"`
	Policy string `file:"policy,enum=forward|blackhole" plan:"policy" nl:"3,values=0|2" doc:"without a program"`
	Scrub  string `file:"scrub,enum=none|default" plan:"scrub,fixed" nl:"6,new=1,absent=wanted" doc:"clear marks"`
}

// Attributes of a netkit by which the primary end, that of the message which made the cable, stands for the other.
const (
	netkitPrimary    = 2
	netkitPolicy     = 3
	netkitPeerPolicy = 4
	netkitPeerScrub  = 7
)

var netkit = Type{
	Name: TypeNetkit, Part: kernel.Part{Module: "netkit", Option: "NETKIT", Since: "6.7"},
	Pair: true,
	New:  func() Spec { return newNetkit() },
	Traits: Traits{
		NoARPWhile: func(s Spec) bool { return s.(Netkit).Mode == "l3" },
		OwnMAC:     func(s Spec) bool { return s.(Netkit).Mode == "l2" },
	},
	Making: Making{
		Far: func(data *nl.RtAttr, s Spec) {
			far := s.(Netkit)
			data.AddRtAttr(netkitPeerPolicy, nl.Uint32Attr(netkitPolicies[far.Policy]))
			data.AddRtAttr(netkitPeerScrub, nl.Uint32Attr(kernel.Bit(far.Scrub != "none")))
		},
	},
	Changing: Changing{Alter: alterNetkit},
}

func newNetkit() Netkit { return Netkit{Mode: "l2", Policy: "forward", Scrub: "default"} }

// netkitPolicies are NETKIT_PASS and NETKIT_DROP.
var netkitPolicies = map[string]uint32{"forward": 0, "blackhole": 2}

// alterNetkit changes what becomes of packets: the kernel is told by the primary end alone.
func alterNetkit(e *object.Env, s *object.Section, want, _ Link) error {
	live, err := object.FindLink(s.NS, want.Ifname)
	if err != nil {
		return err
	}
	index, attribute := live.Index, netkitPolicy
	if live.Data.U8(netkitPrimary) == 0 {
		far, _ := want.Pair()
		if s, index, err = e.LinkOf(far.NS, far.Name); err != nil {
			return err
		}
		attribute = netkitPeerPolicy
	}
	m := indexRequest(index, 0, 0)
	info := m.Nest(unix.IFLA_LINKINFO)
	info.AddRtAttr(unix.IFLA_INFO_KIND, nl.NonZeroTerminated(TypeNetkit))
	info.AddRtAttr(unix.IFLA_INFO_DATA|unix.NLA_F_NESTED, nil).
		AddRtAttr(attribute, nl.Uint32Attr(netkitPolicies[want.Spec.(Netkit).Policy]))
	return s.NS.Write("set policy of link "+want.Key().Place(), m.NetlinkRequest)
}

// pairTypes makes the ends of a cable of one type. An end that says nothing of it has what the other one says.
func pairTypes(l, far *object.Iface) {
	own, others := l.Spots.Given(TypeNetkit), far.Spots.Given(TypeNetkit)
	switch {
	case own && others:
		if a, b := l.Spec.(Netkit), far.Spec.(Netkit); a.Mode != b.Mode {
			l.Section.Clash(file.Error, l.Spots.In(TypeNetkit).At("mode"), far.Spots.In(TypeNetkit).At("mode"),
				"the ends %s and %s of one cable have different modes, %s and %s", l, far, a.Mode, b.Mode)
		}
	case own && IsPair(far.Type):
		far.Type, far.Spec = l.Type, l.Spec
	case others && IsPair(l.Type):
		l.Type, l.Spec = far.Type, far.Spec
	}
}

// checkNetkit reports what needs frames, on an end of a cable that carries packets alone.
func checkNetkit(l *object.Iface) {
	if s, ok := l.Spec.(Netkit); !ok || s.Mode != "l3" {
		return
	}
	if l.Spots.Given("mac") {
		l.Section.Errorf(l.Spots.At("mac"), "%s has a mac, and is a netkit in mode l3, which has none", l)
	}
	if l.Master != nil && typeOf(l.Master.Type).Enslaves.Table == nil {
		at := l.At
		if l.Spots.Given("master") {
			at = l.Spots.At("master")
		}
		l.Section.Errorf(at, "%s is a netkit in mode l3, which cannot be a port of a bridge", l)
	}
}
