package reconcile_test

import (
	"slices"
	"strings"
	"testing"
)

const natOut = `
name: warned
bridges: {br0: {addresses: [192.168.10.1/24, "fd00:10::1/64"]}}
nat:
  - {masquerade: 192.168.10.0/24, out: eth9}
  - {masquerade: "fd00:10::/64"}
`

// warned says that exactly one warning of the last run holds all the words.
func (l *lab) warned(words ...string) {
	l.Helper()
	n := 0
	for _, w := range l.warnings {
		if !slices.ContainsFunc(words, func(word string) bool { return !strings.Contains(w, word) }) {
			n++
		}
	}
	if n != 1 {
		l.Errorf("%d warnings hold all of %q, want 1; all are\n%s", n, words, strings.Join(l.warnings, "\n"))
	}
}

// TestWarnOutNamesNoInterface says which interface could have been meant.
func TestWarnOutNamesNoInterface(t *testing.T) {
	l := newLab(t)
	topo := l.load(natOut)
	l.diff(topo)
	l.warned("masquerade 192.168.10.0/24 out eth9: there is no interface eth9")
	l.uplink()
	l.apply(topo)
	l.warned("there is no interface eth9", "the default route leaves by up0")
	l.destroy(topo.Name)
	l.sh("ip", "link", "add", "eth9", "type", "bridge")
	l.fixture(func() { l.sh("ip", "link", "delete", "eth9") })
	l.diff(topo)
	if len(l.warnings) > 0 {
		t.Errorf("warnings with everything in place: %q", l.warnings)
	}
}

// TestWarnForwardDropped tells of other tools' chains that drop what shall be forwarded, each for its family only,
// with a rule for a remedy that nft takes.
func TestWarnForwardDropped(t *testing.T) {
	l := newLab(t)
	l.script(`
		nft add table ip filter
		nft add chain ip filter FORWARD { type filter hook forward priority 0 ; policy drop ; }
		nft add table inet fw
		nft add chain inet fw calm { type filter hook forward priority 0 ; policy accept ; }
		nft add chain inet fw input { type filter hook input priority 0 ; policy drop ; }
	`)
	l.fixture(func() { l.script("nft delete table ip filter\nnft delete table inet fw") })
	l.diff(l.load(natOut))
	l.warned("table ip filter, chain FORWARD", "192.168.10.0/24",
		"nft insert rule ip filter FORWARD ip saddr 192.168.10.0/24 accept")
	for _, w := range l.warnings {
		if strings.Contains(w, "fd00:10::") || strings.Contains(w, "inet fw") {
			t.Errorf("a warning without cause: %s", w)
		}
	}
	l.sh("nft", "insert", "rule", "ip", "filter", "FORWARD", "ip", "saddr", "192.168.10.0/24", "accept")
	l.mark()
}

// TestWarnMasqueradeOfNobody tells of a network of the host that nobody holds, and of an out that holds it.
func TestWarnMasqueradeOfNobody(t *testing.T) {
	l := newLab(t)
	l.uplink()
	const bridge = "bridges: {br0: {addresses: [192.168.10.1/24, \"fd00:10::1/64\"]}}\n"
	for nat, want := range map[string]string{
		"192.168.11.0/24":                "write masquerade: 192.168.10.0/24",
		"192.168.11.0/24, out: up0":      "nobody has an address in 192.168.11.0/24",
		`"fd00:11::/64"`:                 "write masquerade: fd00:10::/64",
		"198.18.0.0/24, out: up0":        "up0 holds 198.18.0.0/24 itself",
		`"2001:db8:ffff::/64", out: up0`: "up0 holds 2001:db8:ffff::/64 itself",
		"192.168.10.0/24":                "",
		"192.168.0.0/16, out: up0":       "",
		`"fd00:10::/64", out: up0`:       "",
		"198.18.0.0/24":                  "",
	} {
		l.diff(l.load("name: warned\n" + bridge + "nat: [{masquerade: " + nat + "}]"))
		if want == "" && len(l.warnings) > 0 || want != "" && len(l.warnings) != 1 {
			t.Errorf("%s: the warnings are %q", nat, l.warnings)
		} else if want != "" {
			l.warned(want)
		}
	}
	l.script("ip link add foreign0 type bridge\nip link set foreign0 up\nip address add 192.168.11.1/24 dev foreign0")
	l.fixture(func() { l.sh("ip", "link", "delete", "foreign0") })
	for _, held := range []string{
		bridge + "nat: [{masquerade: 192.168.11.0/24}]",
		"routes: [{to: 10.9.0.0/16, via: " + world4 + "}]\nnat: [{masquerade: 10.9.8.0/24}]",
		"namespaces: {a: {interfaces: {eth0: {peer: b/eth0, addresses: [10.9.0.1/24]}}}, b: {interfaces: {eth0: {}}}}\n" +
			"nat: [{masquerade: 10.9.0.0/24}]",
	} {
		if l.diff(l.load("name: warned\n" + held)); len(l.warnings) > 0 {
			t.Errorf("%s: the warnings are %q", held, l.warnings)
		}
	}
}

// guests are what on a host may need that it forwards, or may not: want is what a warning names, empty for none.
var guests = []struct{ name, make, remove, want string }{
	{"a bridge", `
		ip link add guest0 type bridge
		ip address add 10.77.0.1/24 dev guest0
		ip link add tap0 type veth peer name tap1
		ip link set tap0 master guest0`, "ip link del tap0\nip link del guest0", "bridge guest0"},
	{"a bridge without ports", `
		ip link add guest0 type bridge
		ip address add 10.77.0.1/24 dev guest0`, "ip link del guest0", ""},
	{"a nat table", `
		nft add table ip nat
		nft add chain ip nat POSTROUTING { type nat hook postrouting priority 100 ; }
		nft add rule ip nat POSTROUTING ip saddr 10.77.0.0/24 masquerade`, "nft delete table ip nat", "table ip nat"},
	{"an empty nat table", `
		nft add table ip nat
		nft add chain ip nat POSTROUTING { type nat hook postrouting priority 100 ; }`, "nft delete table ip nat", ""},
	{"a nat table that translates nothing, as firewalld's", `
		nft add table ip nat
		nft add chain ip nat zone
		nft add chain ip nat POSTROUTING { type nat hook postrouting priority 100 ; }
		nft add rule ip nat POSTROUTING jump zone`, "nft delete table ip nat", ""},
	{"a nat table that translates in a chain of its own", `
		nft add table ip nat
		nft add chain ip nat zone
		nft add rule ip nat zone ip saddr 10.77.0.0/24 masquerade
		nft add chain ip nat POSTROUTING { type nat hook postrouting priority 100 ; }
		nft add rule ip nat POSTROUTING jump zone`, "nft delete table ip nat", "table ip nat"},
	{"nat of the other family", `
		nft add table ip6 nat
		nft add chain ip6 nat POSTROUTING { type nat hook postrouting priority 100 ; }
		nft add rule ip6 nat POSTROUTING masquerade`, "nft delete table ip6 nat", ""},
}

// TestWarnForwardingIsTakenFromGuests tells, before a run switches forwarding off, who came later and needs it.
func TestWarnForwardingIsTakenFromGuests(t *testing.T) {
	const bridge = "name: first\nbridges: {br0: {addresses: [192.168.10.1/24]}}\n"
	for _, g := range guests {
		t.Run(g.name, func(t *testing.T) {
			l := newLab(t)
			l.foreign()
			l.sysctl("ipv4/ip_forward", "0")
			with := l.load(bridge + "nat: [{masquerade: 192.168.10.0/24}]")
			l.apply(with)
			l.script(g.make)
			l.fixtures = append(l.fixtures, func() { l.script(g.remove) })
			check := func(when string) {
				if g.want == "" && len(l.warnings) > 0 || g.want != "" && len(l.warnings) != 1 {
					t.Errorf("%s: the warnings are %q", when, l.warnings)
				} else if g.want != "" {
					l.warned(g.want, "net.ipv4.ip_forward", "sysctl -w net.ipv4.ip_forward=1")
				}
			}
			l.apply(with)
			if len(l.warnings) > 0 {
				t.Errorf("warnings while it stays on: %q", l.warnings)
			}
			without := l.load(bridge)
			l.diff(without)
			check("diff")
			l.apply(without)
			check("apply")
			l.apply(with)
			l.destroy("first")
			check("destroy")
			l.mark()
		})
	}
}

// TestWarnOfGatewaysNowhere knows the live subnets of the host: a gateway in one is nothing to warn of.
func TestWarnOfGatewaysNowhere(t *testing.T) {
	l := newLab(t)
	l.uplink()
	for route, want := range map[string]string{
		"to: 10.9.0.0/16, via: " + world4:                                         "",
		"to: 10.9.0.0/16, dev: up0, via: " + world4:                               "",
		`to: "fd00:9::/32", via: "` + world6 + `"`:                                "",
		`to: "fd00:9::/32", dev: up0, via: "` + world6 + `"`:                      "",
		"to: 10.9.0.0/16, src: " + uplink4 + ", via: " + world4:                   "",
		"to: 10.9.0.0/16, nexthops: [{via: " + world4 + "}, {via: 198.18.0.9}]":   "",
		"to: 10.9.0.0/16, via: 192.0.2.1":                                         "is on no connected subnet on the host",
		"to: 10.9.0.0/16, dev: up0, via: 192.0.2.1":                               "set onlink: true if it is on that link",
		"to: 10.9.0.0/16, dev: up0, via: 192.0.2.1, onlink: true":                 "",
		`to: "fd00:9::/32", dev: up0, via: "2001:db8:7::1"`:                       "gateway 2001:db8:7::1 is on no",
		"to: 10.9.0.0/16, src: 192.0.2.7, via: " + world4:                         "src 192.0.2.7 is no address on the host",
		"to: 10.9.0.0/16, nexthops: [{via: " + world4 + "}, {via: 192.0.2.9}]":    "gateway 192.0.2.9 is on no",
		"to: 10.9.0.0/16, dev: br0, via: " + world4:                               "is on no connected subnet of br0",
		"to: 10.9.0.0/16, src: 192.168.10.1, via: 192.168.10.2":                   "",
		"to: 192.0.2.9/32, dev: up0}, {to: 10.9.0.0/16, dev: up0, via: 192.0.2.9": "",
	} {
		l.diff(l.load("name: routed\nbridges: {br0: {addresses: [192.168.10.1/24]}}\nroutes: [{" + route + "}]"))
		if want == "" && len(l.warnings) > 0 || want != "" && len(l.warnings) != 1 {
			t.Errorf("%s: the warnings are %q", route, l.warnings)
		} else if want != "" {
			l.warned(want)
		}
	}
	topo := l.load("{name: routed, routes: [{to: 10.9.0.0/16, via: " + world4 + "}]}")
	for range 2 {
		if l.apply(topo); len(l.warnings) > 0 {
			t.Errorf("apply warns: %q", l.warnings)
		}
	}
}

// TestWarnSysctlOutranked tells of a parameter of a link that one of all links outranks, which only the host knows.
func TestWarnSysctlOutranked(t *testing.T) {
	l := newLab(t)
	l.foreign()
	topo := l.load("name: x\nsysctls: {net.ipv4.conf.fv0.rp_filter: 0, net.ipv4.conf.fv2.arp_announce: 1," +
		" net.ipv4.conf.fv0.arp_ignore: 1}\n")
	l.sysctl("ipv4/conf/all/rp_filter", "1")
	l.sysctl("ipv4/conf/all/arp_announce", "2")
	l.diff(topo)
	l.warned("net.ipv4.conf.fv0.rp_filter: 0 has no effect", "set net.ipv4.conf.all.rp_filter: 0")
	l.warned("net.ipv4.conf.fv2.arp_announce: 1 has no effect", "set net.ipv4.conf.all.arp_announce: 1")
	if len(l.warnings) != 2 {
		t.Errorf("warnings: %q", l.warnings)
	}
	remedy := l.load("name: x\nsysctls: {net.ipv4.conf.fv0.rp_filter: 0, net.ipv4.conf.fv2.arp_announce: 1," +
		" net.ipv4.conf.all.rp_filter: 0, net.ipv4.conf.all.arp_announce: 1}\n")
	l.apply(remedy)
	l.converged(remedy)
	if len(l.warnings) > 0 {
		t.Errorf("with the remedy it warns: %q", l.warnings)
	}
}

// TestWarnForwardOff tells of a gateway on the host that does not forward although the host does.
func TestWarnForwardOff(t *testing.T) {
	l := newLab(t)
	const yaml = `
name: x
bridges:
  br0: {addresses: [10.7.0.1/24, "fd00:7::1/64"]}
  br1: {addresses: [10.8.0.1/24]}
namespaces:
  ns1:
    interfaces: {eth0: {bridge: br0, addresses: [10.7.0.2/24, "fd00:7::2/64"]}}
    routes: [{to: default, via: 10.7.0.1}, {to: default, via: "fd00:7::1"}]
  ns2: {interfaces: {eth0: {bridge: br1, addresses: [10.8.0.2/24]}}}
`
	topo := l.load(yaml)
	l.diff(topo)
	if len(l.warnings) > 0 {
		t.Errorf("on a host that does not forward it warns: %q", l.warnings)
	}
	l.sysctl("ipv4/ip_forward", "1")
	l.sysctl("ipv6/conf/all/forwarding", "1")
	l.apply(topo)
	l.wants("after apply", "ipv4/conf/br0/forwarding", "0")
	l.warned("link br0: the host forwards IPv4", "ns1 has its gateway 10.7.0.1", "sysctls: {net.ipv4.ip_forward: 1}")
	l.warned("link br0: the host forwards IPv6", "fd00:7::1", "sysctls: {net.ipv6.conf.all.forwarding: 1}")
	if len(l.warnings) != 2 {
		t.Errorf("warnings: %q", l.warnings)
	}
	remedy := l.load(yaml + "sysctls: {net.ipv4.ip_forward: 1, net.ipv6.conf.all.forwarding: 1}\n")
	l.apply(remedy)
	l.wants("with the remedy", "ipv4/conf/br0/forwarding", "1")
	l.converged(remedy)
	if len(l.warnings) > 0 {
		t.Errorf("with the remedy it warns: %q", l.warnings)
	}
}

// TestWarnOfTheUplinksNetwork tells of addresses whose network the uplink is in, or its gateway.
func TestWarnOfTheUplinksNetwork(t *testing.T) {
	l := newLab(t)
	l.uplink()
	const bridge, cable = "bridges: {br0: {addresses: [%s]}}", "interfaces: {br0: {peer: ns1/eth0, addresses: [%s]}}\n" +
		"namespaces: {ns1: {interfaces: {eth0: {}}}}"
	for address, want := range map[string]string{
		"198.18.0.129/25":               "its network overlaps 198.18.0.2/24 of up0",
		"198.18.0.66/26":                "its network overlaps 198.18.0.2/24 of up0",
		"198.18.0.5/24":                 "its network holds 198.18.0.1, the gateway",
		"198.18.9.1/16":                 "its network holds 198.18.0.1, the gateway",
		world4 + "/32":                  "its network holds 198.18.0.1, the gateway",
		`"2001:db8:ffff::8001/113"`:     "its network overlaps 2001:db8:ffff::2/64 of up0",
		`"2001:db8:ffff:0::5/64"`:       "its network holds 2001:db8:ffff::1, the gateway",
		"198.18.0.7/32":                 "",
		"198.18.1.1/24":                 "",
		`"2001:db8:fffe::1/64"`:         "",
		`"2001:db8:ffff::9/128"`:        "",
		`192.168.10.1/24, "fd00::1/64"`: "",
	} {
		for _, form := range []string{bridge, cable} {
			l.diff(l.load("name: over\n" + strings.Replace(form, "%s", address, 1)))
			if want == "" && len(l.warnings) > 0 || want != "" && len(l.warnings) != 1 {
				t.Errorf("%s: the warnings are %q", address, l.warnings)
			} else if want != "" {
				l.warned(want, "another network")
			}
		}
	}
	l.diff(l.load("name: over\ninterfaces: {mv0: {macvlan: {parent: up0}, addresses: [198.18.0.9/24]}}"))
	if len(l.warnings) > 0 {
		t.Errorf("a link on the uplink: the warnings are %q", l.warnings)
	}
}

// TestExamplesWarnOfNothing on a host with an uplink, and things of others.
func TestExamplesWarnOfNothing(t *testing.T) {
	for _, name := range examples(t) {
		t.Run(name, func(t *testing.T) {
			l := newLab(t)
			yaml := l.example(name)
			l.around(yaml)
			if l.diff(l.load(yaml)); len(l.warnings) > 0 {
				t.Errorf("%q", l.warnings)
			}
		})
	}
}
