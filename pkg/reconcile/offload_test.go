package reconcile_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/plumbnet/plumb/pkg/reconcile"
)

// A feature that the kernel does not change is found before anything is written, on a link that is there and on one
// that is still to be made; and so is one that there is not.
func TestFixedFeature(t *testing.T) {
	l := newLab(t)
	for _, step := range []struct{ offload, why string }{
		{"loopback: true", "feature loopback of link a/eth0 is fixed, and cannot be on: leave it out"},
		{"rx-grow: true", "link a/eth0 has no feature rx-grow"},
		{"loopback: false", ""},
		{"loopback: true", "feature loopback of link a/eth0 is fixed, and cannot be on: leave it out"},
	} {
		eth0 := "{peer: b/eth0, offload: {" + step.offload + "}}"
		topo := l.load("name: x\nnamespaces: {a: {interfaces: {eth0: " + eth0 + "}}, b: {}}\n")
		before := l.settle()
		_, err := l.tryApply(topo)
		if step.why == "" {
			if err != nil {
				t.Error(err)
			}
			continue
		}
		if !errors.Is(err, reconcile.ErrNotRun) || !strings.Contains(err.Error(), step.why) {
			t.Errorf("%s: %v", step.offload, err)
		}
		l.restored("after the refusal", before)
	}
}

// What a feature was is given back where the link is not plumb's, whatever it is called then.
func TestOffloadGivenBack(t *testing.T) {
	l := newLab(t)
	before := l.settle()
	topo := l.load("name: x\ninterfaces: {lo: {offload: {rx-gro: false}}}\n")
	l.apply(topo)
	if p := l.diff(l.load("name: y\ninterfaces: {lo: {offload: {rx-gro: true}}}\n")); !p.Refused() {
		t.Error("two topologies get two values of one feature")
	}
	l.destroy("x")
	l.restored("after destroy", before)
}
