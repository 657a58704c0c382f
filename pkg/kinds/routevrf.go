package kinds

import (
	"net/netip"

	"github.com/plumbnet/plumb/pkg/file"
	"github.com/plumbnet/plumb/pkg/link"
	"github.com/plumbnet/plumb/pkg/object"
)

// ofVRF settles the table of a route that names a VRF, or links that are the ports of one: it is that of the VRF, where
// what comes in by these is looked up, unless the file names another.
func (r *routeAt) ofVRF() bool {
	at := r.at
	switch {
	case at.Given("vrf") && at.Given("table"):
		r.Clash(file.Error, at.At("vrf"), at.At("table"), "a route has vrf or table, not both")
		return false
	case at.Given("vrf"):
		v, ok := r.Link(string(r.VRF))
		if (!ok || v.Type != link.TypeVRF) && !r.Doubtful {
			r.Errorf(at.At("vrf"), "%s has no vrf %s", r.Declared(), file.Quote(string(r.VRF))).
				Hint = file.Suggest(string(r.VRF), r.LinkNames(link.TypeVRF))
			return false
		}
		if ok {
			r.Table = object.TableNumber(v.RouteTable())
		}
		return ok
	case at.Given("table"):
		return true
	}
	return r.ofPorts()
}

// ofPorts takes the table from the links that the route names.
func (r *routeAt) ofPorts() bool {
	devs := []object.Ifname{r.Dev}
	for _, h := range r.NextHops {
		devs = append(devs, h.Dev)
	}
	first := ""
	for _, dev := range devs {
		l, ok := r.Link(string(dev))
		table := uint32(MainTable)
		if ok && l.Type != link.TypeVRF { // a route over a VRF itself leads into it from elsewhere
			table = l.RouteTable()
		}
		switch {
		case dev == "":
		case first == "":
			first, r.Table = string(dev), object.TableNumber(table)
		case r.Table != object.TableNumber(table):
			r.Errorf(r.at.Key("nexthops"), "%s and %s are in different VRFs", first, dev).
				Hint = "name the routing table: table: main, or that of a VRF"
			return false
		}
	}
	return true
}

// vrfToward names a VRF in which an address is reached, empty for none.
func (r routeAt) vrfToward(ip netip.Addr) string {
	for _, l := range r.Links {
		if _, reached := r.Subnets.Toward(ip, "", l.RouteTable()); l.Type == link.TypeVRF && reached != nil {
			return l.Name
		}
	}
	return ""
}

// tableOf is the routing table of a link; nil is one that the file does not declare.
func tableOf(l *object.Iface) uint32 {
	if l == nil {
		return MainTable
	}
	return l.RouteTable()
}
