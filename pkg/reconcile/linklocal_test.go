package reconcile_test

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const linkLocalsDeclared = `
name: x
bridges: {br0: {addresses: ["fe80::1/64", "fd00:1::1/64", "fe80::2/64"]}}
interfaces: {v0: {peer: ns1/v0, addresses: ["fe80::1/64"]}}
namespaces:
  ns1:
    bridges: {br1: {addresses: ["fe80::1/64"]}}
    interfaces:
      v0: {addresses: ["fe80::2/64"]}
  ns2: {interfaces: {p0: {bridge: ns1/br1, addresses: ["fd00:2::1/64", "fe80::9/64"]}}}
`

// TestOrderOfLinkLocals holds that link-local addresses that the file declares come after the one that the kernel
// derives, whatever was before: the kernel prefers the newest. It derives none for a bridge without ports.
func TestOrderOfLinkLocals(t *testing.T) {
	l := newLab(t)
	topo := l.load(linkLocalsDeclared)
	without := l.load(regexp.MustCompile(`addresses: \[.*?\]`).ReplaceAllString(linkLocalsDeclared, ""))
	l.apply(topo)
	l.settle()
	want := l.linkLocals()
	if strings.Count(want, "fe80::") != 12 {
		t.Fatalf("not the 12 link-local addresses that there should be:\n%s", want)
	}
	try := func(name string, change func()) {
		t.Run(name, func(t *testing.T) {
			sub := *l
			sub.TB = t
			change()
			sub.apply(topo)
			sub.inSync(topo)
			sub.settle()
			sub.same("link-local addresses, newest first:", want, sub.linkLocals())
		})
	}
	try("applied without addresses", func() { l.apply(without) })
	try("without addresses, after a while", func() { l.apply(without); l.settle() })
	try("only without addresses", func() { l.destroy("x"); l.apply(without) })
	for _, link := range []struct{ ns, dev string }{
		{"ns1", "v0"}, {"ns1", "br1"}, {"ns2", "p0"}, {"", "v0"}, {"", "br0"},
	} {
		ip := "ip "
		if link.ns != "" {
			ip = "ip -n " + link.ns + " "
		}
		of := " of " + link.ns + "/" + link.dev
		try("derived one deleted"+of,
			func() { l.script(ip + "address del " + l.derived(link.ns, link.dev) + " dev " + link.dev) })
		try("all deleted"+of, func() { l.script(ip + "-6 address flush dev " + link.dev) })
		try("another MAC"+of, func() { l.script(ip + "link set " + link.dev + " address 02:00:00:00:00:99") })
		try("down and up"+of,
			func() { l.script(ip + "link set " + link.dev + " down\n" + ip + "link set " + link.dev + " up") })
		try("MTU"+of, func() {
			l.script(ip + "link set " + link.dev + " mtu 1000\n" + ip + "link set " + link.dev + " mtu 1500")
		})
	}
}

// TestLinkLocalOfTheMACToCome holds that a link that has the addresses of two MACs, as a crash leaves it, keeps that of
// the one that it gets.
func TestLinkLocalOfTheMACToCome(t *testing.T) {
	l := newLab(t)
	file := func(mac string) string {
		return `
name: x
interfaces: {v0: {peer: ns1/v0, mac: "` + mac + `", addresses: ["fd00:1::1/64"]}}
namespaces: {ns1: {}}`
	}
	l.apply(l.load(file("02:00:00:00:00:01")))
	l.script("sysctl -qw net.ipv6.conf.v0.accept_dad=0") // neither is tentative
	for _, last := range []string{"2", "1"} {
		l.script(`
			ip link set v0 address 02:00:00:00:00:0` + last + `
			ip address flush dev v0 to fe80::ff:fe00:` + last + `
			sysctl -qw net.ipv6.conf.v0.addr_gen_mode=1
			sysctl -qw net.ipv6.conf.v0.addr_gen_mode=0`)
	}
	topo := l.load(file("02:00:00:00:00:02"))
	l.apply(topo)
	l.inSync(topo)
	l.settle()
	if all := l.scopeLink(""); !slices.Equal(all, []scopeLink{{"v0", "fe80::ff:fe00:2/64"}}) {
		t.Errorf("the link-local addresses are %v", all)
	}
}

// linkLocals lists the link-local addresses of each link as the kernel does, the newest first.
func (l *lab) linkLocals() string {
	l.Helper()
	var text strings.Builder
	for _, ns := range []string{"", "ns1", "ns2"} {
		count := make(map[string]int)
		var lines []string
		for _, a := range l.scopeLink(ns) {
			lines = append(lines, fmt.Sprintf("%s/%s %d: %s\n", ns, a.dev, count[a.dev], a.prefix))
			count[a.dev]++
		}
		slices.Sort(lines)
		text.WriteString(strings.Join(lines, ""))
	}
	return text.String()
}

// derived is the address that the kernel derives from a link's MAC.
func (l *lab) derived(ns, dev string) string {
	l.Helper()
	for _, a := range l.scopeLink(ns) {
		if a.dev == dev && strings.Contains(a.prefix, "ff:fe") {
			return a.prefix
		}
	}
	l.Fatalf("%s/%s has no derived address", ns, dev)
	return ""
}

type scopeLink struct{ dev, prefix string }

func (l *lab) scopeLink(ns string) []scopeLink {
	l.Helper()
	var options []string
	if ns != "" {
		options = []string{"-n", ns}
	}
	docs, err := jsonOf("address show scope link\n", append(options, "-6")...)
	if err != nil {
		l.Fatal(err)
	}
	var list []scopeLink
	for _, link := range docs[0] {
		infos, _ := link["addr_info"].([]any)
		for _, info := range infos {
			a, _ := info.(map[string]any)
			if a["local"] != nil {
				list = append(list, scopeLink{link["ifname"].(string), fmt.Sprintf("%v/%v", a["local"], a["prefixlen"])})
			}
		}
	}
	return list
}

// TestLinkLocalWithoutCarrier: while nothing of IPv6 is in the file, a link without a carrier gets its link-local
// address of the kernel, with the carrier: whether others made it, and it has another MAC or is up for a time, or it was
// down by hand, or others get an address back meanwhile.
func TestLinkLocalWithoutCarrier(t *testing.T) {
	l := newLab(t)
	l.cards()
	l.script(`
		ip link add out type veth peer name in
		ip link set in up
		ip link set out up
		ip address add fd00:8::1/64 dev out nodad
		ip link set card1 up`)
	l.fixture(func() { l.script("ip link del out") })
	const ours = "interfaces: {own0: {peer: own1, mtu: MTU}, own1: {up: false}, "
	on := func(when string) {
		t.Helper()
		if said := strings.Join(l.warnings, "\n"); strings.Contains(said, "left alone") {
			t.Errorf("%s, the warnings are %s", when, said)
		}
		for _, link := range []string{"card0", "card1", "own0"} {
			if out := l.sh("sh", "-c", "ip -6 address show dev "+link+" || true"); strings.Contains(out, "fe80") {
				t.Errorf("%s, %s has no carrier, and\n%s", when, link, out)
			}
		}
	}
	for _, topo := range []string{
		strings.Replace(ours, "MTU", "1500", 1) + `out: {existing: true, up: false},
			card0: {existing: true, up: true, mac: "02:f2:00:00:00:11"}, card1: {existing: true, up: false}}`,
		strings.Replace(ours, "MTU", "1400", 1) + `card1: {existing: true, mac: "02:f2:00:00:00:13"}}`,
		"bridges: {br0: {addresses: [\"fd00:9::1/64\"]}}\n" +
			`interfaces: {card0: {existing: true, up: true}, card1: {existing: true, mac: "02:f2:00:00:00:14"}}`,
	} {
		want := l.load("name: x\n" + topo + "\n")
		l.apply(want)
		on("applied")
		l.converged(want)
		if strings.Contains(topo, "own0") {
			l.script("ip link set own0 down")
			l.apply(want)
			on("healed")
		}
	}
	l.destroy("x")
	on("destroyed")
}
