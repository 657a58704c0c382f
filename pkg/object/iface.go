package object

import (
	"net/netip"

	"github.com/plumbnet/plumb/pkg/file"
)

// Iface is a link as the file tells of it.
type Iface struct {
	Section *Sense
	Name    string
	// Type is that of its object; empty for lo.
	Type string
	At   file.Span
	// Form is what the link's type declares of it, with its spots; a link that another one makes has none.
	Form  any
	Spots file.Spots

	// Peer is the other end of a cable.
	Peer *Iface
	// Made is where the link is declared whose other end this is.
	Made   file.Span
	Master *Iface
	// Ports counts the links that have this one for their master, and STP says that it breaks loops of them.
	Ports int
	STP   bool

	MTU       file.Value[uint32]
	MAC       file.Value[MAC]
	Addresses []file.Value[netip.Prefix]
	// Networks are those that the kernel reaches because of each address; not valid for none.
	Networks []netip.Prefix
	// Given says that the link is there already, made by others.
	Given bool
	// Down says that the link is declared down.
	Down bool
	// Base is what the file declares of links of every type; nil where another link makes this one.
	Base any
	// Dynamic says that others add addresses and routes to the link, which are left alone.
	Dynamic bool
	// Port is what the master shall keep of the link, nil for what it keeps of any.
	Port any
	// MasterName is the link that the file names as its master.
	MasterName string
	// Spec is what is peculiar to the link's type.
	Spec any
	// Below are the links of the file that this one is made on.
	Below []*Iface
	// DefaultMTU is the MTU of a link that declares none; nil is [DefaultMTU].
	DefaultMTU func() uint32
	// Forms are those on links, filled in, in the order of the table; a link that another one makes has none.
	Forms []At

	segment Segment
}

// String is how messages name the link: ns1/eth0, or br0 on the host.
func (l *Iface) String() string {
	if l.Section.Name == "" {
		return l.Name
	}
	return l.Section.Name + "/" + l.Name
}

// EffectiveMTU is the MTU that the link will have.
func (l *Iface) EffectiveMTU() uint32 {
	if l.MTU.Good() {
		return l.MTU.V
	}
	if l.DefaultMTU != nil {
		return l.DefaultMTU()
	}
	return DefaultMTU
}

// EffectiveMAC is the MAC address that the link will have.
func (l *Iface) EffectiveMAC() MAC {
	if l.MAC.Good() {
		return l.MAC.V
	}
	return DerivedMAC(l.Section.Topology, l.Section.Name, l.Name)
}

// Segment is a set of links that frames pass between, with routers as its edge. The zero Segment is a link by itself.
type Segment struct {
	up *Segment
}

// Segment is the segment that the link is on.
func (l *Iface) Segment() *Segment { return l.segment.root() }

// root finds what stands for the segment, and shortens the way to it.
func (s *Segment) root() *Segment {
	for s.up != nil {
		if s.up.up != nil {
			s.up = s.up.up
		}
		s = s.up
	}
	return s
}

// Unite makes one segment of the segments of two links. It returns false when they were one already.
func Unite(a, b *Iface) bool {
	to, from := a.Segment(), b.Segment()
	if to != from {
		from.up = to
	}
	return to != from
}
