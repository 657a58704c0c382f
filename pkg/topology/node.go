package topology

import (
	"errors"
	"net/netip"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/plumbnet/plumb/pkg/object"
)

// Node is what a section declares: the host's own, or that of a namespace. The lists are in the order of the file.
type Node struct {
	// Name is empty for the host.
	Name       string
	Bridges    []Bridge
	Interfaces []Interface
	Routes     []Route
	NAT        []NAT
	Sysctls    []Sysctl

	at span
	// flawed says that a part of the section could not be read, so that what seems missing may be there.
	flawed bool
	// doubtful are the texts of addresses that could not be read.
	doubtful []string
}

// Bridge is an Ethernet switch in the kernel.
type Bridge struct {
	Name          string
	Addresses     []Value[netip.Prefix]
	STP           Value[bool]
	VLANFiltering Value[bool]
	Snooping      Value[bool]
	MTU           Value[uint32]
	MAC           Value[object.MAC]

	at span
}

// Interface is an end of a cable, or lo.
type Interface struct {
	Name string
	// Bridge or Peer is where the cable goes to, unless it is declared at its other end.
	Bridge    Value[Place]
	PortName  Value[string]
	Peer      Value[Place]
	Master    Value[string]
	MTU       Value[uint32]
	MAC       Value[object.MAC]
	Addresses []Value[netip.Prefix]

	at     span
	flawed bool
}

// topology decodes a document.
func (d *decoder) topology(n *yaml.Node) *Topology {
	t := &Topology{File: d.file}
	t.Host.at = spanOf(n)
	var name Value[string]
	known := append(d.section(&t.Host),
		field{"name", set(d, &name, topologyName)},
		field{"namespaces", func(e entry) { d.namespaces(t, e) }},
		field{templates, func(entry) {}})
	t.Host.flawed = d.fields(n, "the topology", known) == garbled || t.Host.flawed
	t.Name, t.at = name.V, name.at
	if !name.Given() && n.Kind == yaml.MappingNode {
		d.errorf(spanOf(n), "the topology has no name").Hint = `as "name: lab", beside the other keys`
	}
	return t
}

// section lists the keys that the host and a namespace have in common.
func (d *decoder) section(n *Node) []field {
	keep := func(ok bool) { n.flawed = n.flawed || !ok }
	return []field{
		{"bridges", func(e entry) { keep(d.bridges(n, e)) }},
		{"interfaces", func(e entry) { keep(d.interfaces(n, e)) }},
		{"routes", func(e entry) {
			n.Routes = slices.Grow(n.Routes, len(e.value.Content))
			d.list(e, func(item *yaml.Node) { n.Routes = append(n.Routes, d.route(item)) })
		}},
		{"nat", func(e entry) {
			d.list(e, func(item *yaml.Node) { n.NAT = append(n.NAT, d.nat(item)) })
		}},
		{"sysctls", func(e entry) { n.Sysctls = d.sysctls(e) }},
	}
}

func (d *decoder) namespaces(t *Topology, e entry) {
	entries, ok := d.entries(e.value, e.key)
	t.Host.flawed = t.Host.flawed || !ok
	t.Namespaces = slices.Grow(t.Namespaces, len(entries))
	for _, e := range entries {
		if !d.named(e, namespaceName) {
			continue
		}
		n := Node{Name: e.key, at: e.at}
		n.flawed = d.fields(e.value, "namespace "+e.key, d.section(&n)) == garbled || n.flawed
		t.Namespaces = append(t.Namespaces, n)
	}
}

// named checks a key that names something.
func (d *decoder) named(e entry, parse func(string) (string, error)) bool {
	_, err := parse(e.key)
	if err == nil {
		return true
	}
	p := d.errorf(e.at, "%s", err)
	if f, ok := errors.AsType[flaw](err); ok {
		p.Hint = f.hint
	}
	return false
}

func (d *decoder) bridges(n *Node, e entry) bool {
	entries, ok := d.entries(e.value, e.key)
	for _, e := range entries {
		if !d.named(e, ownIfname) {
			continue
		}
		b := Bridge{Name: e.key, at: e.at}
		d.fields(e.value, "bridge "+in(n.Name, e.key), []field{
			{"addresses", d.addresses(n, &b.Addresses)},
			{"stp", set(d, &b.STP, boolean("stp"))},
			{"vlan-filtering", set(d, &b.VLANFiltering, boolean("vlan-filtering"))},
			{"mcast-snooping", set(d, &b.Snooping, boolean("mcast-snooping"))},
			{"mtu", set(d, &b.MTU, mtu)},
			{"mac", set(d, &b.MAC, object.ParseMAC)},
		})
		n.Bridges = append(n.Bridges, b)
	}
	return ok
}

func (d *decoder) interfaces(n *Node, e entry) bool {
	entries, ok := d.entries(e.value, e.key)
	n.Interfaces = slices.Grow(n.Interfaces, len(entries))
	for _, e := range entries {
		if !d.named(e, ifname) {
			continue
		}
		i := Interface{Name: e.key, at: e.at}
		known := []field{
			{"addresses", d.addresses(n, &i.Addresses)},
			{"bridge", set(d, &i.Bridge, place)},
			{"port-name", set(d, &i.PortName, ownIfname)},
			{"peer", set(d, &i.Peer, place)},
			{"master", set(d, &i.Master, ownIfname)},
			{"mtu", set(d, &i.MTU, mtu)},
			{"mac", set(d, &i.MAC, object.ParseMAC)},
		}
		if i.Name == "lo" {
			known = known[:1] // it is no cable's end: the kernel makes it
		}
		i.flawed = d.fields(e.value, "interface "+in(n.Name, e.key), known) != orderly
		n.Interfaces = append(n.Interfaces, i)
	}
	return ok
}

// addresses reads a list of addresses.
func (d *decoder) addresses(n *Node, to *[]Value[netip.Prefix]) func(entry) {
	return func(e entry) {
		ok := d.list(e, func(item *yaml.Node) {
			v := read(d, item, "an address", address)
			if !v.bad {
				*to = append(*to, v)
			} else if item.Kind == yaml.ScalarNode {
				n.doubtful = append(n.doubtful, item.Value)
			}
		})
		if !ok {
			n.doubtful = append(n.doubtful, e.value.Value)
		}
	}
}

// doubts says whether an address that could not be read may be what makes another one seem out of place: they begin
// alike.
func (n *Node) doubts(a netip.Addr) bool {
	first := a.String()
	first = first[:strings.IndexAny(first, ".:")+1]
	return n.flawed || slices.ContainsFunc(n.doubtful, func(s string) bool { return strings.HasPrefix(s, first) })
}

// in is how messages name an interface: ns1/eth0, or br0 on the host.
func in(ns, name string) string {
	if ns == "" {
		return name
	}
	return ns + "/" + name
}
