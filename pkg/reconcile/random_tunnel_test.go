package reconcile_test

import (
	"fmt"
	"slices"
	"sync"

	"github.com/plumbnet/plumb/pkg/battery/host"
)

// tunnelKinds are the types of tunnels that the kernel has.
var tunnelKinds = sync.OnceValue(func() (list []string) {
	for _, of := range []string{"gre", "gretap", "ipip", "sit", "geneve"} {
		ends := []string{"local", "192.0.2.1", "remote", "192.0.2.2"}
		if of == "geneve" {
			ends = []string{"id", "1", "remote", "192.0.2.1"}
		}
		err := host.Apart(func() error {
			return host.Run("ip", slices.Concat([]string{"link", "add", "x", "type", of}, ends)...)
		})
		if err == nil {
			list = append(list, of)
		}
	}
	return list
})

// ipTunnels adds tunnels of the types that the kernel has. Their ends are few: from one topology to the next they change
// hands.
func (v inventor) ipTunnels(rooms []*room) {
	kinds := tunnelKinds()
	taken := make(map[string]bool)
	for _, r := range rooms {
		for _, name := range []string{"g0" + r.name, "g1" + r.name} {
			if len(kinds) == 0 || v.oneIn(2) {
				continue
			}
			of := choose(v, kinds...)
			tunnel := mapping{"remote": choose(v, "192.0.2.1", "192.0.2.2", "192.0.2.3")}
			if of == "geneve" {
				tunnel["id"] = 1 + v.IntN(2)
			} else {
				tunnel["local"] = choose(v, "192.0.2.8", "192.0.2.9")
			}
			underlay := r.name
			if v.oneIn(4) {
				tunnel["underlay"], underlay = "host", ""
			}
			claim := fmt.Sprint(underlay, of, tunnel["id"], tunnel["local"], tunnel["remote"])
			if taken[claim] {
				continue
			}
			taken[claim] = true
			if v.oneIn(4) {
				tunnel["ttl"] = 9
			}
			link := mapping{of: tunnel}
			if v.oneIn(2) {
				link["addresses"] = []any{fmt.Sprintf("10.17%d.%s.1/24", r.number, name[1:2])}
			}
			r.section("interfaces")[name] = link
		}
	}
}
