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
