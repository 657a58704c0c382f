package reconcile_test

import (
	"strings"
	"testing"
)

// silent says that the last run warned of nothing.
func (l *lab) silent(when string) {
	l.Helper()
	if len(l.warnings) > 0 {
		l.Errorf("%s there are warnings:\n%s", when, strings.Join(l.warnings, "\n"))
	}
}

// A gateway that nobody on a bridge of the host has is told, unless others are on the bridge too.
func TestWarnGatewayThatNobodyHas(t *testing.T) {
	l := newLab(t)
	const yaml = `
name: nobody
bridges: {br0: {addresses: [10.0.0.1/24, "fd00::1/64"]}}
namespaces:
  ns1:
    interfaces: {eth0: {bridge: br0, addresses: [10.0.0.2/24, "fd00::2/64"]}}
    routes: [{to: default, via: 10.0.0.254}, {to: "fd09::/16", via: "fd00::fe"}]
`
	l.sh("ip", "link", "add", "other0", "type", "veth", "peer", "name", "other1")
	l.fixture(func() { l.sh("ip", "link", "del", "other0") })
	topo := l.load(yaml)
	l.diff(topo)
	l.warned("route ns1 default: nobody on the segment of ns1/eth0 has the gateway 10.0.0.254", "br0 has 10.0.0.1")
	l.warned("route ns1 fd09::/16: nobody on the segment of ns1/eth0 has the gateway fd00::fe")
	l.apply(topo)
	l.warned("nobody on the segment of ns1/eth0 has the gateway 10.0.0.254")
	l.diff(topo)
	l.warned("nobody on the segment of ns1/eth0 has the gateway 10.0.0.254")
	l.sh("ip", "link", "set", "other0", "master", "br0")
	l.diff(topo)
	l.silent("with a link of others on the bridge")
	l.sh("ip", "link", "set", "other0", "nomaster")
	l.apply(l.load(strings.NewReplacer("10.0.0.254", "10.0.0.1", "fd00::fe", "fd00::1").Replace(yaml)))
	l.silent("with the bridge's own addresses")
}

// A table of the host that no rule looks up is told of, whoever made the rules.
func TestWarnTableThatNoRuleLooksUp(t *testing.T) {
	l := newLab(t)
	const yaml = `
name: table
routes:
  - {to: 10.9.0.0/16, type: blackhole, table: 100}
  - {to: "fd09::/16", type: blackhole, table: 100}
`
	topo := l.load(yaml)
	l.diff(topo)
	l.warned("route 10.9.0.0/16 table 100: no rule of IPv4 looks up table 100", "rules: [{priority: 100, table: 100}]")
	l.warned("route fd09::/16 table 100: no rule of IPv6 looks up table 100")
	l.sh("ip", "rule", "add", "pref", "77", "from", "10.0.0.0/8", "lookup", "100")
	l.fixture(func() { l.sh("ip", "rule", "del", "pref", "77") })
	l.diff(topo)
	if len(l.warnings) != 1 {
		t.Errorf("with a rule of IPv4 made by hand: %q", l.warnings)
	}
	l.warned("no rule of IPv6 looks up table 100")
	ruled := l.load(yaml + "rules: [{priority: 100, table: 100}]\n")
	l.apply(ruled)
	l.silent("with a declared rule")
	l.diff(topo)
	l.warned("no rule of IPv6 looks up table 100") // the declared one goes
}
