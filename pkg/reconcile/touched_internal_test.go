package reconcile

import (
	"maps"
	"net/netip"
	"slices"
	"testing"

	"github.com/plumbnet/plumb/pkg/kinds"
	"github.com/plumbnet/plumb/pkg/link"
	"github.com/plumbnet/plumb/pkg/plan"
)

// What a step can have changed is read again: also at the other end of a cable, and everywhere when a namespace goes.
func TestTouchedBy(t *testing.T) {
	address := kinds.Address{NS: "ns1", Dev: "eth0", Prefix: netip.MustParsePrefix("10.0.0.1/24")}
	link := link.Link{NS: "ns1", Name: "eth0", Peer: "ns2/eth0"}
	namespace := kinds.Namespace{Name: "ns3"}
	step := func(action plan.Action, c plan.Change) plan.Step {
		return plan.Step{Action: action, Changes: []plan.Change{c}}
	}
	for name, c := range map[string]struct {
		step plan.Step
		want []string // nil for all
	}{
		"an address":            {step(plan.Create, plan.Change{New: address}), []string{"ns1"}},
		"a cable":               {step(plan.Update, plan.Change{Old: link, New: link}), []string{"ns1", "ns2"}},
		"a cable that goes":     {step(plan.Delete, plan.Change{Old: link}), []string{"ns1", "ns2"}},
		"a new namespace":       {step(plan.Create, plan.Change{New: namespace}), []string{"", "ns3"}},
		"a namespace that goes": {step(plan.Delete, plan.Change{Old: namespace}), nil},
	} {
		got := touchedBy([]plan.Step{c.step})
		if (got == nil) != (c.want == nil) || !slices.Equal(slices.Sorted(maps.Keys(got)), c.want) {
			t.Errorf("%s touches %v, want %v", name, got, c.want)
		}
	}
}
