package reconcile_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/plumbnet/plumb/pkg/reconcile"
)

// TestUndeclaredParent makes links on one of the host that the file does not know: they take the MTU that it leaves,
// and where it is not there, or too small, nothing is changed.
func TestUndeclaredParent(t *testing.T) {
	l := newLab(t)
	l.uplink()
	l.sh("ip", "link", "set", "up0", "mtu", "1400")
	const yaml = `
name: x
interfaces: {v: {vxlan: {id: 7, dev: up0, remote: 192.0.2.9}}}
namespaces: {ns1: {interfaces: {m: {macvlan: {parent: host/up0}}}}}
`
	topo := l.load(yaml)
	l.apply(topo)
	if out := l.sh("ip", "-n", "ns1", "-o", "link", "show", "m"); !strings.Contains(out, "mtu 1400 ") {
		t.Errorf("the macvlan has not its parent's MTU:\n%s", out)
	}
	if out := l.sh("ip", "-o", "link", "show", "v"); !strings.Contains(out, "mtu 1350 ") {
		t.Errorf("the tunnel has not what the link leaves:\n%s", out)
	}
	l.sh("ip", "link", "set", "up0", "mtu", "1300")
	l.apply(topo)
	if p := l.diff(topo); len(p.Steps) > 0 {
		t.Errorf("after the parent's MTU became less:\n%s", planText(p))
	}
	before := l.settle()
	for yaml, want := range map[string]string{
		strings.ReplaceAll(yaml, "up0", "gone0"): "gone0, which it is made on, is not on the host",
		strings.Replace(yaml, "{macvlan: {parent: host/up0}}",
			"{macvlan: {parent: host/up0}, mtu: 1500}", 1): "mtu 1500 is more than the 1300 that up0 leaves",
	} {
		if _, err := l.tryApply(l.load(yaml)); !errors.Is(err, reconcile.ErrNotRun) || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want: %s", err, want)
		}
	}
	l.same("after the refusals", before, l.settle())
	l.sh("ip", "link", "set", "up0", "mtu", "1500")
}

// TestLackingType asks for links of types that the kernel does not have: nothing is changed, and it is said what the
// kernel needs, and where the file asks for it.
func TestLackingType(t *testing.T) {
	l := newLab(t)
	types, err := linkTypes()
	if err != nil {
		t.Fatal(err)
	}
	for of, options := range map[string]string{"dummy": "", "ifb": "", "tap": "", "vlan": "parent: br0, id: 7"} {
		topo := l.load("name: x\nbridges: {br0: {}}\ninterfaces:\n  x0: {" + of + ": {" + options + "}}\n")
		if slices.Contains(types, of) {
			l.diff(topo)
			continue
		}
		_, err := l.tryApply(topo)
		want := "test.yaml:4: link x0: this kernel has no links of type " + of + ": it needs the kernel module "
		if !errors.Is(err, reconcile.ErrNotRun) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", of, err, want)
		}
	}
	l.restored("after what the kernel lacks", l.base.Text)
}
