package link

import (
	"fmt"
	"strconv"
	"time"

	"github.com/plumbnet/plumb/pkg/file"
	"github.com/plumbnet/plumb/pkg/object"
)

// GroupMask is a set of the addresses 01:80:c2:00:00:00 to 0f, which bridges keep to themselves (IEEE 802.1D): bit N
// stands for the one that ends with N.
type GroupMask uint16

// neverForwarded are STP, pause frames and LACP, which no bridge may pass on (BR_GROUPFWD_RESTRICTED of
// net/bridge/br_private.h).
const neverForwarded = 0x7

// Parse implements [file.Parser].
func (m *GroupMask) Parse(what, text string) error {
	n, err := strconv.ParseUint(text, 0, 16)
	switch {
	case err != nil:
		return file.Flaw{
			Message: what + " " + file.Quote(text) + " is no number of 16 bits",
			Hint:    "as 0x4000, which passes on LLDP",
		}
	case n&neverForwarded != 0:
		return file.Flaw{
			Message: fmt.Sprintf("%s %#x has bit 0, 1 or 2: the kernel never passes on STP, pause frames and LACP", what, n),
			Hint:    fmt.Sprintf("write %s", GroupMask(n&^neverForwarded)),
		}
	}
	*m = GroupMask(n)
	return nil
}

// Text implements [file.Described].
func (*GroupMask) Text() file.Text {
	return file.Text{
		Words: "number of 16 bits, as 0x4000", Pattern: `^(0[xX][0-9a-fA-F]{1,4}|[0-9]+)$`,
		Types: []string{"string", "integer"},
	}
}

func (m GroupMask) String() string { return fmt.Sprintf("%#x", uint16(m)) }

// VLANProto is the kind of tag by which a bridge tells VLANs: its EtherType (ETH_P_8021Q, ETH_P_8021AD).
type VLANProto uint16

// vlanProtos are those that bridges know, by their names in ip-link(8).
var vlanProtos = []struct {
	name  string
	proto VLANProto
}{{"802.1q", 0x8100}, {"802.1ad", 0x88a8}}

// Parse implements [file.Parser].
func (p *VLANProto) Parse(what, text string) error {
	for _, known := range vlanProtos {
		if text == known.name {
			*p = known.proto
			return nil
		}
	}
	return file.NotOneOf(what, text, p.Text().Enum)
}

// Text implements [file.Described].
func (*VLANProto) Text() file.Text {
	return file.Text{Words: "kind of tag", Enum: []string{"802.1q", "802.1ad"}}
}

func (p VLANProto) String() string {
	for _, known := range vlanProtos {
		if p == known.proto {
			return known.name
		}
	}
	return fmt.Sprintf("unknown %#x", uint16(p))
}

// bridgeForm has the keys of a bridge.
type bridgeForm struct {
	Bridge `file:",inline"`
	Port   VLANKeys   `file:"port" doc:"VLANs that the host itself is in by this bridge"`
	FDB    []fdbEntry `file:"fdb,item=an fdb entry" doc:"where stations are, so that it need not be learned"`

	static []StaticEntry
}

// VLANKeys say which VLANs a port is in.
type VLANKeys struct {
	PVID     uint16      `file:"pvid,least=1,most=4094" doc:"VLAN of frames without a tag"`
	VLANs    []VLANRange `file:"vlans,item=VLAN" doc:"VLANs that the port is in, beside pvid, as 20 or 30-40"`
	Untagged []VLANRange `file:"untagged,item=VLAN" doc:"those that leave without a tag; left out, pvid"`
}

// portKeys are what the file says of a port of a bridge.
type portKeys struct {
	VLANKeys    `file:",inline"`
	PortOptions `file:",inline"`
	Cost        uint32 `file:"cost,least=1,most=65535" doc:"cost in the spanning tree; left out, by the speed"`
}

// table is the one that the keys stand for; without any it is that of a new port.
func (k VLANKeys) table(at file.Spots, of uint16) VLANTable {
	if !k.given(at) {
		return accessTo(of)
	}
	t := accessTo(k.PVID)
	t.VLANs = addVLANs(t.VLANs, k.VLANs...)
	if at.Given("untagged") {
		t.Untagged = vlans(k.Untagged...)
	}
	return t
}

// given reports whether the file has any of the keys.
func (VLANKeys) given(at file.Spots) bool {
	return at.Given("pvid") || at.Given("vlans") || at.Given("untagged")
}

// check reports VLANs that can't be: bridge is the one that they are of.
func (k VLANKeys) check(s *object.Sense, bridge *object.Iface, at file.Spots) {
	b, _ := bridge.Spec.(Bridge)
	for _, key := range []string{"pvid", "vlans", "untagged"} {
		if at.Given(key) && !b.VLANFiltering {
			s.Errorf(at.At(key), "%s stands in a port of bridge %s, which does not filter VLANs", key, bridge).
				Hint = fmt.Sprintf("set vlan-filtering: true on bridge %s", bridge)
			return
		}
	}
	if at.Doubtful() || !at.Given("untagged") {
		return
	}
	all := addVLANs(accessTo(k.PVID).VLANs, k.VLANs...)
	for i, r := range k.Untagged {
		if rest := minusVLANs(vlans(r), all); rest.Len() > 0 {
			s.Errorf(at.At("untagged", i), "the port is not in VLAN %s, and so nothing of it leaves untagged", rest).
				Hint = "add it to vlans"
		}
	}
}

// spec is the bridge that the keys stand for.
func (f *bridgeForm) spec(at file.Spots) Bridge {
	b := f.Bridge
	b.VLANTable = f.Port.table(at.In("port"), b.DefaultPVID)
	return b
}

// maxBridgeTime is the most that IEEE 802.1D lets a bridge remember an address.
const maxBridgeTime = 1000000 * time.Second

// checkBridge reports what a bridge can't be.
func checkBridge(l *object.Iface, f *bridgeForm) {
	s, at := l.Section, l.Spots
	f.Port.check(s, l, at.In("port"))
	for key, d := range map[string]file.Duration{"forward-delay": f.Delay, "ageing": f.Ageing} {
		switch v := time.Duration(d); {
		case !at.Good(key):
		case v%bridgeTick != 0:
			s.Errorf(at.At(key), "%s is %s, and the kernel counts hundredths of a second", key, d)
		case v > maxBridgeTime:
			s.Errorf(at.At(key), "%s is %s, and %s is the most", key, d, file.Duration(maxBridgeTime))
		}
	}
	const least, most = 2 * time.Second, 30 * time.Second // BR_MIN_FORWARD_DELAY, BR_MAX_FORWARD_DELAY
	if v := time.Duration(f.Delay); at.Good("forward-delay") && f.STP && (v < least || v > most) {
		s.Errorf(at.At("forward-delay"), "forward-delay is %s, and with stp it must be from 2s to 30s", f.Delay)
	}
}

// joinPorts has the master of each link keep of it what the file says.
func joinPorts(n *object.Network) {
	for _, s := range n.Sections {
		for _, l := range s.Links {
			if f, ok := l.Port.(*portKeys); ok {
				l.Port = nil
				joinPort(l, f, l.Spots.In("port"))
			}
			if f, ok := l.Form.(*bridgeForm); ok {
				checkBridge(l, f)
			}
		}
	}
	for _, s := range n.Sections {
		for _, l := range s.Links {
			if f, ok := l.Form.(*bridgeForm); ok {
				f.static = f.entries(l)
			}
		}
	}
}

// joinPort gives what the file says of a port to the link that is the port: the interface itself, or its cable's end at
// a bridge.
func joinPort(l *object.Iface, f *portKeys, at file.Spots) {
	s, port := l.Section, l
	if l.Spots.Given("bridge") {
		port = l.Peer
	}
	switch {
	case !l.Spots.Given("port"):
		return
	case l.Spots.Given("bridge") && l.Spots.Given("master"):
		s.Errorf(at.At(), "interface %s has bridge and master, and port does not say which of the two ports it is about", l).
			Hint = "write the cable as peer ends with master"
		return
	case !l.Spots.Given("bridge") && !l.Spots.Given("master"):
		s.Errorf(at.At(), "interface %s has port, and neither bridge nor master: it is a port of nothing", l)
		return
	case port == nil || port.Master == nil:
		return // it is reported where it is named
	case port.Master.Type != TypeBridge:
		s.Errorf(at.At(), "%s is a %s, and port is about ports of a bridge", port.Master, port.Master.Type)
		return
	}
	f.check(s, port.Master, at)
	b, _ := port.Master.Spec.(Bridge)
	p := NewPort(port.Type, b)
	p.PortOptions, p.VLANTable = f.PortOptions, f.table(at, b.DefaultPVID)
	if f.Cost != 0 {
		p.Cost = f.Cost
	}
	port.Port = p
}
