package reconcile_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/plumbnet/plumb/pkg/battery/host"
	"github.com/plumbnet/plumb/pkg/topology"
)

// Whatever order of those that a plan allows its steps are taken in, the end is the same: when all is made, changed and
// taken away. TEST_ORDERS=N tries so many.
func TestOrders(t *testing.T) {
	if host.InParts(t) {
		return
	}
	orders := number("TEST_ORDERS", 6)
	for _, name := range host.Share(t, examples(t)) {
		t.Run(name, func(t *testing.T) {
			l := newLab(t)
			yaml := l.example(name)
			l.around(yaml)
			empty := l.settle()
			files, ends := []string{yaml}, make(map[string]string)
			for _, v := range variants {
				files = append(files, v.edit(yaml))
			}
			for _, file := range files {
				l.apply(l.load(file))
				ends[file] = l.settle()
			}
			topo, nothing := l.load(yaml), l.load("name: "+l.load(yaml).Name)
			l.destroy(topo.Name)
			for seed := range uint64(orders) {
				l.atRandom(seed, topo)
				l.restored(fmt.Sprintf("order %d:", seed), ends[yaml])
				changed := files[1+seed%uint64(len(variants))]
				l.atRandom(seed, l.load(changed))
				l.restored(fmt.Sprintf("order %d, and changed:", seed), ends[changed])
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
