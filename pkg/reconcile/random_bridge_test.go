package reconcile_test

import (
	"maps"
	"slices"
	"strings"
)

// bridgeOptions gives a bridge what the kernel keeps of it, or leaves that as it is by itself.
func (v inventor) bridgeOptions(b mapping) {
	if v.oneIn(6) {
		b["priority"] = choose(v, 0, 4096, 65535)
	}
	if v.oneIn(6) {
		b["forward-delay"] = choose(v, "2s", "3.5s", "30s")
	}
	if v.oneIn(6) {
		b["ageing"] = choose(v, "0s", "1m", "12340ms")
	}
	if v.oneIn(8) {
		b["group-fwd-mask"] = "0x4000"
	}
	if !v.vlans {
		return
	}
	if v.oneIn(2) {
		b["vlan-filtering"] = true
		if v.oneIn(3) {
			b["port"] = v.vlansOfPort()
		}
	}
	if v.oneIn(4) {
		b["default-pvid"] = choose(v, 0, 1, 10)
	}
	if v.oneIn(8) {
		b["vlan-protocol"] = "802.1ad"
	}
}

// vlansOfPort are those of an access port, of a trunk, or of one that is both.
func (v inventor) vlansOfPort() mapping {
	return choose(v, mapping{"pvid": 10}, mapping{"vlans": []any{10, "20-30"}},
		mapping{"pvid": 1, "vlans": []any{"25-40"}},
		mapping{"pvid": 10, "vlans": []any{20}, "untagged": []any{20}})
}

// ports say what bridges keep of their ports, and bridges where stations are.
func (v inventor) ports(rooms []*room) {
	of := make(map[string]*room)
	for _, r := range rooms {
		of[r.name] = r
	}
	for _, r := range rooms {
		for _, name := range sortedKeys(r.section("interfaces")) {
			link, _ := r.section("interfaces")[name].(mapping)
			to, cable := link["bridge"].(string)
			master, port := link["master"].(string)
			if cable == port || v.oneIn(2) { // neither, or both
				continue
			}
			at, bridge := r, master
			if cable {
				ns, dev, elsewhere := strings.Cut(to, "/")
				if at, bridge = of[""], to; elsewhere {
					at, bridge = of[ns], dev
				}
			}
			v.port(link, at.section("bridges")[bridge].(mapping))
		}
	}
}

// port is one of a bridge.
func (v inventor) port(link, bridge mapping) {
	p := mapping{}
	if bridge["vlan-filtering"] == true && v.oneIn(2) {
		p = v.vlansOfPort()
	}
	for _, option := range []string{"isolated", "fast-leave"} {
		if v.oneIn(4) {
			p[option] = true
		}
	}
	for _, option := range []string{"learning", "flood"} {
		if v.oneIn(4) {
			p[option] = false
		}
	}
	if v.oneIn(4) {
		p["cost"] = choose(v, 1, 2, 65535)
	}
	if v.oneIn(4) {
		p["priority"] = choose(v, 0, 32, 63)
	}
	link["port"] = p
	dev, named := link["port-name"].(string)
	if named && bridge["vlan-filtering"] != true && v.oneIn(3) {
		list, _ := bridge["fdb"].([]any)
		for _, e := range list {
			if e.(mapping)["mac"] == "02:0f:db:00:00:01" {
				return
			}
		}
		bridge["fdb"] = append(list, mapping{"mac": "02:0f:db:00:00:01", "dev": dev})
	}
}

func sortedKeys(m mapping) []string { return slices.Sorted(maps.Keys(m)) }
