package kinds

import (
	"net/netip"
	"slices"

	"github.com/plumbnet/plumb/pkg/file"
	"github.com/plumbnet/plumb/pkg/object"
)

// defaultRouteWords are what gives a section a gateway.
const defaultRouteWords = "routes: [{to: default, via: ADDRESS}]"

// routeForm is a section's static routes.
func routeForm() object.Form {
	return object.Form{
		On: object.OnSection,
		Part: file.Part{
			Key: "routes", Item: "a route", Doc: "static routes",
			Also: "route|static-routes; gateway|gateway4|gateway6|default-gateway|gw=" + defaultRouteWords,
			New:  func() any { return new([]RouteEntry) },
		},
		Check: checkRoutes, Across: routesAcross, Expand: expandRoutes,
	}
}

// RouteEntry is an entry of a section's list of routes.
type RouteEntry struct {
	To       Destination   `file:"to,required=checked" also:"dst|dest|destination|network|prefix|target" doc:"where the route leads to"`
	Via      Gateway       `file:"via" also:"gateway|gw|next-hop|nexthop|router" doc:"router that the route goes through"`
	Dev      object.Ifname `file:"dev" also:"interface|iface|device|oif" doc:"interface of the section that the route leaves by"`
	Type     RouteType     `file:"type" doc:"how a route that leads nowhere answers the sender"`
	NextHops []HopEntry    `file:"nexthops,item=a next hop" also:"multipath|next-hops" doc:"several ways, between which packets are shared out"`

	Metric uint32 `file:"metric" doc:"of several routes to one network the least is used; 0 is 1024 for IPv6"`

	Table  object.TableNumber `file:"table" doc:"routing table: main, or that of dev's VRF"`
	VRF    object.OwnIfname   `file:"vrf" doc:"VRF of the section, in whose table the route is"`
	Src    Gateway            `file:"src" doc:"source address of what the host itself sends"`
	Onlink bool               `file:"onlink" doc:"the router is on dev, whatever the addresses say"`
	MTU    uint32             `file:"mtu,least=68,most=65535" doc:"largest packet, in bytes; left out, that of the link"`
}

// Default implements [file.Defaulter].
func (r *RouteEntry) Default() { r.Table = MainTable }

// HopEntry is one of several ways that a route has.
type HopEntry struct {
	Via    Gateway       `file:"via" doc:"router"`
	Dev    object.Ifname `file:"dev" doc:"interface of the section"`
	Weight uint32        `file:"weight,least=1,most=256" doc:"share of the packets, against the other weights"`
	Onlink bool          `file:"onlink" doc:"the router is on dev, whatever the addresses say"`
}

// Default implements [file.Defaulter].
func (h *HopEntry) Default() { h.Weight = 1 }

// Destination is a network, or the address of one host. The zero Destination is the default route, of a family that
// the rest of the route decides.
type Destination struct{ netip.Prefix }

func (d Destination) String() string {
	if !d.IsValid() {
		return "default"
	}
	return d.Prefix.String()
}

// Parse implements [file.Parser].
func (d *Destination) Parse(_, s string) error {
	if s == "default" {
		d.Prefix = netip.Prefix{}
		return nil
	}
	if a, err := netip.ParseAddr(s); err == nil && a.Zone() == "" && !a.Is4In6() {
		d.Prefix = netip.PrefixFrom(a, a.BitLen())
		return nil
	}
	p, err := file.ParseNetwork("destination", s)
	if err == nil {
		d.Prefix = p
	}
	return err
}

// Text implements [file.Described].
func (*Destination) Text() file.Text { return file.Text{Words: "network, address, or default"} }

// Gateway is the address of a host: of a router, or of the section itself.
type Gateway struct{ netip.Addr }

// Parse implements [file.Parser].
func (g *Gateway) Parse(name, s string) error {
	a, err := netip.ParseAddr(s)
	switch {
	case err != nil:
		_, err = file.ParseAddr(name, s)
		return err
	case a.Zone() != "":
		return file.Flaw{Message: name + " " + file.Quote(s) + " has a zone", Hint: "name the interface with dev"}
	case a.Is4In6(), a.IsUnspecified(), a.IsMulticast():
		return file.Flawf("%s %s is the address of no host", name, file.Quote(s))
	}
	g.Addr = a
	return nil
}

// Text implements [file.Described].
func (*Gateway) Text() file.Text { return file.Text{Words: "IP address"} }

// RouteType is how a route that leads nowhere answers the sender; empty for one that leads somewhere.
type RouteType string

// Parse implements [file.Parser].
func (t *RouteType) Parse(name, s string) error {
	if words := t.Text().Enum; !slices.Contains(words, s) {
		f := file.NotOneOf(name, s, words)
		if s == Unicast {
			f.Hint = "leave type out"
		}
		return f
	}
	*t = RouteType(s)
	return nil
}

// Text implements [file.Described].
func (*RouteType) Text() file.Text {
	return file.Text{Enum: []string{Blackhole, Unreachable, Prohibit}}
}
