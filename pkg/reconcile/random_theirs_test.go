package reconcile_test

import (
	"slices"
)

// What is there already of what topologies that are made up may declare: an interface that others use, one that nobody
// does, a bridge with a port of others, and a namespace to attach.
const (
	theirCard, theirSpare = "card0", "card1"
	theirBridge           = "lan0"
	theirNamespace        = "theirs"
	attachedRoom          = "n4"
)

// present makes what is there already. Its other ends are far0, far1, and port0.
func (l *lab) present() {
	l.Helper()
	l.script(`
		ip netns add ` + theirNamespace + `
		ip link add card0 address 02:f3:00:00:00:01 type veth peer name far0 address 02:f3:00:00:00:02
		ip link add card1 address 02:f3:00:00:00:03 mtu 1480 type veth peer name far1 address 02:f3:00:00:00:04
		ip link set card0 up txqueuelen 900
		ip link set far0 up
		ip link set far1 up
		ip address add 10.99.1.1/24 dev card0
		ip address add fd00:99:1::1/64 dev card0 nodad
		ip route add 10.98.0.0/16 via 10.99.1.2 dev card0
		ip -6 route add fd00:98::/32 via fd00:99:1::2 dev card0
		ip link add lan0 address 02:f3:00:00:00:05 type bridge forward_delay 400 ageing_time 20000
		ip link add port0 address 02:f3:00:00:00:06 type veth peer name eth0 address 02:f3:00:00:00:07 netns theirs
		ip link set lan0 up
		ip link set port0 up master lan0
		ip address add 10.99.2.1/24 dev lan0
		ip -n theirs link set lo up
		ip -n theirs link set eth0 up
		ip -n theirs address add 10.99.2.2/24 dev eth0
		ip -n theirs route add 10.97.0.0/16 via 10.99.2.1`)
	l.fixture(func() {
		l.script(`
			ip link del card0
			ip link del card1
			ip link del lan0
			ip link del port0
			ip netns del ` + theirNamespace)
	})
}

// isTheirs says whether a link is one of what is there already.
func isTheirs(name string) bool {
	return slices.Contains([]string{"card0", "card1", "far0", "far1", "lan0", "port0"}, name)
}

// theirBridge has the bridge that is there take part.
func (v inventor) theirBridge(r *room) {
	// The kernel would give it that of its ports, but only as long as nobody has set it.
	b := mapping{"existing": true, "mtu": choose(v, 1400, 1500)}
	if v.oneIn(6) {
		b["mcast-snooping"] = false
	}
	v.bridgeOptions(b)
	v.mac(r, b)
	r.section("bridges")[theirBridge] = b
	r.bridges, r.links = append(r.bridges, theirBridge), append(r.links, theirBridge)
}

// cards have the interfaces that are there take part, as ports, with addresses, or with links on them.
func (v inventor) cards(r *room) {
	for _, name := range []string{theirCard, theirSpare} {
		card := mapping{"existing": true}
		if v.oneIn(4) {
			card["mtu"] = choose(v, 1400, 1500, 9000)
		}
		if v.mac(r, card); name == theirSpare {
			card["up"] = true
		}
		above := ""
		switch v.IntN(4) {
		case 0:
			above = choose(v, "macvlan", "macvtap", "vlan")
		case 1:
			if len(r.bridges) > 0 {
				bridge := choose(v, r.bridges...)
				card["master"] = bridge
				v.port(card, r.section("bridges")[bridge].(mapping))
			}
		}
		if v.has(above) && above != "" {
			on := mapping{"parent": name}
			if above == "vlan" {
				on["id"] = 1 + v.IntN(2)
			}
			v.plain(r, "c"+name[4:], above, on, 8)
		}
		if above == "" || v.oneIn(2) { // what is made on a link finds it, declared or not
			r.section("interfaces")[name] = card
			r.links = append(r.links, name)
		}
	}
}
