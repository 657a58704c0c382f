package reconcile_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/plumbnet/plumb/pkg/object"
	"github.com/plumbnet/plumb/pkg/reconcile"
)

// uplinkPort has up0 of the private host as a bridge's port, and its addresses and default routes on the bridge.
const uplinkPort = `
name: x
bridges:
  br0:
    addresses: [` + uplink4 + `/24, "` + uplink6 + `/64"]
interfaces:
  up0: {existing: true, master: br0}
routes:
  - {to: default, via: ` + world4 + `}
  - {to: default, via: "` + world6 + `"}
namespaces:
  ns1: {interfaces: {eth0: {bridge: br0, addresses: [198.18.0.7/24]}}}
`

// TestUplinkMoves: the addresses of an uplink that becomes a port go to the bridge that the topology has them on, with
// the routes over it, and come back with destroy.
func TestUplinkMoves(t *testing.T) {
	l := newLab(t)
	l.uplink()
	l.script(`
		ip route add 198.51.100.0/24 via ` + world4 + ` proto static metric 50
		ip route add 203.0.113.0/24 dev up0 scope link
		ip address add 198.18.0.3/24 dev up0 label up0:x`)
	l.mark()
	l.fixture(func() {})
	before := l.settle()
	topo := l.load(uplinkPort)
	if p := l.diff(topo, func(o *reconcile.Options) { o.AllowDisconnect = false }); !p.Refused() {
		t.Errorf("nothing says that the host may be cut off:\n%s", planText(p))
	}
	t.Logf("\n%s", planText(l.diff(topo)))
	l.apply(topo)
	l.converged(topo)
	for _, to := range []string{world4, world6} {
		l.sh("ping", "-n", "-c", "1", "-W", "5", to)
	}
	l.sh("ip", "netns", "exec", "ns1", "ping", "-n", "-c", "1", "-W", "5", world4)
	if out := l.sh("ip", "route", "get", "192.0.2.1"); !strings.Contains(out, "dev br0") {
		t.Errorf("the default route does not lead over the bridge: %s", out)
	}
	t.Logf("\n%s", outcomes(l.destroy("x")))
	l.same("after destroy", before, l.settle())
	if _, err := l.tryApply(l.load(strings.ReplaceAll(uplinkPort, "up0", "up9"))); !errors.Is(err, reconcile.ErrNotRun) ||
		!strings.Contains(err.Error(), `test.yaml:7: link up9: is not there`) {
		t.Errorf("%v", err)
	}
}

// cards are two interfaces of the host that plumb does not make.
func (l *lab) cards() {
	l.Helper()
	l.script(`
		ip link add card0 address 02:f2:00:00:00:01 type veth peer name far0 address 02:f2:00:00:00:02
		ip link add card1 address 02:f2:00:00:00:03 mtu 1480 type veth peer name far1 address 02:f2:00:00:00:04`)
	l.fixture(func() {
		l.script(`
			ip link del far0
			ip link del far1`)
	})
}

const existingCard = `
name: x
interfaces: {card0: {existing: true, mtu: 1400, mac: "02:f2:00:00:00:11"}}
sysctls: {net.ipv4.conf.card0.rp_filter: 2}
`

// TestExistingSwapped: what an interface was is given back to that one, when names were swapped meanwhile, by destroy
// or by an apply, which then changes the one that has the name now.
func TestExistingSwapped(t *testing.T) {
	for _, again := range []bool{false, true} {
		t.Run(fmt.Sprintf("applied again: %v", again), func(t *testing.T) {
			l := newLab(t)
			l.cards()
			before := l.settle()
			l.apply(l.load(existingCard))
			swap := func() {
				l.script(`
					ip link set card0 name card9
					ip link set card1 name card0
					ip link set card9 name card1`)
			}
			swap()
			if again {
				l.apply(l.load(existingCard))
				l.converged(l.load(existingCard))
				if out := l.sh("ip", "-o", "link", "show", "card1"); !strings.Contains(out, "mtu 1500") {
					t.Errorf("the first one is not as it was: %s", out)
				}
			}
			l.destroy("x")
			swap()
			l.same("after destroy", before, l.settle())
		})
	}
}

// TestExistingShared: two topologies may want the same of an interface, and the last to leave gives it back; what they
// do not agree about is refused, as is a link that another topology has made, and one's own. None is taken over.
func TestExistingShared(t *testing.T) {
	l := newLab(t)
	l.cards()
	before := l.settle()
	l.apply(l.load(existingCard))
	const second = "name: y\nbridges: {br1: {}}\ninterfaces: {card0: {existing: true, mtu: 1400, master: br1}}\n"
	l.apply(l.load(second), func(o *reconcile.Options) { o.Adopt = true })
	l.converged(l.load(second))
	l.refused(strings.Replace(second, "1400", "1300", 1), "topology x wants mtu 1400: the two cannot be on one host")
	l.refused("name: z\nbridges: {br1: {existing: true}}", "belongs to topology y")
	l.refused("name: y\nbridges: {br1: {existing: true}}", "was made by plumb for this very topology")
	l.refused("name: z\nbridges: {br2: {}}\ninterfaces: {card0: {existing: true, master: br2}}",
		"topology y wants master br1")
	l.destroy("x")
	if out := l.sh("ip", "-o", "link", "show", "card0"); !strings.Contains(out, "mtu 1400") ||
		!strings.Contains(out, "02:f2:00:00:00:01") || strings.Contains(out, "alias") {
		t.Errorf("card0 is not as the second one wants it: %s", out)
	}
	l.destroy("y")
	l.same("after both", before, l.settle())
}

// refused says that a topology is refused, with or without --adopt, for a reason, and that nothing changes.
func (l *lab) refused(yaml, why string) {
	l.Helper()
	for _, adopt := range []bool{false, true} {
		before := l.settle()
		p := l.diff(l.load(yaml), func(o *reconcile.Options) { o.Adopt = adopt })
		if !p.Refused() || !strings.Contains(planText(p), why) {
			l.Errorf("it is not refused because %s:\n%s", why, planText(p))
		}
		l.same("after the refusal", before, l.settle())
	}
}

// TestExistingNamed: the refusal of a link that is there already says how the file can use it, wherever it is.
func TestExistingNamed(t *testing.T) {
	l := newLab(t)
	l.cards()
	l.script("ip link add lan0 type bridge")
	l.fixture(func() { l.script("ip link del lan0") })
	b := l.box()
	b.run("ip link add lan1 type bridge\nip link add eth0 type veth peer name eth1")
	for _, test := range []struct{ yaml, hint string }{
		{"bridges: {lan0: {}}", "bridges: {lan0: {existing: true}}"},
		{"bridges: {card0: {}}", "interfaces: {card0: {existing: true}}"},
		{"interfaces: {e: {peer: card0}}", "interfaces: {card0: {existing: true}}"},
		{"namespaces: {ns1: {interfaces: {e: {peer: host/card0}}}}", "interfaces: {card0: {existing: true}}"},
		{fmt.Sprintf("namespaces: {web: {attach: pid:%d, bridges: {lan1: {}}}}", b.pid()),
			"namespaces: {web: {bridges: {lan1: {existing: true}}}}"},
		{fmt.Sprintf("interfaces: {e: {peer: web/eth0}}\nnamespaces: {web: {attach: pid:%d}}", b.pid()),
			"namespaces: {web: {interfaces: {eth0: {existing: true}}}}"},
	} {
		text := planText(l.diff(l.load("name: x\n" + test.yaml)))
		want := "use --adopt; if it is to stay as it is, declare it as existing: " + test.hint + "\n"
		if strings.Count(text, "declare it") != 1 || !strings.Contains(text, want) {
			t.Errorf("%s: the plan lacks %q:\n%s", test.yaml, want, text)
		}
	}
	l.script("ip link set lan0 group " + fmt.Sprint(object.Group("x")))
	if text := planText(l.diff(l.load("name: x\nbridges: {lan0: {}}"))); strings.Contains(text, "declare it") {
		t.Errorf("one that has plumb's group is none that is there already:\n%s", text)
	}
	l.script("ip link set lan0 group 0")
}

// TestExistingInUse: what others use for something else can be no port, and no parent.
func TestExistingInUse(t *testing.T) {
	l := newLab(t)
	l.cards()
	l.script(`
		ip link add link card0 name theirs type macvlan mode bridge
		ip link add their0 type bridge
		ip link set card1 master their0`)
	l.fixture(func() { l.script("ip link del their0\nip link del theirs") })
	l.refused("name: x\nbridges: {br0: {}}\ninterfaces: {card0: {existing: true, master: br0}}",
		"port or parent card0 is taken by link theirs, which does not belong to this topology")
	l.refused("name: x\ninterfaces: {mv0: {macvlan: {parent: card1}}}", "port or parent card1 is taken by link card1")
	topo := l.load("name: x\ninterfaces: {mv0: {macvlan: {parent: card0}}}")
	l.apply(topo)
	l.converged(topo)
}

// TestExistingMeddled: a value that is no longer what was written stays as it is, with a warning; what is gone is told.
func TestExistingMeddled(t *testing.T) {
	l := newLab(t)
	l.cards()
	l.apply(l.load(existingCard))
	l.script("ip link set card0 mtu 1450")
	l.destroy("x")
	const want = "mtu of link card0 is 1450, which is neither what was written (1400) nor what it was before (1500)"
	if text := strings.Join(l.warnings, "\n"); !strings.Contains(text, want) {
		t.Errorf("no warning that %s, but\n%s", want, text)
	}
	if out := l.sh("ip", "-o", "link", "show", "card0"); !strings.Contains(out, "mtu 1450") ||
		!strings.Contains(out, "02:f2:00:00:00:01") {
		t.Errorf("card0 has not its own MAC and the other's MTU: %s", out)
	}
	l.script("ip link set card0 mtu 1500")

	l.apply(l.load(existingCard))
	l.script("ip link del card0")
	l.destroy("x")
	if text := strings.Join(l.warnings, "\n"); !strings.Contains(text, "link card0 mtu: the interface") {
		t.Errorf("no warning that the interface is gone, but\n%s", text)
	}
	l.script("ip link add card0 address 02:f2:00:00:00:01 type veth peer name far0 address 02:f2:00:00:00:02")
}

// TestExistingInNamespace: an interface that was moved into a namespace of the topology by hand.
func TestExistingInNamespace(t *testing.T) {
	l := newLab(t)
	l.cards()
	const (
		empty = "name: x\nnamespaces: {ns1: {bridges: {sw0: {}}}}\n"
		with  = "name: x\nnamespaces: {ns1: {bridges: {sw0: {addresses: [10.4.0.1/24]}}, " +
			"interfaces: {card1: {existing: true, mtu: 1400, master: sw0}}}}\n"
	)
	if _, err := l.tryApply(l.load(with)); !errors.Is(err, reconcile.ErrNotRun) ||
		!strings.Contains(err.Error(), "namespace ns1 is yet to be made") {
		t.Errorf("%v", err)
	}
	l.apply(l.load(empty))
	l.script(`
		ip link set card1 netns ns1
		ip -n ns1 link set card1 up
		ip -n ns1 address add 10.4.0.1/24 dev card1`)
	before := l.settle()
	l.apply(l.load(with))
	l.converged(l.load(with))
	l.apply(l.load(empty))
	l.same("when the file says nothing of it any longer", before, l.settle())
	l.apply(l.load(with))
	report := l.destroy("x")
	if text := outcomes(report); !strings.Contains(text, "update link ns1/card1:  master sw0 -> none, mtu 1400 -> 1480") {
		t.Errorf("it is not given back before its namespace goes:\n%s", text)
	}
	for strings.Contains(l.sh("ip", "-o", "link"), "far1") { // the other end, which the kernel deletes when it gets to it
		time.Sleep(10 * time.Millisecond)
	}
	l.script("ip link add card1 address 02:f2:00:00:00:03 mtu 1480 type veth peer name far1 address 02:f2:00:00:00:04")
}

// TestExistingMasterRenamed: a port goes back to the bridge that it was on, whatever that is called now, and to one
// that has come in its place.
func TestExistingMasterRenamed(t *testing.T) {
	for _, test := range []struct{ meanwhile, then string }{
		{"ip link set lan0 down\nip link set lan0 name lan9\nip link add lan0 type bridge",
			"ip link del lan0\nip link set lan9 name lan0\nip link set lan0 up"},
		{"ip link del lan0\nip link add lan0 address 02:f2:00:00:00:09 type bridge\nip link set lan0 up", ""},
	} {
		l := newLab(t)
		l.script(`
			ip link add card0 address 02:f2:00:00:00:01 type veth peer name far0 address 02:f2:00:00:00:02
			ip link add lan0 address 02:f2:00:00:00:09 type bridge
			ip link set lan0 up
			ip link set card0 up master lan0`)
		before := l.settle()
		l.apply(l.load("name: x\nbridges: {br0: {}}\ninterfaces: {card0: {existing: true, master: br0}}\n"))
		l.script(test.meanwhile)
		l.destroy("x")
		l.script(test.then)
		l.same("after destroy", before, l.settle())
		l.script("ip link del lan0\nip link del card0")
	}
}

// TestExistingBridgeNarrow: a bridge that has the MTU of plumb's port when it is told another gets back what it had
// without that port.
func TestExistingBridgeNarrow(t *testing.T) {
	l := newLab(t)
	l.script(`
		ip link add lan0 address 02:f2:00:00:00:09 type bridge
		ip link set lan0 up
		ip link add card0 address 02:f2:00:00:00:01 type veth peer name far0 address 02:f2:00:00:00:02
		ip link set far0 up
		ip link set card0 up master lan0`)
	l.fixture(func() { l.script("ip link del card0\nip link del lan0") })
	before := l.settle()
	const with = "name: x\nbridges: {lan0: {existing: true%s}}\n" +
		"interfaces: {vx0: {vxlan: {id: 9, remote: 10.0.0.9}, master: lan0}}\n"
	l.apply(l.load(fmt.Sprintf(with, "")))
	l.apply(l.load(fmt.Sprintf(with, ", mtu: 1400")))
	l.converged(l.load(fmt.Sprintf(with, ", mtu: 1400")))
	l.destroy("x")
	l.same("after destroy", before, l.settle())
}

// TestExistingVLANs: what a port of a bridge has of VLANs where the kernel's bridges have none is neither planned nor
// recorded, nor is what the file says of VLANs of a bridge.
func TestExistingVLANs(t *testing.T) {
	l := newLab(t)
	l.cards()
	l.script(`
		ip link add lan0 address 02:f2:00:00:00:09 type bridge
		ip link set card0 master lan0`)
	l.fixture(func() { l.script("ip link del lan0") })
	before := l.settle()
	without := !strings.Contains(l.sh("ip", "-d", "link", "show", "lan0"), "vlan_default_pvid")
	vlans := ""
	if without {
		vlans = ", default-pvid: 6, vlan-protocol: 802.1ad"
	}
	const (
		bridges = "name: x\nbridges: {br0: {default-pvid: 5}, lan0: {existing: true%s}}\n"
		port    = "interfaces: {card0: {existing: true, master: %s}, tap0: {tap: {}, master: %s}}\n"
	)
	for _, yaml := range []string{
		fmt.Sprintf(bridges+port, "", "br0", "lan0"),
		fmt.Sprintf(bridges+port, ", mcast-snooping: false"+vlans, "lan0", "br0"),
		fmt.Sprintf(bridges+port, "", "br0", "lan0"),
		fmt.Sprintf(bridges, ""),
	} {
		text := planText(l.diff(l.load(yaml)))
		if strings.Contains(text, "cost") {
			t.Errorf("nothing changes what a port costs, and the plan says:\n%s", text)
		}
		if without && (strings.Contains(text, "pvid") || strings.Contains(text, "vlan")) {
			t.Errorf("the kernel has no VLANs of bridges, and the plan says:\n%s", text)
		}
		l.apply(l.load(yaml))
		l.silent("of\n" + yaml)
		l.converged(l.load(yaml))
	}
	l.destroy("x")
	l.silent("destroy")
	l.same("after destroy", before, l.settle())
}

// TestTakenOfOthersShared: what the kernel takes of others while two topologies want the same is given back when the
// last of them leaves, whichever that is, and the plan that takes it says so.
func TestTakenOfOthersShared(t *testing.T) {
	for name, wish := range map[string]string{
		"IPv6 off on one link": "sysctls: {net.ipv6.conf.card0.disable_ipv6: 1}",
		"IPv6 off on all":      "sysctls: {net.ipv6.conf.all.disable_ipv6: 1}",
		"down":                 "interfaces: {card0: {existing: true, up: false}}",
	} {
		for _, first := range []string{"x", "y"} {
			t.Run(name+", first goes "+first, func(t *testing.T) {
				l := newLab(t)
				l.cards()
				l.script(`
					ip link set card0 addrgenmode none up
					ip address add fd00:8::1/64 dev card0 nodad
					ip route add fd00:9::/64 via fd00:8::9 dev card0
					ip neighbor add fd00:8::7 lladdr 02:00:00:00:00:07 dev card0 nud permanent`)
				l.mark()
				before := l.settle()
				l.apply(l.load("name: x\n" + wish + "\n"))
				for _, lost := range []string{"address card0 fd00:8::1/64", "route fd00:9::/64", "neighbor card0 fd00:8::7"} {
					want := "link card0 loses what others have on it, until plumb can put it back: " + lost
					if !slices.Contains(l.warnings, want) {
						t.Errorf("no warning that %s, but %q", want, l.warnings)
					}
				}
				l.apply(l.load("name: y\n" + wish + "\n"))
				l.destroy(first)
				l.destroy(map[string]string{"x": "y", "y": "x"}[first])
				l.restored("after both", before)
			})
		}
	}
}

// TestExistingLinkLocal: the link-local address that an interface gets back is as the kernel makes it.
func TestExistingLinkLocal(t *testing.T) {
	l := newLab(t)
	l.cards()
	l.script("ip link set card0 up\nip link set far0 up")
	l.mark()
	shown := func() string {
		l.settle()
		return strings.ReplaceAll(l.sh("ip", "-6", "address", "show", "dev", "card0"), "tentative ", "")
	}
	before := shown()
	l.apply(l.load(existingCard))
	l.destroy("x")
	if now := shown(); now != before {
		t.Errorf("got\n%s\nwant\n%s", now, before)
	}
}
