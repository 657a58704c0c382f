package reconcile_test

import "strings"

// tune gives links of any type what any can have: names, features, and switches.
func (v inventor) tune(r *room) {
	names := []string{"alt0", "alt1", "another-name-that-is-longer-than-one-of-a-link"}
	v.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
	for _, kind := range []string{"bridges", "interfaces"} {
		for _, name := range sortedKeys(r.section(kind)) {
			link, ok := r.section(kind)[name].(mapping)
			if !ok {
				continue
			}
			if len(names) > 0 && v.oneIn(6) {
				link["altnames"], names = []any{names[0]}, names[1:]
			}
			if v.oneIn(10) {
				link["txqueuelen"] = choose(v, 77, 1000)
			}
			v.tuneMore(link)
		}
	}
}

// tuneMore gives a link what the kernel keeps traces of: features, and arp and multicast off, with which IPv6 begins
// otherwise on a link.
func (v inventor) tuneMore(link mapping) {
	if v.oneIn(6) {
		link["offload"] = v.offload()
	}
	for _, key := range []string{"arp", "multicast"} {
		if v.oneIn(12) {
			link[key] = false
		}
	}
}

// offload is of features that a link of any type has, and that none has fixed.
func (v inventor) offload() mapping {
	of := mapping{}
	for _, feature := range []string{"rx-gro", "rx-gro-list", "rx-udp-gro-forwarding", "tx-generic-segmentation"} {
		if v.oneIn(2) {
			of[feature] = v.oneIn(2)
		}
	}
	return of
}

// neighbors are static ones: some in a network of a link, and one in none.
func (v inventor) neighbors(r *room) (list []any) {
	known := make(map[string]bool)
	add := func(dev, address string) {
		if !known[dev+address] && !r.routed[dev] {
			known[dev+address] = true
			mac := choose(v, "02:00:00:00:0e:01", "02:00:00:00:0e:02")
			list = append(list, mapping{"address": address, "mac": mac, "dev": dev})
		}
	}
	for _, networks := range [][]string{r.four, r.six} {
		for _, near := range networks {
			if dev, address, _ := strings.Cut(near, " "); v.oneIn(6) {
				add(dev, address)
			}
		}
	}
	if len(r.links) > 0 && v.oneIn(3) {
		add(choose(v, r.links...), "10.66.0.1")
	}
	return list
}
