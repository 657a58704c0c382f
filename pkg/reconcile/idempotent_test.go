package reconcile_test

import (
	"path/filepath"
	"testing"

	"github.com/plumbnet/plumb/pkg/battery/host"
	"github.com/plumbnet/plumb/pkg/battery/snapshot"
)

// examples lists the files of examples/.
func examples(t *testing.T) []string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join("..", "..", "examples", "*.yaml"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no examples: %v", err)
	}
	var names []string
	for _, p := range paths {
		names = append(names, filepath.Base(p))
	}
	return names
}

func TestSecondApplyWritesNothing(t *testing.T) {
	if host.InParts(t) {
		return
	}
	for _, name := range host.Share(t, examples(t)) {
		t.Run(name, func(t *testing.T) {
			l := newLab(t)
			l.foreign()
			l.uplink()
			topo := l.load(l.example(name))
			l.apply(topo)
			before, links := l.settle(), l.indexes()
			l.converged(topo)
			l.restored("after the second apply", before)
			if d := snapshot.Difference(links, l.indexes()); d != "" {
				t.Errorf("links were re-created:\n%s", d)
			}
		})
	}
}
