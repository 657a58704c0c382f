package topology

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/plumbnet/plumb/pkg/file"
	"github.com/plumbnet/plumb/pkg/object"
)

// document is a topology as the file declares it.
type document struct {
	Node `file:",inline"`
	Name Name `file:"name,required=always" missing:"as \"name: lab\", beside the other keys" doc:"name of the topology"`

	Namespaces file.Map[NamespaceName, Node] `file:"namespaces,item=namespace" doc:"network namespaces, by name"`

	_ struct{} `file:"x-*"` // holds what others refer to by anchors
}

// Node is what a section declares: the host's own, or that of a namespace.
type Node struct {
	Bridges    file.Map[OwnIfname, Bridge]       `file:"bridges,item=bridge" doc:"switches in the kernel, by name"`
	Interfaces file.Map[Ifname, Interface]       `file:"interfaces,item=interface" doc:"ends of cables, by name, and lo"`
	Routes     []Route                           `file:"routes,item=a route" doc:"static routes"`
	NAT        []NAT                             `file:"nat,item=a nat entry" doc:"networks hidden behind an address"`
	Sysctls    file.Map[SysctlName, SysctlValue] `file:"sysctls,item=sysctl" doc:"kernel parameters below net"`
}

// Bridge is an Ethernet switch in the kernel.
type Bridge struct {
	Addresses     []Address `file:"addresses,item=an address" doc:"addresses, the preferred one of a network first"`
	STP           bool      `file:"stp" doc:"spanning tree protocol, which breaks loops"`
	VLANFiltering bool      `file:"vlan-filtering" doc:"the bridge looks at VLAN tags"`
	Snooping      bool      `file:"mcast-snooping" doc:"multicast goes to ports that asked for it"`
	MTU           uint32    `file:"mtu,least=68,most=65535" doc:"largest packet, in bytes"`
	MAC           MAC       `file:"mac" doc:"Ethernet address; left out, derived from the names"`
}

// Default implements [file.Defaulter].
func (b *Bridge) Default() { b.Snooping, b.MTU = true, object.DefaultMTU }

// Interface is an end of a cable, or lo.
type Interface struct {
	Addresses []Address `file:"addresses,item=an address" doc:"addresses, the preferred one of a network first"`
	// Bridge or Peer is where the cable leads to, unless it is declared at its other end.
	Bridge   Place     `file:"bridge" doc:"bridge that the cable leads to"`
	PortName OwnIfname `file:"port-name" doc:"name of the cable's end at the bridge; left out, derived"`
	Peer     Place     `file:"peer" doc:"interface that the cable leads to"`
	Master   OwnIfname `file:"master" doc:"bridge of the section that this end is a port of"`
	MTU      uint32    `file:"mtu,least=68,most=65535" doc:"largest packet of both ends, in bytes"`
	MAC      MAC       `file:"mac" doc:"Ethernet address; left out, derived from the names"`
}

// Default implements [file.Defaulter].
func (i *Interface) Default() { i.MTU = object.DefaultMTU }

// Only implements [file.Chooser]: lo is no cable's end, for the kernel makes it.
func (*Interface) Only(name string) []string {
	if name == "lo" {
		return []string{"addresses"}
	}
	return nil
}

// readAddresses lists the addresses of a link that could be read, and keeps the texts of the others.
func (s *section) readAddresses(list []Address, at file.Spots) []file.Value[netip.Prefix] {
	if text := at.Unread(); text != "" {
		s.doubtful = append(s.doubtful, text)
	}
	good := make([]file.Value[netip.Prefix], 0, len(list))
	for i, at := range at.Items() {
		if at.Good() {
			good = append(good, file.ValueAt(list[i].Prefix, at))
		} else if text := at.Unread(); text != "" {
			s.doubtful = append(s.doubtful, text)
		}
	}
	return good
}

// doubts reports whether an address that could not be read may be what makes another one seem out of place: they begin
// alike.
func (s *section) doubts(a netip.Addr) bool {
	first := a.String()
	first = first[:strings.IndexAny(first, ".:")+1]
	return s.flawed || slices.ContainsFunc(s.doubtful, func(text string) bool { return strings.HasPrefix(text, first) })
}

// in is how messages name an interface: ns1/eth0, or br0 on the host.
func in(ns, name string) string {
	if ns == "" {
		return name
	}
	return ns + "/" + name
}

// Schema is the JSON Schema of a topology.
func Schema() map[string]any { return file.Schema(document{}) }

// Words are the keys of a topology, for the reference.
func Words() []file.Word { return file.Words(document{}) }
