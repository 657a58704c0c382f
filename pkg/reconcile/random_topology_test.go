package reconcile_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"
)

// inventor makes up topologies. Names, networks and destinations come from small pools, so that two topologies of one
// inventor share much and differ in the rest.
type inventor struct {
	*rand.Rand
	vlans bool     // the kernel has bridges that filter VLANs
	types []string // of link that the kernel has; nil for all
	keys  string   // the directory of keys for wireguard links; empty for none
}

func newInventor(seed uint64, vlans bool) inventor {
	return inventor{Rand: rand.New(rand.NewPCG(seed, 2)), vlans: vlans}
}

func (v inventor) oneIn(n int) bool { return v.IntN(n) == 0 }

func choose[T any](v inventor, list ...T) T { return list[v.IntN(len(list))] }

// mapping is a mapping of the file.
type mapping = map[string]any

// room is a section in the making.
type room struct {
	name    string
	number  int
	bridges []string
	links   []string // all of them but lo
	free    []string // names for ends of cables
	four    []string // links with an IPv4 network, in which .254 is nobody
	six     []string
	own4    []string // links with an address
	own6    []string
	small   map[string]bool // links with too small an MTU for IPv6
	routed  map[string]bool // links that carry packets, not frames
	vrf     map[string]string
	body    mapping
}

func (r *room) section(kind string) mapping {
	if r.body[kind] == nil {
		r.body[kind] = mapping{}
	}
	return r.body[kind].(mapping)
}

// topology is the text of a valid topology.
func (v inventor) topology(name string) string {
	rooms := v.rooms()
	segments := make(map[string]string) // which bridges frames pass between
	for range v.IntN(5) {
		v.cable(choose(v, rooms...), choose(v, rooms...), segments)
	}
	v.tunnels(rooms)
	v.ipTunnels(rooms)
	v.macvlans(rooms)
	v.ports(rooms)
	v.plainLinks(rooms)
	v.wireguards(rooms)
	v.cards(rooms[0])
	v.netkits(rooms)
	v.bonds(rooms)
	v.vrfs(rooms)
	doc := rooms[0].body
	doc["name"] = name
	namespaces := mapping{}
	for _, r := range rooms {
		v.tune(r)
		v.furnish(r)
		if r.name != "" {
			namespaces[r.name] = r.body
		}
	}
	doc["namespaces"] = namespaces
	text, err := yaml.Marshal(doc)
	if err != nil {
		panic(err)
	}
	return string(text)
}

func (v inventor) rooms() []*room {
	var rooms []*room
	for i, name := range []string{"", "n1", "n2", "n3", attachedRoom} {
		if name != "" && v.oneIn(3) {
			continue
		}
		r := &room{
			name: name, number: i, body: mapping{},
			small: make(map[string]bool), routed: make(map[string]bool), vrf: make(map[string]string),
		}
		if name == attachedRoom {
			r.body["attach"] = "netns:" + theirNamespace
		}
		for _, e := range []string{"e0", "e1", "e2", "e.3", "e4", "e5", "e6", "e7"} {
			r.free = append(r.free, fmt.Sprintf("%s%s", e, map[bool]string{true: "h"}[name == ""]))
		}
		for _, b := range []string{"br0", "br1"} {
			if v.oneIn(2) {
				r.bridges, r.links = append(r.bridges, b), append(r.links, b)
				r.section("bridges")[b] = v.bridge(r, b)
			}
		}
		if name == "" && v.oneIn(2) {
			v.theirBridge(r)
		}
		rooms = append(rooms, r)
	}
	return rooms
}

func (v inventor) bridge(r *room, name string) mapping {
	b := mapping{}
	if v.oneIn(6) {
		b["stp"] = true
	}
	if v.oneIn(6) {
		b["mcast-snooping"] = false
	}
	v.bridgeOptions(b)
	v.common(r, b, name)
	return b
}

// common gives a link an MTU and a MAC, or leaves them to be derived.
func (v inventor) common(r *room, link mapping, name string) {
	if v.oneIn(5) {
		mtu := choose(v, 1000, 1400, 1500, 9000)
		link["mtu"] = mtu
		r.small[name] = mtu < 1280
	}
	v.mac(r, link)
}

func (v inventor) mac(r *room, link mapping) {
	if v.oneIn(6) {
		link["mac"] = fmt.Sprintf("02:00:00:%02x:00:%02x", r.number, v.IntN(256))
	}
}

func (v inventor) take(r *room) string {
	i := v.IntN(len(r.free))
	name := r.free[i]
	r.free = slices.Delete(r.free, i, i+1)
	r.links = append(r.links, name)
	return name
}

// cable declares a cable in one of the forms that there are. It closes no loop of bridges.
func (v inventor) cable(a, b *room, segments map[string]string) {
	near := mapping{}
	name := v.take(a)
	a.section("interfaces")[name] = near
	v.common(a, near, name)
	master := ""
	if len(a.bridges) > 0 && v.oneIn(3) {
		master = choose(v, a.bridges...)
		near["master"] = master
	}
	far := ""
	if len(b.bridges) > 0 && v.oneIn(2) {
		bridge := choose(v, b.bridges...)
		if !join(segments, a.name+"/"+master, b.name+"/"+bridge, master != "") {
			delete(near, "master")
		}
		near["bridge"] = strings.TrimPrefix(b.name+"/"+bridge, "/")
		if v.oneIn(2) {
			far = v.take(b)
			near["port-name"] = far
		}
		b.small[far] = a.small[name]
		return
	}
	far = v.take(b)
	near["peer"] = strings.TrimPrefix(b.name+"/"+far, "/")
	b.small[far] = a.small[name]
	v.farEnd(a, b, master, far, segments)
}

// farEnd lists the other end of a cable, or leaves it out.
func (v inventor) farEnd(a, b *room, master, far string, segments map[string]string) {
	if v.oneIn(3) {
		return
	}
	end := mapping{}
	v.mac(b, end)
	b.section("interfaces")[far] = end
	if len(b.bridges) > 0 && v.oneIn(3) {
		bridge := choose(v, b.bridges...)
		if join(segments, a.name+"/"+master, b.name+"/"+bridge, master != "") {
			end["master"] = bridge
		}
	}
}

// join makes one segment of two; false says that they were one already.
func join(segments map[string]string, a, b string, both bool) bool {
	if !both {
		return true
	}
	root := func(s string) string {
		for segments[s] != "" {
			s = segments[s]
		}
		return s
	}
	a, b = root(a), root(b)
	if a == b {
		return false
	}
	segments[a] = b
	return true
}

// furnish adds what stands on the links of a section.
func (v inventor) furnish(r *room) {
	sysctls, plain := v.sysctls(r)
	for _, name := range r.links {
		link, ok := r.section("bridges")[name].(mapping)
		if !ok {
			if link, ok = r.section("interfaces")[name].(mapping); !ok {
				continue
			}
		}
		if list := v.addresses(r, name, plain); len(list) > 0 {
			link["addresses"] = list
		}
	}
	v.loopback(r)
	for _, kind := range []string{"bridges", "interfaces"} {
		if len(r.section(kind)) == 0 {
			delete(r.body, kind)
		}
	}
	if len(sysctls) > 0 {
		r.body["sysctls"] = sysctls
	}
	if list := v.neighbors(r); len(list) > 0 {
		r.body["neighbors"] = list
	}
	if routes := v.routes(r, plain); len(routes) > 0 {
		r.body["routes"] = routes
	}
	if v.oneIn(3) {
		r.body["rules"] = v.rules()
	}
	if v.oneIn(4) && sysctls["net.ipv4.ip_forward"] != "0" {
		r.body["nat"] = v.nat(r)
	}
}

// tunnels adds VXLANs, whose ids are few: from one topology to the next they change hands.
func (v inventor) tunnels(rooms []*room) {
	taken := make(map[string]bool)
	for _, r := range rooms {
		for _, name := range []string{"t0", "t1", "t2"} {
			tunnel := mapping{"id": 1 + v.IntN(4), "remote": choose(v, "192.0.2.1", "192.0.2.2", "2001:db8::1")}
			underlay := r.name
			if v.oneIn(4) {
				tunnel["underlay"], underlay = "host", ""
			}
			claim := fmt.Sprint(underlay, tunnel["id"])
			if taken[claim] || v.oneIn(2) {
				continue
			}
			taken[claim] = true
			if v.oneIn(4) {
				tunnel["learning"], tunnel["ttl"] = false, 9
			}
			link := mapping{"vxlan": tunnel}
			v.mac(r, link)
			if len(r.bridges) > 0 && v.oneIn(3) {
				link["master"] = choose(v, r.bridges...)
			} else if v.oneIn(2) {
				link["addresses"] = []any{fmt.Sprintf("10.15%d.%s.1/24", r.number, name[1:])}
			}
			r.section("interfaces")[name] = link
		}
	}
}

// macvlans are made on bridges of any section.
func (v inventor) macvlans(rooms []*room) {
	for _, r := range rooms {
		below := choose(v, rooms...)
		if len(below.bridges) == 0 || v.oneIn(2) {
			continue
		}
		parent := choose(v, below.bridges...)
		if below.section("bridges")[parent].(mapping)["stp"] != nil {
			continue // it has no carrier for half a minute
		}
		switch {
		case below == r:
		case below.name == "":
			parent = "host/" + parent
		default:
			parent = below.name + "/" + parent
		}
		of := choose(v, "macvlan", "macvtap")
		link := mapping{of: mapping{"parent": parent, "mode": choose(v, "bridge", "private", "vepa")}}
		if v.oneIn(2) {
			link["addresses"] = []any{fmt.Sprintf("10.16%d.0.%d/24", r.number, 1+v.IntN(2))}
		}
		r.section("interfaces")["m0"] = link
	}
}

// rules are for packets of the lab alone.
func (v inventor) rules() (list []any) {
	for priority := range 1 + v.IntN(4) {
		rule := mapping{"priority": 100 + 10*priority, "from": fmt.Sprintf("10.%d.0.0/16", v.IntN(4))}
		switch v.IntN(4) {
		case 0:
			rule["from"] = "fd00::/16"
		case 1:
			delete(rule, "from")
			rule["fwmark"] = "0x1/0xff"
		case 2:
			rule["to"] = fmt.Sprintf("10.20%d.0.0/16", v.IntN(4))
		}
		if rule["action"] = choose(v, "prohibit", "blackhole"); v.oneIn(2) {
			delete(rule, "action")
			rule["table"] = choose(v, 100, 101)
		}
		list = append(list, rule)
	}
	return list
}

func (v inventor) nat(r *room) []any {
	list := []any{mapping{"masquerade": fmt.Sprintf("10.%d.0.0/16", r.number)}}
	if len(r.links) > 0 && v.oneIn(2) {
		list = append(list, mapping{"masquerade": fmt.Sprintf("10.%d.1.0/24", r.number), "out": choose(v, r.links...)})
	}
	return list
}

// addresses are of up to two networks of a family, in a random order.
func (v inventor) addresses(r *room, link string, plain bool) []any {
	if v.oneIn(3) {
		return nil
	}
	number := slices.Index([]string{"br0", "br1", "e0", "e1", "e2", "e.3", "e4", "e5", "e6", "e7", "bond0",
		theirBridge, theirCard, theirSpare}, strings.TrimSuffix(link, "h"))
	var list []any
	for _, host := range v.Perm(6)[:v.IntN(5)] {
		list = append(list, fmt.Sprintf("10.%d.%d.%d/24", r.number, number+100*(host%2), host+1))
		r.own4 = append(r.own4, fmt.Sprintf("%s 10.%d.%d.%d", link, r.number, number+100*(host%2), host+1))
		r.four = append(r.four, fmt.Sprintf("%s 10.%d.%d.254", link, r.number, number+100*(host%2)))
	}
	for _, host := range v.Perm(4)[:v.IntN(3)] {
		if r.small[link] || !plain {
			break
		}
		list = append(list, fmt.Sprintf("fd00:%d:%d::%d/64", r.number, number, host+1))
		r.own6 = append(r.own6, fmt.Sprintf("%s fd00:%d:%d::%d", link, r.number, number, host+1))
		r.six = append(r.six, fmt.Sprintf("%s fd00:%d:%d::fe", link, r.number, number))
		if v.oneIn(3) && link != theirSpare { // which the kernel gives its own a while after it has come up
			list = append(list, fmt.Sprintf("fe80::%d/64", host+1))
		}
	}
	v.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	return list
}

func (v inventor) loopback(r *room) {
	if v.oneIn(3) {
		list := []any{fmt.Sprintf("10.255.0.%d/32", r.number+1), fmt.Sprintf("fd00:255::%d/128", r.number+1)}[v.IntN(2):]
		r.section("interfaces")["lo"] = mapping{"addresses": list}
	}
}

// sysctls are a few that are there on every kernel. Plain says that none of them switches IPv6 off.
func (v inventor) sysctls(r *room) (list mapping, plain bool) {
	list, plain = mapping{}, true
	options := []struct {
		key    string
		values []string
	}{
		{"net.ipv4.ip_forward", []string{"0", "1"}},
		{"net.ipv6.conf.all.forwarding", []string{"0", "1"}},
		{"net.ipv4.conf.default.rp_filter", []string{"1", "2"}},
		{"net.ipv4.conf.default.forwarding", []string{"0", "1"}},
		{"net.ipv6.conf.default.forwarding", []string{"0", "1"}},
		{"net.ipv6.conf.default.accept_ra", []string{"0", "2"}},
		{"net.ipv6.conf.default.hop_limit", []string{"63"}},
		{"net.ipv4.conf.default.promote_secondaries", []string{"0", "1"}},
		{"net.ipv4.conf.all.accept_redirects", []string{"0"}},
		{"net.ipv4.conf.lo.rp_filter", []string{"1"}},
		{"net.ipv4.ping_group_range", []string{"0 7"}},
		{"net.ipv6.conf.default.disable_ipv6", []string{"1"}},
		{"net.ipv6.conf.default.addr_gen_mode", []string{"1"}},
	}
	for _, o := range options {
		if v.oneIn(12) {
			list[o.key] = choose(v, o.values...)
			plain = plain && !strings.HasSuffix(o.key, "disable_ipv6")
		}
	}
	for _, link := range r.links {
		if v.oneIn(8) {
			key := choose(v, "rp_filter", "forwarding", "log_martians")
			list["net/ipv4/conf/"+link+"/"+key] = choose(v, "0", "1")
		}
	}
	return list, plain
}

// routes are of every form, each destination once.
func (v inventor) routes(r *room, plain bool) []any {
	list := make(map[string]mapping)
	for range v.IntN(5) {
		route := mapping{"to": fmt.Sprintf("10.20%d.0.0/16", v.IntN(4))}
		v.way(r, route, r.four, r.own4, []string{"192.0.2.1"})
		v.extras(route)
		list[fmt.Sprint(route["to"], route["metric"], route["table"], route["vrf"])] = route
	}
	for range v.IntN(3) {
		route := mapping{"to": fmt.Sprintf("fd99:%d::/32", v.IntN(3))}
		if !plain {
			break
		}
		v.way(r, route, r.six, r.own6, []string{"fe80::1", "2001:db8::1"})
		v.extras(route)
		list[fmt.Sprint(route["to"], route["metric"], route["table"], route["vrf"])] = route
	}
	var routes []any
	for _, key := range slices.Sorted(maps.Keys(list)) {
		routes = append(routes, list[key])
	}
	return routes
}

func (v inventor) extras(route mapping) {
	if v.oneIn(4) {
		route["metric"] = 7
	}
	if v.oneIn(6) && route["vrf"] == nil {
		route["table"] = 100
	}
	if v.oneIn(8) && route["type"] == nil {
		route["mtu"] = 1300
	}
}

// way fills in where a route leads. Near are links with a neighbour in one of their networks.
func (v inventor) way(r *room, route mapping, near, own, far []string) {
	if v.oneIn(5) || len(near) == 0 {
		route["type"] = choose(v, "blackhole", "unreachable", "prohibit")
		return
	}
	dev, via, _ := strings.Cut(choose(v, near...), " ")
	dev2, via2, _ := strings.Cut(choose(v, near...), " ")
	if vrf := r.vrf[dev]; vrf != "" {
		route["vrf"] = vrf
	}
	switch form := v.IntN(6); {
	case form == 0:
		route["dev"] = dev
	case form == 1:
		route["via"], route["dev"] = via, dev
	case form == 2:
		holder, src, _ := strings.Cut(choose(v, own...), " ")
		if route["via"] = via; r.vrf[holder] == r.vrf[dev] {
			route["src"] = src
		}
	case form == 3:
		route["via"], route["dev"], route["onlink"] = choose(v, far...), dev, true
	case form == 4 && via != via2 && r.vrf[dev] == r.vrf[dev2]:
		route["nexthops"] = []any{mapping{"via": via, "weight": 1 + v.IntN(3)}, mapping{"via": via2, "dev": dev2}}
	default:
		route["via"] = via
		if v.oneIn(2) && strings.HasPrefix(fmt.Sprint(route["to"]), "10.200") {
			route["to"] = "default"
		}
	}
}
