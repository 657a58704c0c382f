package reconcile_test

import (
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/plumbnet/plumb/pkg/battery/host"
	"github.com/plumbnet/plumb/pkg/reconcile"
)

// needsLinks skips a test where the kernel lacks a type of link, given as ip-link(8) makes it.
func (l *lab) needsLinks(words string) {
	l.Helper()
	err := host.Apart(func() error {
		return host.Run("ip", append([]string{"link", "add", "x", "type"}, strings.Fields(words)...)...)
	})
	switch {
	case err == nil:
	case os.Getenv("TEST_REQUIRE_KINDS") != "":
		l.Fatal(err)
	default:
		l.Skip(err)
	}
}

// usedPort is the port of a bond that is in use.
func (l *lab) usedPort(ns, bond string) string {
	l.Helper()
	_, used, _ := strings.Cut(l.sh("ip", "-n", ns, "-d", "link", "show", bond), "active_slave ")
	used, _, _ = strings.Cut(used, " ")
	return used
}

// When a cable of a bond fails, the other one takes over, and gives way again: an apply has nothing to do with that.
func TestPacketsBondFailsOver(t *testing.T) {
	l := newLab(t)
	l.needsLinks("bond mode active-backup")
	topo := l.load(l.example("bonded-uplink.yaml"))
	l.apply(topo)
	uses := func(port string) {
		t.Helper()
		deadline := time.Now().Add(patience)
		for l.usedPort("server", "bond0") != port {
			if time.Now().After(deadline) {
				t.Fatalf("the bond uses %q, not %q", l.usedPort("server", "bond0"), port)
			}
			time.Sleep(50 * time.Millisecond)
		}
		l.reaches("server", "gateway", "10.0.0.1", "10.0.0.2")
		l.reaches("gateway", "server", "fd00::2", "fd00::1")
	}
	uses("eth0")
	l.sh("ip", "-n", "switches", "link", "set", "port1", "down")
	uses("eth1")
	l.apply(topo) // the port comes up again
	uses("eth0")
	l.converged(topo)
}

// Two VRFs with the same networks carry each its own packets, and one does not hear of the other.
func TestPacketsVRFs(t *testing.T) {
	l := newLab(t)
	l.needsLinks("vrf table 10")
	l.apply(l.load(l.example("vrf-lite.yaml")))
	for _, customer := range []string{"red", "blue"} {
		office, depot := customer+"-office", customer+"-depot"
		l.reaches(office, depot, "10.0.1.2", "10.0.0.2")
		l.reaches(depot, office, "fd00::2", "fd00:1::2")
	}
	l.sh("ip", "-n", "red-depot", "address", "add", "10.0.9.1/32", "dev", "lo")
	l.ping("red-office", "10.0.9.1")
	l.sh("ip", "-n", "blue-depot", "address", "add", "10.0.9.1/32", "dev", "lo")
	err := host.Inside("blue-office", func() error { return host.Run("ping", "-n", "-c", "1", "-W", "1", "10.0.9.1") })
	if err == nil {
		t.Error("blue has taken red's route")
	}
	l.sh("ip", "-n", "red-depot", "address", "del", "10.0.9.1/32", "dev", "lo")
	l.sh("ip", "-n", "blue-depot", "address", "del", "10.0.9.1/32", "dev", "lo")
}

// The rule by which VRFs are looked up comes to the host with the first VRF, and goes with the last one of plumb's: but
// not where it was there before.
func TestVRFRules(t *testing.T) {
	l := newLab(t)
	l.needsLinks("vrf table 10")
	rules := func() (all string) {
		for _, what := range []string{"rule", "mrule"} {
			all += l.sh("ip", "-4", what) + l.sh("ip", "-6", what)
		}
		return all
	}
	empty := rules()
	one := l.load("name: one\ninterfaces: {red: {vrf: {table: 10}}}\n")
	two := l.load("name: two\ninterfaces: {blue: {vrf: {table: 20}}}\n")
	l.apply(one)
	with := rules()
	if n := strings.Count(with, "l3mdev"); n != 2 && n != 4 { // a kernel without rules for multicast has 2
		t.Errorf("the rules are\n%s", with)
	}
	l.apply(two)
	l.destroy("one")
	l.same("with a VRF of another topology", with, rules())
	l.converged(two)
	l.destroy("two")
	l.same("without VRFs", empty, rules())
	l.apply(one) // the kernel makes no rule a second time
	l.same("with a VRF again", with, rules())
	l.destroy("one")

	l.sh("ip", "link", "add", "green", "type", "vrf", "table", "30")
	l.sh("ip", "rule", "add", "l3mdev", "pref", "1000")
	l.sh("ip", "-6", "rule", "add", "l3mdev", "pref", "1000")
	theirs := rules()
	l.apply(one)
	l.converged(one)
	l.destroy("one")
	l.same("with a VRF of others", theirs, rules())
	_, err := l.tryApply(l.load("name: one\nrules: [{priority: 1000, l3mdev: true}]\n"))
	if !errors.Is(err, reconcile.ErrRefused) {
		t.Errorf("a rule of others is declared: %v", err)
	}
	l.sh("ip", "link", "del", "green")
	l.sh("ip", "rule", "del", "pref", "1000")
	l.sh("ip", "-6", "rule", "del", "pref", "1000")

	// The kernel makes the one that the file declares before plumb does.
	declared := l.load("name: one\nnamespaces:\n  ns1:\n    interfaces: {red: {vrf: {table: 10}}}\n" +
		"    rules: [{priority: 1000, l3mdev: true}]\n")
	l.apply(declared)
	l.converged(declared)
	l.destroy("one")
}
