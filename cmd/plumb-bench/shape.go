package main

import (
	"encoding/binary"
	"net/netip"
	"slices"
)

// shape is a network. What each contender is given is made from it, so that all build the same.
type shape struct {
	name       string
	bridges    []bridge // on the host
	namespaces []namespace
	cables     []cable
	ping       probe
}

type bridge struct {
	name    string
	address netip.Prefix
}

type namespace struct {
	name    string
	sysctls []sysctl
	routes  []route
}

type sysctl struct{ key, value string }

// route has a destination of zero bits when it is the default.
type route struct {
	to  netip.Prefix
	via netip.Addr
}

// cable is a pair of veth. The first end's side makes it, and a first end alone may be a port of a bridge.
type cable [2]end

type end struct {
	namespace string // empty: the host
	name      string
	bridge    string
	address   netip.Prefix // invalid: none
}

// probe is a ping that shows that the network works.
type probe struct {
	From string     `json:"from"`
	To   netip.Addr `json:"to"`
}

// ends are the interfaces of each namespace, in the order of the cables.
func (s shape) ends() map[string][]end {
	ends := map[string][]end{}
	for _, c := range s.cables {
		for _, e := range c {
			ends[e.namespace] = append(ends[e.namespace], e)
		}
	}
	return ends
}

// changeable says whether there is a changed form of the shape: a bridge's subnet has room for it.
func (s shape) changeable() bool { return len(s.bridges) > 0 }

// changed is the shape with another last octet in the address of the last host.
func (s shape) changed() shape {
	s.cables = slices.Clone(s.cables)
	host := &s.cables[len(s.cables)-1][1]
	host.address = netip.PrefixFrom(host.address.Addr().Next(), host.address.Bits())
	s.ping.To = host.address.Addr()
	return s
}

// census counts what can be seen of a network: links that are bridges or ends of cables, IPv4 addresses but those of
// lo, and IPv4 routes of the main table.
type census struct {
	Namespaces, Links, Addresses, Routes int
}

// census is what must be there when the shape is built. An address brings the route of its subnet.
func (s shape) census() census {
	c := census{Namespaces: len(s.namespaces), Links: len(s.bridges) + 2*len(s.cables), Addresses: len(s.bridges)}
	for _, cable := range s.cables {
		for _, e := range cable {
			if e.address.IsValid() {
				c.Addresses++
			}
		}
	}
	c.Routes = c.Addresses
	for _, n := range s.namespaces {
		c.Routes += len(n.routes)
	}
	return c
}

// address is the nth of those from 10.NET.0.0 on.
func address(net, n int) netip.Addr {
	var a [4]byte
	binary.BigEndian.PutUint32(a[:], 10<<24|uint32(net)<<16|uint32(n))
	return netip.AddrFrom4(a)
}
