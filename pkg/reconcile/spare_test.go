package reconcile_test

import (
	"errors"
	"os"
	"sync/atomic"
	"testing"

	"github.com/plumbnet/plumb/pkg/kernel"
	"github.com/plumbnet/plumb/pkg/reconcile"
	"github.com/plumbnet/plumb/pkg/topology"
)

// Where no namespace has a name, one is made while the file is parsed, and becomes the first that is wanted: a run makes one less. Where
// nothing comes of it, it is gone.
func TestSpare(t *testing.T) {
	l := newLab(t)
	topo := l.load(besideNet())
	before, open := l.settle(), descriptors(t)
	for _, test := range []struct {
		when        string
		begin, undo func()
		made        int64
		refused     bool
	}{
		{"beside a foreign bridge", func() { l.sh("ip", "link", "add", "br0", "type", "bridge") },
			func() { l.sh("ip", "link", "del", "br0") }, 0, true},
		{"on an empty host", func() {}, func() { l.destroy(topo.Name) }, besideHosts - 1, false},
		// Which a namespace of the initial one's would have inherited.
		{"after a parameter of the host was restored", func() { l.apply(l.load("{name: beside, sysctls: {net.ipv4.conf.default.rp_filter: 1}}")) },
			func() { l.destroy(topo.Name) }, besideHosts, false},
		{"beside another namespace", func() { l.sh("ip", "netns", "add", "other") },
			func() { l.destroy(topo.Name); l.sh("ip", "netns", "del", "other") }, besideHosts, false},
		{"where all is there", func() { l.apply(topo) }, func() { l.destroy(topo.Name) }, 0, false},
	} {
		test.begin()
		made, err := l.creations(topo)
		if made != test.made || errors.Is(err, reconcile.ErrRefused) != test.refused || err != nil && !test.refused {
			t.Errorf("%s %d namespaces were made, not %d, and the error is %v", test.when, made, test.made, err)
		}
		if err == nil {
			l.converged(topo)
		}
		test.undo()
		l.same(test.when+", in the end,", before, l.settle())
		if now := descriptors(t); now != open {
			t.Errorf("%s %d descriptors are open in the end, %d were before", test.when, now, open)
		}
	}
}

// creations applies a network, with what was prefetched, and counts the namespaces that it makes.
func (l *lab) creations(topo *topology.Topology) (made int64, err error) {
	l.Helper()
	var count atomic.Int64
	seam := &kernel.Seam{Around: func(w kernel.Write, write func() error) error {
		if w.What == "create namespace" {
			count.Add(1)
		}
		return write()
	}}
	_, err = l.tryApply(topo, beside, through(seam), taking(reconcile.StartPrefetch(reconcile.ForApply)))
	return count.Load(), err
}

// descriptors counts the files that the process has open.
func descriptors(t *testing.T) int {
	t.Helper()
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(list)
}
