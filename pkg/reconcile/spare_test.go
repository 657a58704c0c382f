package reconcile_test

import (
	"context"
	"errors"
	"os"
	"runtime"
	"sync/atomic"
	"testing"

	"github.com/plumbnet/plumb/pkg/battery/snapshot"
	"github.com/plumbnet/plumb/pkg/kernel"
	"github.com/plumbnet/plumb/pkg/reconcile"
	"github.com/plumbnet/plumb/pkg/topology"
)

// At the first apply of a host a namespace is made while the file is parsed, and becomes the first that is wanted:
// the run makes one less. Where nothing comes of it, it is gone.
func TestSpare(t *testing.T) {
	if runtime.GOMAXPROCS(0) < 2 {
		t.Skip("on one processor nothing is made beside")
	}
	l := newLab(t)
	topo, other := l.load(besideNet()), l.load("{name: other, sysctls: {net.ipv4.conf.default.rp_filter: 1}}")
	l.names = append(l.names, topo.Name, other.Name)
	before, open := l.settle(), descriptors(t)
	for _, test := range []struct {
		when        string
		begin, undo string
		first       *topology.Topology // which is applied before
		elsewhere   bool               // by another process
		made        int64
		refused     bool
	}{
		{when: "on an empty host", made: besideHosts - 1},
		{when: "beside a foreign bridge", begin: "ip link add br0 type bridge", undo: "ip link del br0", refused: true},
		{when: "beside another namespace", begin: "ip netns add another", undo: "ip netns del another", made: besideHosts},
		// Of which a namespace may have inherited what it was before.
		{when: "after a parameter of the host has changed", first: other, made: besideHosts},
		{when: "after another has changed it", first: other, elsewhere: true, made: besideHosts},
	} {
		l.script(test.begin)
		l.sh("rm", "-rf", runDir)
		made, err := l.creations(topo, test.first, test.elsewhere)
		if made != test.made || errors.Is(err, reconcile.ErrRefused) != test.refused || err != nil && !test.refused {
			t.Errorf("%s %d namespaces were made, not %d, and the error is %v", test.when, made, test.made, err)
		}
		if err == nil {
			l.converged(topo)
		}
		if made, err := l.creations(topo, nil, false); made > 0 || !errors.Is(err, reconcile.ErrRefused) && err != nil {
			t.Errorf("%s, and again, %d namespaces were made, and the error is %v", test.when, made, err)
		}
		l.destroy(topo.Name)
		l.destroy(other.Name)
		l.script(test.undo)
		l.restored(test.when+", in the end,", before)
		if now := descriptors(t); now != open {
			t.Errorf("%s %d descriptors are open in the end, %d were before", test.when, now, open)
		}
	}
}

// creations applies a topology with what was prefetched before the first, nil for none, and counts the namespaces
// that it makes.
func (l *lab) creations(topo, first *topology.Topology, elsewhere bool) (made int64, err error) {
	l.Helper()
	var count atomic.Int64
	seam := &kernel.Seam{Around: func(w kernel.Write, write func() error) error {
		if w.What == "create namespace" {
			count.Add(1)
		}
		return write()
	}}
	p := reconcile.StartPrefetch(reconcile.ForApply)
	p.Wait()
	h := l.open(beside, through(seam), taking(p))
	switch {
	case elsewhere:
		_, err = l.open(beside).Apply(context.Background(), first)
	case first != nil:
		_, err = h.Apply(context.Background(), first)
	}
	_, failed := h.Apply(context.Background(), topo)
	return count.Load(), errors.Join(err, failed, h.Close(), p.Close())
}

// descriptors counts the files that the process has open.
func descriptors(t *testing.T) int {
	t.Helper()
	snapshot.Close()
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(list)
}
