package reconcile_test

import (
	"fmt"
	"strings"
)

// netkits makes some cables netkits.
func (v inventor) netkits(rooms []*room) {
	if !v.has("netkit") {
		return
	}
	at := make(map[string]*room)
	for _, r := range rooms {
		at[r.name] = r
	}
	for _, r := range rooms {
		for _, name := range sortedKeys(r.section("interfaces")) {
			near := r.section("interfaces")[name].(mapping)
			peer, ends := near["peer"].(string)
			if near["bridge"] == nil && !ends || !v.oneIn(4) {
				continue
			}
			of := mapping{}
			near["netkit"] = of
			if v.oneIn(3) {
				of["scrub"] = "none"
			}
			if v.oneIn(4) {
				of["policy"] = "blackhole"
			}
			if !ends || v.oneIn(2) {
				continue
			}
			ns, dev, elsewhere := strings.Cut(peer, "/")
			if !elsewhere {
				ns, dev = "", peer
			}
			far, _ := at[ns].section("interfaces")[dev].(mapping)
			if near["master"] != nil || near["mac"] != nil || far["master"] != nil || far["mac"] != nil {
				continue // of frames
			}
			of["mode"] = "l3"
			r.routed[name], at[ns].routed[dev] = true, true
		}
	}
}

// bonds adds bonds of ends of cables, of links for addresses alone, and of what is there already.
func (v inventor) bonds(rooms []*room) {
	if !v.has("bond") {
		return
	}
	for _, r := range rooms {
		if v.oneIn(2) {
			continue
		}
		var ports []string
		for _, name := range sortedKeys(r.section("interfaces")) {
			port := r.section("interfaces")[name].(mapping)
			fits := strings.HasPrefix(name, "e") || name == "d0" || name == theirSpare && r.section("interfaces")["c1"] == nil
			if !fits || r.routed[name] || isPort(port) || len(ports) == 2 || v.oneIn(2) {
				continue
			}
			ports = append(ports, name)
			port["master"] = "bond0"
			for _, key := range []string{"mtu", "mac", "addresses"} { // it has those of the bond
				delete(port, key)
			}
		}
		bond := mapping{"bond": v.bond(ports)}
		v.mac(r, bond)
		if v.oneIn(5) {
			bond["mtu"] = choose(v, 1400, 9000)
		}
		r.section("interfaces")["bond0"] = bond
		r.links = append(r.links, "bond0")
	}
}

// isPort says whether a link is of a master, or is a cable that says what the bridge at its other end keeps of it.
func isPort(link mapping) bool {
	return link["master"] != nil || link["bridge"] != nil && link["port"] != nil
}

// bond is what is peculiar to one.
func (v inventor) bond(ports []string) mapping {
	of := mapping{"mode": choose(v, "balance-rr", "active-backup", "active-backup", "balance-xor", "broadcast", "802.3ad",
		"balance-tlb", "balance-alb")}
	switch of["mode"] {
	case "balance-rr":
		of["packets-per-slave"] = choose(v, 1, 2)
	case "active-backup":
		of["fail-over-mac"] = choose(v, "none", "none", "active", "follow")
		if len(ports) > 0 && v.oneIn(2) {
			of["primary"] = choose(v, ports...)
		}
	case "802.3ad":
		of["lacp-rate"], of["ad-select"] = choose(v, "slow", "fast"), choose(v, "stable", "count")
	default:
		if of["mode"] != "broadcast" {
			of["xmit-hash-policy"] = choose(v, "layer2", "layer3+4")
		}
	}
	if v.oneIn(3) {
		of["updelay"], of["downdelay"] = 200, choose(v, 0, 300)
	}
	if v.oneIn(4) {
		of["num-peer-notif"] = 2
	}
	return of
}

// vrfs adds routing domains, whose tables are few, with ports of any type.
func (v inventor) vrfs(rooms []*room) {
	if !v.has("vrf") {
		return
	}
	for _, r := range rooms {
		var names []any
		for i, name := range []string{"red", "blue"} {
			if v.oneIn(2) {
				continue
			}
			names = append(names, name)
			vrf := mapping{"vrf": mapping{"table": 10*(i+1) + v.IntN(2)}}
			v.mac(r, vrf)
			if v.oneIn(3) {
				vrf["addresses"] = []any{fmt.Sprintf("10.254.%d.%d/32", r.number, i)}
			}
			defer func() { r.section("interfaces")[name] = vrf }()
		}
		for _, kind := range []string{"bridges", "interfaces"} {
			for _, name := range sortedKeys(r.section(kind)) {
				port, _ := r.section(kind)[name].(mapping)
				if len(names) == 0 || name == theirCard || isPort(port) || !v.oneIn(3) {
					continue
				}
				port["master"] = choose(v, names...)
				r.vrf[name] = fmt.Sprint(port["master"])
			}
		}
	}
}
