package kinds

import (
	"net/netip"

	"github.com/plumbnet/plumb/pkg/file"
	"github.com/plumbnet/plumb/pkg/link"
	"github.com/plumbnet/plumb/pkg/object"
)

// NeighborEntry is an entry of a section's list of neighbours.
type NeighborEntry struct {
	Address netip.Addr    `file:"address,required" missing:"as \"address: 10.0.0.2\"" doc:"address of the neighbour"`
	MAC     object.MAC    `file:"mac,required" missing:"as \"mac: 02:00:00:00:00:01\"" doc:"its Ethernet address"`
	Dev     object.Ifname `file:"dev,required" missing:"as \"dev: eth0\"" doc:"the interface that it is reached over"`
}

// neighborForm is how neighbours stand in a section.
func neighborForm() object.Form {
	return object.Form{
		On: object.OnSection,
		Part: file.Part{
			Key: "neighbors", Item: "a neighbor", Doc: "static neighbours: which Ethernet address an IP address has",
			New: func() any { return new([]NeighborEntry) },
		},
		Check: checkNeighbors,
		Expand: func(at *object.At, x *object.Expansion) {
			for i, spot := range at.Spots.Items() {
				n := (*at.Form.(*[]NeighborEntry))[i]
				x.Add(Neighbor{
					NS: at.Name, Dev: string(n.Dev), Address: n.Address, MAC: n.MAC, Proto: object.Protocol,
				}, spot.At())
			}
		},
	}
}

// checkNeighbors reports what no neighbour can be.
func checkNeighbors(at *object.At) any {
	type place struct {
		dev     object.Ifname
		address netip.Addr
	}
	first := make(map[place]file.Span)
	for i, spot := range at.Spots.Items() {
		n := (*at.Form.(*[]NeighborEntry))[i]
		if !spot.Good("address") || !spot.Good("dev") || !at.Has(string(n.Dev), spot.At("dev")) {
			continue
		}
		l, declared := at.Sense.Link(string(n.Dev))
		k := place{n.Dev, n.Address}
		other, twice := first[k]
		switch {
		case twice:
			at.Errorf(spot.At(), "neighbor %s of %s is given twice, first on line %d", n.Address, n.Dev, other.Line)
		case n.Address.IsUnspecified() || n.Address.IsMulticast():
			at.Errorf(spot.At("address"), "%s is the address of no neighbour", n.Address)
		case at.Holds(n.Address, string(n.Dev), tableOf(l)):
			at.Errorf(spot.At("address"), "%s is %s own address", n.Address, at.Whose())
		case n.Dev == object.Lo || declared && !link.HasStations(l):
			at.Errorf(spot.At("dev"), "%s has no neighbours with a MAC", n.Dev)
		case declared && l.Down:
			at.Errorf(spot.At("dev"), "%s is declared down, and the kernel keeps the neighbours of links that are up", l).
				Hint = l.Spots.At("up").See()
		case declared && n.Address.Is6() && l.EffectiveMTU() < object.MinIPv6MTU:
			at.Errorf(spot.At("address"), "IPv6 needs an MTU of at least %d, and that of %s is %d",
				object.MinIPv6MTU, l, l.EffectiveMTU())
		}
		first[k] = spot.At()
	}
	at.Expect(len(first))
	return nil
}
