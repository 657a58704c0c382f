package reconcile_test

import (
	"errors"
	"os"
	"slices"
	"testing"

	"github.com/plumbnet/plumb/pkg/kernel"
	"github.com/plumbnet/plumb/pkg/reconcile"
	"github.com/plumbnet/plumb/pkg/topology"
)

// A namespace that is made before it is known which it shall be is one of those that are wanted. Where none is made after all, it is gone.
func TestSpare(t *testing.T) {
	l := newLab(t)
	topo := l.load(besideNet())
	before, open := l.settle(), descriptors(t)

	l.sh("ip", "link", "add", "br0", "type", "bridge")
	if made, err := l.creations(topo); !errors.Is(err, reconcile.ErrRefused) || !slices.Equal(made, []string{""}) {
		t.Errorf("beside a foreign bridge %q were made, and the error is %v", made, err)
	}
	l.sh("ip", "link", "del", "br0")
	l.same("after a refusal", before, l.settle())
	if now := descriptors(t); now != open {
		t.Errorf("%d descriptors are open after a refusal, %d were before", now, open)
	}

	made, err := l.creations(topo)
	if err != nil || len(made) != besideHosts || made[0] != "" || slices.Contains(made[1:], "") {
		t.Errorf("made were %q for %d hosts, and the error is %v", made, besideHosts, err)
	}
	l.converged(topo)
	if made, err := l.creations(topo); err != nil || len(made) > 0 {
		t.Errorf("where all is in place %q were made, and the error is %v", made, err)
	}
	l.destroy(topo.Name)
	if now := descriptors(t); now != open {
		t.Errorf("%d descriptors are open in the end, %d were before", now, open)
	}
}

// creations applies a network, and tells what namespaces were made for it: by name, "" for one that had none yet.
func (l *lab) creations(topo *topology.Topology) (made []string, err error) {
	l.Helper()
	names := make(chan string, 2*besideHosts)
	_, err = l.tryApply(topo, beside, through(&kernel.Seam{Around: func(w kernel.Write, write func() error) error {
		if w.What == "create namespace" {
			names <- w.NS
		}
		return write()
	}}))
	close(names)
	for n := range names {
		made = append(made, n)
	}
	return made, err
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
