package reconcile_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/plumbnet/plumb/pkg/battery/host"
	"github.com/plumbnet/plumb/pkg/topology"
)

// Whatever order of those that a plan allows its steps are taken in, the end is the same.
func TestOrders(t *testing.T) {
	if host.InParts(t) {
		return
	}
	orders := 50
	if testing.Short() {
		orders = 5
	}
	for _, name := range host.Share(t, examples(t)) {
		t.Run(name, func(t *testing.T) {
			l := newLab(t)
			l.foreign()
			l.uplink()
			topo := l.load(l.example(name))
			empty := l.settle()
			l.apply(topo)
			made := l.settle()
			l.destroy(topo.Name)
			nothing := l.load("name: " + topo.Name)
			for seed := range uint64(orders) {
				l.atRandom(seed, topo)
				l.restored(fmt.Sprintf("order %d:", seed), made)
				l.atRandom(seed, nothing)
				l.restored(fmt.Sprintf("order %d, and gone again:", seed), empty)
			}
		})
	}
}

// atRandom applies a topology, whose steps it takes in random order.
func (l *lab) atRandom(seed uint64, topo *topology.Topology) {
	l.Helper()
	h := l.open()
	h.TakeAtRandom(seed)
	report, err := h.Apply(context.Background(), topo)
	if err != nil {
		l.Fatalf("order %d: %v\n%s", seed, err, outcomes(report))
	}
	l.planned(report)
}
