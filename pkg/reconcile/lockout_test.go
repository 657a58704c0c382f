package reconcile_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/plumbnet/plumb/pkg/kernel"
	"github.com/plumbnet/plumb/pkg/reconcile"
)

const uplinkBridge = `
name: office
bridges: {br0: {addresses: [192.0.2.2/24], mtu: 1400}}
namespaces:
  isp: {interfaces: {eth0: {bridge: br0, addresses: [192.0.2.1/24]}}}
routes: [{to: default, via: 192.0.2.1}]
`

func guarded(o *reconcile.Options) { o.AllowDisconnect = false }

// refusedFor says that apply of a topology is refused for a reason, that diff says the same, and nothing is written.
func (l *lab) refusedFor(yaml, reason string) {
	l.Helper()
	topo := l.load(yaml)
	before := l.settle()
	_, err := l.tryApply(topo, guarded)
	if !errors.Is(err, reconcile.ErrRefused) || !strings.Contains(err.Error(), reason) {
		l.Errorf("apply: %v, want a refusal for: %s", err, reason)
	}
	if p := l.diff(topo, guarded); !p.Refused() || !strings.Contains(planText(p), reason) {
		l.Errorf("diff does not refuse for: %s\n%s", reason, planText(p))
	}
	l.restored("after the refusal", before)
}

// TestLockout refuses what takes the host's default route, its uplink or an address of that, until it is allowed. The
// host's are those that plumb has not made.
func TestLockout(t *testing.T) {
	l := newLab(t)
	const bridge = `
name: office
bridges: {br0: {addresses: [192.0.2.2/24], mtu: 1400}}
namespaces:
  isp: {interfaces: {eth0: {bridge: br0, addresses: [192.0.2.1/24]}}}
`
	l.apply(l.load(bridge), guarded)
	l.sh("ip", "route", "add", "default", "via", "192.0.2.1", "proto", "dhcp")
	l.refusedFor(strings.ReplaceAll(bridge, "192.0.2.2/24", "192.0.2.3/24"),
		"would take an address of br0, the host's uplink")
	l.refusedFor(strings.ReplaceAll(bridge, "mtu: 1400", `mac: "02:00:00:00:00:01"`), "would cut br0, the host's uplink")
	h := l.open(guarded)
	_, err := h.Destroy(context.Background(), "office")
	if !errors.Is(err, reconcile.ErrRefused) || !strings.Contains(err.Error(), "--allow-disconnect") {
		t.Errorf("destroy: %v, want a refusal with its remedy", err)
	}
	l.apply(l.load(strings.ReplaceAll(bridge, "mtu: 1400", "mtu: 1300")), guarded) // harmless
	adopting := func(o *reconcile.Options) { o.AllowDisconnect, o.Adopt = false, true }
	route := "routes: [{to: default, via: 192.0.2.9}]\n"
	if _, err := l.tryApply(l.load(bridge+route), adopting); !errors.Is(err, reconcile.ErrRefused) {
		t.Errorf("adopting the default route and leading it elsewhere: %v, want a refusal", err)
	}
	l.apply(l.load(strings.ReplaceAll(bridge, "192.0.2.2/24", "192.0.2.3/24"))) // allowed by the lab
}

// TestLockoutNamed refuses what cuts an interface that somebody has named, though no default route leads over it.
func TestLockoutNamed(t *testing.T) {
	l := newLab(t)
	const text = "name: office\nbridges: {br0: {addresses: [192.0.2.2/24]}}\n"
	topo, other := l.load(text), l.load(strings.ReplaceAll(text, "192.0.2.2", "192.0.2.3"))
	l.apply(topo)
	named := func(o *reconcile.Options) { o.AllowDisconnect, o.Lifelines = false, []string{"none", "br0"} }
	if p := l.diff(other, named); !p.Refused() || !strings.Contains(planText(p), "br0, the host's uplink") {
		t.Errorf("it is not refused:\n%s", planText(p))
	}
	if p := l.diff(other, guarded); p.Refused() {
		t.Errorf("not named, it is refused:\n%s", planText(p))
	}
}

// TestLockoutOwn does not count what plumb itself has made: destroy leads back to a host that was not connected.
func TestLockoutOwn(t *testing.T) {
	l := newLab(t)
	topo := l.load(uplinkBridge)
	l.apply(topo, guarded)
	l.sh("ip", "route", "replace", "default", "via", "192.0.2.9")
	l.apply(topo, guarded)
	h := l.open(guarded)
	if _, err := h.Destroy(context.Background(), "office"); err != nil {
		t.Error(err)
	}
}

// TestLockoutSSH knows the session by what sshd told the process.
func TestLockoutSSH(t *testing.T) {
	l := newLab(t)
	l.apply(l.load(strings.Replace(uplinkBridge, "routes: [{to: default, via: 192.0.2.1}]", "", 1)), guarded)
	t.Setenv("SSH_CONNECTION", "192.0.2.1 50000 192.0.2.2 22")
	l.refusedFor(`{name: office}`, "the current SSH session")
	t.Setenv("SSH_CONNECTION", "::ffff:192.0.2.1 50000 ::ffff:192.0.2.2 22")
	l.refusedFor(`{name: office}`, "the current SSH session")
	l.refusedFor(`{name: x, sysctls: {net.ipv4.conf.br0.arp_ignore: 8}}`, "br0, which carries the current SSH session")
}

// allowedTo says that a topology may be applied, and destroyed again.
func (l *lab) allowedTo(yaml string) {
	l.Helper()
	topo := l.load(yaml)
	l.apply(topo, guarded)
	if _, err := l.tryDestroy(topo.Name, guarded); err != nil {
		l.Error(err)
	}
}

// TestLockoutSysctls refuses parameters that silence the uplink.
func TestLockoutSysctls(t *testing.T) {
	l := newLab(t)
	l.uplink()
	set := func(key string, value int) string { return fmt.Sprintf("{name: x, sysctls: {%s: %d}}", key, value) }
	for key, value := range map[string]int{"net.ipv4.conf.up0.arp_ignore": 8, "net.ipv4.conf.all.arp_ignore": 8} {
		l.refusedFor(set(key, value), "would keep up0, the host's uplink, from answering ARP: use --allow-disconnect")
	}
	for _, dev := range []string{"up0", "all"} {
		l.refusedFor(set("net.ipv6.conf."+dev+".disable_ipv6", 1),
			"would switch IPv6 off on up0, the host's uplink: use --allow-disconnect")
	}
	for key, value := range map[string]int{
		"net.ipv4.conf.up0.arp_ignore": 1, "net.ipv6.conf.lo.disable_ipv6": 1, "net.ipv6.conf.default.disable_ipv6": 1,
		"net.ipv6.conf.up0.accept_ra": 0,
	} {
		l.allowedTo(set(key, value))
	}
	l.sh("ip", "-6", "route", "add", "default", "via", world6, "dev", "up0", "proto", "ra", "metric", "100")
	l.mark()
	l.refusedFor(set("net.ipv6.conf.up0.accept_ra", 0), "would let the default route over up0, the host's uplink, expire")
	l.sh("ip", "-6", "route", "flush", "default")
	l.sh("ip", "-6", "address", "flush", "dev", "up0", "scope", "global")
	l.mark()
	l.allowedTo(set("net.ipv6.conf.up0.disable_ipv6", 1)) // which it has no use for
	l.fixture(func() {})
}

// TestLockoutRoutes refuses routes that win over the host's own default route and lead elsewhere.
func TestLockoutRoutes(t *testing.T) {
	l := newLab(t)
	l.uplink()
	l.script("ip route del default\nip route add default via " + world4 + " metric 100")
	l.mark()
	route := func(words string) string { return "{name: x, routes: [{" + words + "}]}" }
	for _, words := range []string{
		`to: default, via: 198.18.0.9`, `to: default, via: 198.18.0.9, metric: 99`, `to: default, type: blackhole, metric: 5`,
		`to: "::/0", type: unreachable, metric: 5`, `to: 0.0.0.0/1, via: 198.18.0.9`,
		`to: "8000::/1", via: "2001:db8:ffff::9"`,
	} {
		l.refusedFor(route(words),
			"would divert traffic that now uses the default route over up0: use --allow-disconnect")
	}
	for _, words := range []string{
		`to: default, via: 198.18.0.9, metric: 200`, `to: default, via: 198.18.0.1, metric: 5`,
		`to: default, via: 198.18.0.9, table: 7`,
		`to: 10.0.0.0/8, via: 198.18.0.9`,
	} {
		l.allowedTo(route(words))
	}
}

// TestLockoutMultipath knows all interfaces of a default route that has several.
func TestLockoutMultipath(t *testing.T) {
	l := newLab(t)
	l.uplink()
	const bridge = "{name: office, bridges: {br0: {addresses: [192.0.2.2/24]}}}"
	l.apply(l.load(bridge))
	l.script(`ip route del default
		ip route add default proto dhcp nexthop via ` + world4 + ` dev up0 nexthop via 192.0.2.1 dev br0`)
	l.refusedFor(strings.Replace(bridge, "addresses", `mac: "02:00:00:00:00:01", addresses`, 1),
		"would cut br0, the host's uplink")
	l.refusedFor("{name: x, sysctls: {net.ipv4.conf.up0.arp_ignore: 8}}", "up0, the host's uplink")
	l.script("ip route del default\nip route add default via " + world4)
}

// TestLockoutLater guards what only a later round of an apply finds to do: it goes back.
func TestLockoutLater(t *testing.T) {
	l := newLab(t)
	const bridge = "name: office\nbridges: {br0: {addresses: [192.0.2.2/24]}}\n"
	l.apply(l.load(bridge), guarded)
	meddled := false
	seam := &kernel.Seam{Around: func(w kernel.Write, write func() error) error {
		if strings.HasPrefix(w.What, "write net/") && !meddled {
			meddled = true
			l.script("ip route add default via 192.0.2.1 proto dhcp\nip link set br0 address 02:00:00:00:00:01")
		}
		return write()
	}}
	_, err := l.tryApply(l.load(bridge+"sysctls: {net.ipv4.conf.lo.rp_filter: 1}\n"), guarded, through(seam))
	if !errors.Is(err, reconcile.ErrRolledBack) || !strings.Contains(err.Error(), "would cut br0, the host's uplink") {
		t.Errorf("%v, want that it went back for the sake of the uplink", err)
	}
	l.sh("ip", "route", "del", "default")
	l.converged(l.load(bridge))
}

// TestLockoutTaken refuses a macvlan that takes all that the uplink receives.
func TestLockoutTaken(t *testing.T) {
	l := newLab(t)
	l.uplink()
	const taken = `{name: x, namespaces: {ns1: {interfaces: {m: {macvlan: {parent: host/up0, mode: %s}}}}}}`
	l.refusedFor(fmt.Sprintf(taken, "passthru"), "would take all that is received by up0, the host's uplink")
	l.allowedTo(fmt.Sprintf(taken, "bridge"))
	l.apply(l.load(fmt.Sprintf(taken, "bridge")), guarded)
	l.refusedFor(fmt.Sprintf(taken, "passthru"), "would take all that is received by up0, the host's uplink")
}

// TestLockoutRules refuses rules that lead the host's own packets away from its default route.
func TestLockoutRules(t *testing.T) {
	l := newLab(t)
	l.uplink()
	for _, rule := range []string{
		"table: 100", "action: blackhole", "not: true, fwmark: 1, action: blackhole", "not: true, iif: eth9, table: 100",
		"uidrange: 0-9, table: 100", "ipproto: tcp, table: 100",
	} {
		l.refusedFor("{name: x, rules: [{priority: 100, "+rule+"}]}", "would divert traffic")
	}
	for _, rule := range []string{
		"priority: 100, table: main", "priority: 40000, table: 100", "priority: 100, l3mdev: true",
		"priority: 100, fwmark: 1, table: 100", "priority: 100, iif: eth9, table: 100",
		"priority: 100, uidrange: 1000-1999, table: 100", "priority: 100, to: 198.18.0.0/15, table: 100",
	} {
		l.allowedTo("{name: x, rules: [{" + rule + "}]}")
	}
}
