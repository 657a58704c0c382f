package reconcile_test

import (
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/plumbnet/plumb/pkg/kernel"
	"github.com/plumbnet/plumb/pkg/plan"
	"github.com/plumbnet/plumb/pkg/reconcile"
)

// What is read while a run goes on is verified as what is read after it: an address that was not added, though the kernel seemed to take it,
// is found missing in the first namespace of a line as in the last.
func TestFollowedIsVerified(t *testing.T) {
	l := newLab(t)
	const routers = 8
	topo := l.load(strings.ReplaceAll(line(routers), "name: x", "name: lab"))
	for _, name := range []string{"n0", "n3", "n7"} {
		var lost atomic.Bool
		losing := func(o *reconcile.Options) {
			o.Workers = 2
			o.Seam = &kernel.Seam{Around: func(w kernel.Write, write func() error) error {
				if w.NS == name && strings.HasPrefix(w.What, "add address 10.") && !lost.Swap(true) {
					return nil
				}
				return write()
			}}
		}
		report, err := l.tryApply(topo, losing)
		unplanned := func(o plan.Outcome) bool { return o.Unplanned && o.Step.Key().NS == name }
		if err != nil || !lost.Load() || !slices.ContainsFunc(report.Outcomes, unplanned) {
			t.Errorf("%v, want an address of %s that was added again\n%s", err, name, outcomes(report))
		}
		l.converged(topo)
		l.destroy(topo.Name)
	}
}
