package link

import (
	"github.com/vishvananda/netlink/nl"

	"github.com/plumbnet/plumb/pkg/file"
	"github.com/plumbnet/plumb/pkg/kernel"
	"github.com/plumbnet/plumb/pkg/object"
	"github.com/plumbnet/plumb/pkg/plan"
)

// Spec is what is peculiar to a type of link, or what a master keeps of its ports: a comparable struct. Each field has
// tags:
//
//   - plan:"id,fixed" names it in print, and says that the kernel cannot change it in place (see package plan);
//   - file:"id,required,most=16777215" is its form in the file (see package file);
//   - nl:"1" is its attribute in IFLA_INFO_DATA: see [attribute].
type Spec any

// Type is a row of the table of types: what the type is, and then, in groups, what goes beyond that. What a row leaves
// out is as it is for most types.
type Type struct {
	// Name is IFLA_INFO_KIND, and the key in the file of a link that stands alone: one with a Doc.
	Name string
	// Doc says in a few words what the link is.
	Doc string
	// Part is the part of the kernel that makes it, which not every kernel has.
	Part kernel.Part
	// Lacks says what this kernel lacks that has the type, and not all that is wanted of the link; empty for nothing.
	Lacks func(e *object.Env, l Link) string
	// Pair says that the kernel makes two of them at once, the ends of a cable.
	Pair bool

	// New is a link as the file declares it without saying more.
	New func() Spec
	// Check reports what the tags of its spec can't, and settles what follows from other keys. What it refers to is found.
	Check func(l *object.Iface, at file.Spots)
	// Settle reads what of a wanted spec stands outside of the topology's file, as keys do.
	Settle func(Spec) (Spec, error)
	// Claims names what only one link can have in its underlay: see [plan.Exclusive].
	Claims func(Spec) []plan.Key
	// Fixed names fields that can't be changed in place from have to want.
	Fixed func(want, have Spec) []string
	// Live adds to the spec of a live link what its attributes do not tell, and takes for wanted what another may have
	// made of them for a time. Wanted is nil where the link is not.
	Live func(s *object.Section, live *object.LiveLink, spec, wanted Spec) Spec
	// Explain adds to an error what the kernel's own words leave out.
	Explain func(l Link, err error) error

	Stack
	Frames
	Traits
	Master
	Making
	Changing
	Unlisted
}

// Stack is what a link is made on: other links, and the section that its packets travel in.
type Stack struct {
	// Below lists the links that it is made on: it needs them, and goes with them.
	Below func(Spec) []plan.Key
	// Lower is the one of them that the kernel keeps as IFLA_LINK.
	Lower func(Spec) object.Ref
	// Outlives says that it stays when such a link goes, without it, and that its MTU may be larger than what that leaves.
	Outlives bool
	// NeedsUp says whether it can be up only while the links below are.
	NeedsUp func(Spec) bool
	// Handler names what hands it the frames that come over the link below, where they pass between the two: the kernel
	// has one for each link.
	Handler string
	// Shared tells, in words, the options that all of the type on one link have in common.
	Shared func(Spec) string

	// Underlay is the section that it is made from, where that can be another than its own: [object.HostName], a
	// namespace, or "" for its own.
	Underlay func(Spec) object.SectionRef
	// Inside says that the message that makes it is sent from its own section, and tells the number of the underlay. Made
	// from the underlay, it would have its own section for one.
	Inside bool
	// AliasTells says that the underlay is read from the alias, for the kernel does not tell it: see [object.Alias].
	AliasTells bool
	// Beneath is the spec of a live link with what its attributes do not tell: its underlay, as Underlay has it, and its
	// lower link.
	Beneath func(s Spec, underlay object.SectionRef, lower object.Ref) Spec
	// Orphan is what the link is when the section of its underlay goes and the link stays.
	Orphan func(Spec) Spec
}

// Frames is what passes over a link, and where to.
type Frames struct {
	// IP says that it carries IP packets and no Ethernet frames: it has no MAC, asks for no neighbours, and is no port of
	// a bridge.
	IP bool
	// Wire names what it shares with those of its type that frames pass to and from.
	Wire func(Spec) string
	// Takes is the link whose frames all come to this one, empty for none.
	Takes func(Spec) object.Ref
	// NoPort says that it cannot be the port of a master that takes its frames.
	NoPort bool
	// NoVLANs says that no VLAN can be made on it.
	NoVLANs bool
}

// Traits is what every link has, where the kernel makes or keeps it otherwise for this type.
type Traits struct {
	// MTU is that of a link that declares none, in bytes: below is the least of those that it is made on, 0 where that is
	// not known. Nil is [object.DefaultMTU].
	MTU func(s Spec, below uint32) uint32
	// MTUs are the least and the most that the kernel gives it; nil is [object.MinMTU] and [object.MaxMTU].
	MTUs func(Spec) (least, most uint32)
	// MTUCapped says that it is never larger than a link below: the kernel lowers it with that.
	MTUCapped bool
	// MTUCopied says that the kernel gives it the MTU of the link below whenever that changes.
	MTUCopied bool

	// OwnMAC says whether it has a MAC of its own; nil says yes.
	OwnMAC func(Spec) bool
	// FixedMAC says that the kernel does not give it another MAC once it is made, and FixedMACWhile that it does not as
	// long as the link is like that.
	FixedMAC      bool
	FixedMACWhile func(Spec) bool
	// NoLinkLocal says that the kernel derives no link-local address for it.
	NoLinkLocal bool

	// NoARP says that the kernel makes it with arp off (IFF_NOARP), and NoMulticast without IFF_MULTICAST.
	NoARP, NoMulticast bool
	// NoARPWhile says whether the kernel turns arp off as long as a link is like that.
	NoARPWhile func(Spec) bool
	// TxQLen is the length of the queue that the kernel makes it with, where that is not [defaultTxQLen].
	TxQLen uint32
	// NoRedirects says that the kernel turns off net.ipv4.conf.all.send_redirects when such a link comes up.
	NoRedirects bool
}

// Master is what a link has that others can be ports of.
type Master struct {
	// Ports is how it keeps its ports, and Enslaves what it makes of them; nil for a type that is no master.
	Ports    *Ports
	Enslaves *Enslaves
	// CheckPorts reports what is wrong with its ports.
	CheckPorts func(l *object.Iface, at file.Spots)
	// UpAfterPorts says that the link comes up after its ports.
	UpAfterPorts bool
}

// Making is how a link is made, where one message does not do.
type Making struct {
	// Make makes a link for which there is no message, and has it stamped.
	Make func(s *object.Section, l Link, stamp func(index int) error) (object.LiveLink, error)
	// Far adds to the message that makes both ends of a cable what is peculiar to the other one.
	Far func(data *nl.RtAttr, far Spec)
	// AsMade is the link as it is made, where it can become what is wanted only by a later change.
	AsMade func(e *object.Env, l Link) Link
	// Awaits is a link of the section that it refers to, and that may be made after it; Without is the spec without that.
	Awaits  func(Spec) object.OwnIfname
	Without func(Spec) Spec
	// Finish is called when the link was made and set up. One that is UpAfterPorts is still down then.
	Finish func(s *object.Section, index int, l Link) error
}

// Changing is how a live link becomes what is wanted, where a message with the fields that differ does not do.
type Changing struct {
	// Before is what a message of its own makes of the link first; have, where there is nothing to do before the rest.
	Before func(want, have Spec) Spec
	// Stops says that the link must be down to become another one in place, and Empties that it must have no ports then,
	// which implies Stops.
	Stops, Empties func(want, have Spec) bool
	// Extra adds to the message what must go with the fields that differ.
	Extra func(data *nl.RtAttr, want, have Spec)
	// Whole says that the message must have all attributes: the kernel makes zero what it lacks. WithMTU says that it must
	// have the MTU too, which else the kernel may derive anew.
	Whole, WithMTU bool
	// Alter changes what of its spec no message does.
	Alter func(e *object.Env, s *object.Section, want, have Link) error
	// Changed is called when the link has been changed.
	Changed func(s *object.Section, index int, l Link, have Spec) error
}

// Unlisted is what no listing of links tells of a link, and no message of links sets.
type Unlisted struct {
	// Ask reads it of live links, by their names: the thread is in their namespace. One that is gone is left out.
	Ask func(names []string) (map[string]Spec, error)
	// Told is what a link is told and never tells again, for the host record, and Recall a live spec by what it was told
	// and what is wanted of it.
	Told   func(e *object.Env, l Link) map[string]string
	Recall func(e *object.Env, live *object.LiveLink, s Spec, want Link, told object.Told) Spec
	// Configure makes a link, which is there, what is wanted.
	Configure func(s *object.Section, l Link, have Spec) error
}

// Ports is what a master keeps of each of its ports.
type Ports struct {
	// New is a port of which the file says nothing, and Declared what the file says of one.
	New      func() Spec
	Declared func(l *object.Iface) Spec
	// Read reads a port from its own link and from its master. Wanted is nil where the link is not a wanted port of it.
	Read func(s *object.Section, port, master *object.LiveLink, wanted Spec) Spec
	// Joined is what a link has become that was just made a port of its master.
	Joined func(e *object.Env, s *object.Section, l Link) Spec
	// Put makes a port what is wanted. It is a message of its own, for the kernel takes nothing of it beside others.
	Put func(s *object.Section, index int, l Link, have Spec) error
}
