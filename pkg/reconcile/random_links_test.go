package reconcile_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/plumbnet/plumb/pkg/kernel"
	"github.com/plumbnet/plumb/pkg/link"
)

// linkTypes lists the types of link that the kernel has.
func linkTypes() (names []string, err error) {
	host, err := kernel.Current(nil)
	if err != nil {
		return nil, err
	}
	defer host.Close()
	for _, t := range link.Types {
		has, err := host.HasLinks(t.Name, t.Part)
		if err != nil {
			return nil, err
		}
		if has {
			names = append(names, t.Name)
		}
	}
	return names, nil
}

// here makes up only links of types that the kernel has.
func (v inventor) here(t *testing.T) inventor {
	t.Helper()
	types, err := linkTypes()
	if err != nil {
		t.Fatal(err)
	}
	v.types = types
	return v
}

// has says whether links of a type are made up.
func (v inventor) has(of string) bool { return v.types == nil || slices.Contains(v.types, of) }

// plainLinks adds links of the types that need little else: for addresses alone, of programs, and on other links.
func (v inventor) plainLinks(rooms []*room) {
	for _, r := range rooms {
		if v.has("dummy") && v.oneIn(3) {
			v.plain(r, "d0", "dummy", mapping{}, 0)
		}
		if v.has("vlan") && v.oneIn(2) {
			v.vlan(r, rooms)
		}
		if of := choose(v, "tap", "tun"); v.has(of) && v.oneIn(3) {
			program := mapping{}
			if v.oneIn(2) {
				program["user"] = 1000 + v.IntN(2)
			}
			if v.oneIn(3) {
				program["multi-queue"] = true
			}
			l := v.plain(r, "p0", of, program, 2)
			if of == "tap" && len(r.bridges) > 0 && v.oneIn(2) {
				l["master"] = choose(v, r.bridges...)
				delete(l, "addresses")
			}
		}
	}
}

// vlan adds a VLAN on a bridge of any section, with few ids, which change hands, and ipvlans on it.
func (v inventor) vlan(r *room, rooms []*room) {
	below := choose(v, rooms...)
	if len(below.bridges) == 0 {
		return
	}
	parent := choose(v, below.bridges...)
	bridge := below.section("bridges")[parent].(mapping)
	switch {
	case bridge["stp"] != nil || below.small[parent]:
		return // it has no carrier for half a minute, or no room for IPv6
	case below == r:
	case below.name == "":
		parent = "host/" + parent
	default:
		parent = below.name + "/" + parent
	}
	tag := mapping{"parent": parent, "id": 10*r.number + 1 + v.IntN(2)}
	if v.oneIn(4) {
		tag["protocol"] = "802.1ad"
	}
	if v.oneIn(4) {
		tag["loose-binding"] = true
	}
	v.plain(r, "v0", "vlan", tag, 4)
	if !v.has("ipvlan") || v.oneIn(2) {
		return
	}
	mode, flag := choose(v, "l2", "l3", "l3s"), choose(v, "bridge", "private")
	for i := range 1 + v.IntN(2) {
		on := mapping{"parent": "v0", "mode": mode, "flag": flag}
		v.plain(r, fmt.Sprintf("i%d", i), "ipvlan", on, 6+i)
	}
}

// plain adds a link that may have an address of a network of its own.
func (v inventor) plain(r *room, name, of string, options mapping, network int) mapping {
	l := mapping{of: options}
	if of != "ipvlan" && of != "tun" {
		v.mac(r, l)
	}
	if v.oneIn(2) {
		l["addresses"] = []any{fmt.Sprintf("10.17%d.%d.1/24", r.number, network)}
	}
	r.section("interfaces")[name] = l
	return l
}
