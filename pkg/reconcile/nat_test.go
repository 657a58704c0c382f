package reconcile_test

import (
	"strings"
	"testing"
)

// behind adds to the world networks that lie behind the uplink, and are parts of those that are masqueraded.
func (l *lab) behind(addresses ...string) {
	l.Helper()
	l.uplink()
	for _, a := range addresses {
		args := []string{"-n", "world", "address", "add", a, "dev", "lo"}
		if strings.Contains(a, ":") {
			args = append(args, "nodad")
		}
		l.sh("ip", args...)
	}
	l.mark()
}

const wideNAT = `
name: wide
bridges:
  one: {addresses: [10.1.0.1/24, "fd00:1::1/64"]}
  two: {addresses: [10.2.0.1/24, "fd00:2::1/64"]}
namespaces:
  ns1:
    interfaces: {eth0: {bridge: one, addresses: [10.1.0.11/24, "fd00:1::11/64"]}}
    routes: [{to: default, via: 10.1.0.1}, {to: default, via: "fd00:1::1"}]
  ns2:
    interfaces: {eth0: {bridge: two, addresses: [10.2.0.11/24, "fd00:2::11/64"]}}
    routes: [{to: default, via: 10.2.0.1}, {to: default, via: "fd00:2::1"}]
nat: [{masquerade: 10.0.0.0/8OUT}, {masquerade: "fd00::/16"OUT}]
`

// TestMasqueradeOfMoreThanTheLinksHold translates what goes to networks behind the uplink that are parts of the
// masqueraded one, and leaves alone what goes from one local link to another.
func TestMasqueradeOfMoreThanTheLinksHold(t *testing.T) {
	for _, out := range []string{"", ", out: up0"} {
		t.Run("nat"+out, func(t *testing.T) {
			l := newLab(t)
			l.behind("10.200.0.1/32", "fd00:200::1/128")
			topo := l.load(strings.ReplaceAll(wideNAT, "OUT", out))
			l.apply(topo)
			l.converged(topo)
			l.reaches("ns1", "world", "10.200.0.1", uplink4)
			l.reaches("ns1", "world", "fd00:200::1", uplink6)
			l.reaches("ns1", "ns2", "10.2.0.11", "10.1.0.11")
			l.reaches("ns2", "ns1", "fd00:1::11", "fd00:2::11")
		})
	}
}

// TestMasqueradeBesideTheUplinksOwnSubnet translates what goes to neighbours on the uplink, when its subnet is a part
// of the masqueraded one, and leaves alone what stays within that subnet.
func TestMasqueradeBesideTheUplinksOwnSubnet(t *testing.T) {
	for _, out := range []string{"", ", out: up0"} {
		t.Run("nat"+out, func(t *testing.T) {
			l := newLab(t)
			l.behind()
			l.script(`
				ip address add 10.64.0.2/24 dev up0
				ip -n world address add 10.64.0.1/24 dev eth0
				ip address add fd00:64::2/64 dev up0 nodad
				ip -n world address add fd00:64::1/64 dev eth0 nodad`)
			l.mark()
			topo := l.load(strings.ReplaceAll(wideNAT, "OUT", out))
			l.apply(topo)
			l.converged(topo)
			l.reaches("ns1", "world", "10.64.0.1", "10.64.0.2")
			l.reaches("ns1", "world", "fd00:64::1", "fd00:64::2")
			rules := l.sh("nft", "list", "ruleset")
			for _, alone := range []string{
				"ip saddr 10.64.0.0/24 ip daddr 10.64.0.0/24", "ip6 saddr fd00:64::/64 ip6 daddr fd00:64::/64",
			} {
				if !strings.Contains(rules, alone) {
					t.Errorf("%q is missing in\n%s", alone, rules)
				}
			}
			l.script("nft flush chain inet plumb-wide masquerade-out")
			l.apply(topo)
			l.converged(topo)
		})
	}
}

// TestMasqueradeOutOfABridge leaves alone the frames between the ports of the bridge that packets leave by.
func TestMasqueradeOutOfABridge(t *testing.T) {
	l := newLab(t)
	l.bridged("1")
	topo := l.load(`
name: out
bridges: {wan: {addresses: [10.5.0.1/24]}, lan: {addresses: [10.1.0.1/24]}}
namespaces:
  a: {interfaces: {eth0: {bridge: wan, addresses: [10.5.0.11/24]}}}
  b: {interfaces: {eth0: {bridge: wan, addresses: [10.5.0.12/24]}}}
  ns1:
    interfaces: {eth0: {bridge: lan, addresses: [10.1.0.11/24]}}
    routes: [{to: default, via: 10.1.0.1}]
nat: [{masquerade: 10.0.0.0/8, out: wan}]
`)
	l.apply(topo)
	l.converged(topo)
	l.reaches("a", "b", "10.5.0.12", "10.5.0.11")
	l.reaches("ns1", "a", "10.5.0.11", "10.5.0.1")
}
