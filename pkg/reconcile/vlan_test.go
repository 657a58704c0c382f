package reconcile_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/plumbnet/plumb/pkg/battery/host"
	"github.com/plumbnet/plumb/pkg/reconcile"
)

// Frames cross a trunk with the tag of their VLAN, and come to nobody in another one.
func TestVLANTrunk(t *testing.T) {
	if !possible(t, "vlan-trunk.yaml") {
		t.Skip("the kernel's bridges filter no VLANs")
	}
	l := newLab(t)
	l.apply(l.load(l.example("vlan-trunk.yaml")))
	for _, p := range []struct{ from, to, four, six string }{
		{"pc1", "pc2", "10.10.0.12", "fd00:10::12"}, {"tv2", "tv1", "10.20.0.11", "fd00:20::11"},
	} {
		l.ping(p.from, p.four)
		l.ping(p.from, p.six)
		l.tcp(p.from, p.to, p.four)
	}
	t.Log("across VLANs there is no way, whatever the hosts think")
	for _, p := range []struct{ ns, net string }{{"pc1", "10.20.0.0/24"}, {"tv1", "10.10.0.0/24"}} {
		l.inNS(p.ns, "ip", "route", "add", p.net, "dev", "eth0")
	}
	err := host.Inside("pc1", func() error { return host.Run("ping", "-n", "-c", "1", "-W", "1", "10.20.0.11") })
	if err == nil {
		t.Error("pc1 in VLAN 10 reaches tv1 in VLAN 20")
	}
	pc1, pc2, tv1, tv2, trunk := l.tap("pc1", "eth0"), l.tap("pc2", "eth0"), l.tap("tv1", "eth0"), l.tap("tv2", "eth0"),
		l.tap("", "trunk2")
	pc1.send(frame(everybody, alice, "of the office"))
	if heard, vlan := trunk.hears("of the office", patience); !heard || vlan != 10 {
		t.Errorf("on the trunk: heard %v, VLAN %d", heard, vlan)
	}
	if heard, vlan := pc2.hears("of the office", patience); !heard || vlan != 0 {
		t.Errorf("in the VLAN: heard %v, with the tag %d", heard, vlan)
	}
	for _, other := range []*tap{tv1, tv2} {
		if heard, _ := other.hears("of the office", soon); heard {
			t.Error("another VLAN hears it")
		}
	}
	t.Log("a frame without a tag goes nowhere from a trunk")
	l.tap("", "trunk1").send(frame(everybody, bob, "untagged"))
	for _, any := range []*tap{pc2, tv2} {
		if heard, _ := any.hears("untagged", soon); heard {
			t.Error("a frame without a tag crosses")
		}
	}
}

// A kernel whose bridges filter no VLANs is found before anything is written.
func TestVLANsLacking(t *testing.T) {
	if possible(t, "vlan-trunk.yaml") {
		t.Skip("the kernel's bridges filter VLANs")
	}
	l := newLab(t)
	before := l.settle()
	_, err := l.tryApply(l.load(l.example("vlan-trunk.yaml")))
	want := "link floor1: vlan-filtering needs a kernel with CONFIG_BRIDGE_VLAN_FILTERING"
	if err == nil || !strings.Contains(err.Error(), want) || errors.Is(err, reconcile.ErrRolledBack) {
		t.Errorf("%v, want %q", err, want)
	}
	l.restored("after it was refused", before)
}
