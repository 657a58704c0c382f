package topology

import (
	"net/netip"
	"slices"

	"gopkg.in/yaml.v3"

	"github.com/plumbnet/plumb/pkg/kinds"
)

// Route is an entry of a section's list of routes.
type Route struct {
	// To is the destination; the zero prefix is the default route of a family still to be told.
	To       Value[netip.Prefix]
	Type     Value[string]
	Via      Value[netip.Addr]
	Dev      Value[string]
	NextHops []NextHop
	Src      Value[netip.Addr]
	Onlink   Value[bool]
	Metric   Value[uint32]
	Table    Value[uint32]
	MTU      Value[uint32]

	at   span
	hops span // of the key nexthops
	// flawed says that some value could not be read, so that the route as a whole can't be judged.
	flawed bool
}

// NextHop is one of several ways that a route has.
type NextHop struct {
	Via    Value[netip.Addr]
	Dev    Value[string]
	Weight Value[uint32]
	Onlink Value[bool]

	at span
}

func (d *decoder) route(n *yaml.Node) Route {
	r := Route{at: spanOf(n)}
	before := len(d.problems)
	d.fields(n, "a route", []field{
		{"to", set(d, &r.To, destination)},
		{"via", set(d, &r.Via, gateway("via"))},
		{"dev", set(d, &r.Dev, ifname)},
		{"type", set(d, &r.Type, routeType)},
		{"nexthops", func(e entry) {
			r.hops = e.at
			d.list(e, func(item *yaml.Node) { r.NextHops = append(r.NextHops, d.nextHop(item)) })
		}},
		{"metric", set(d, &r.Metric, number("metric", 0, 1<<32-1))},
		{"table", set(d, &r.Table, table)},
		{"src", set(d, &r.Src, gateway("src"))},
		{"onlink", set(d, &r.Onlink, boolean("onlink"))},
		{"mtu", set(d, &r.MTU, mtu)},
	})
	r.flawed = len(d.problems) > before
	return r
}

func (d *decoder) nextHop(n *yaml.Node) NextHop {
	h := NextHop{at: spanOf(n)}
	d.fields(n, "a next hop", []field{
		{"via", set(d, &h.Via, gateway("via"))},
		{"dev", set(d, &h.Dev, ifname)},
		{"weight", set(d, &h.Weight, number("weight", 1, 256))},
		{"onlink", set(d, &h.Onlink, boolean("onlink"))},
	})
	return h
}

// destination is a parser of "default", a network, or the address of one host.
func destination(s string) (netip.Prefix, error) {
	if s == "default" {
		return netip.Prefix{}, nil
	}
	if a, err := netip.ParseAddr(s); err == nil && a.Zone() == "" && !a.Is4In6() {
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	return network("destination")(s)
}

// routeTypes are the routes that lead nowhere, each with its own answer to the sender.
func routeTypes() []string { return []string{kinds.Blackhole, kinds.Unreachable, kinds.Prohibit} }

func routeType(s string) (string, error) {
	if slices.Contains(routeTypes(), s) {
		return s, nil
	}
	hint := suggest(s, routeTypes())
	if s == kinds.Unicast {
		hint = "leave type out"
	}
	return "", flaw{"type must be blackhole, unreachable or prohibit, not " + quote(s), hint}
}

func table(s string) (uint32, error) {
	switch s {
	case "main":
		return kinds.MainTable, nil
	case "local", "255":
		return 0, flawf("table 255 (local) is the kernel's own")
	}
	return number("table", 1, 1<<32-1)(s)
}
