package reconcile_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
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

// indexes tells which link is which: a link that is re-created has another index.
func (l *lab) indexes() string {
	l.Helper()
	var b strings.Builder
	for _, n := range look(l, false).sections {
		for _, link := range n.links {
			fmt.Fprintf(&b, "%s/%s has index %d\n", n.name, link.name, link.index)
		}
	}
	return b.String()
}

func TestSecondApplyWritesNothing(t *testing.T) {
	if inParts(t) {
		return
	}
	for _, name := range share(examples(t)) {
		t.Run(name, func(t *testing.T) {
			l := newLab(t)
			l.foreign()
			l.uplink()
			topo := l.load(l.example(name))
			l.apply(topo)
			before, links := l.settle(), l.indexes()
			l.converged(topo)
			l.same("after the second apply", before, l.settle())
			if d := difference(links, l.indexes()); d != "" {
				t.Errorf("links were re-created:\n%s", d)
			}
		})
	}
}
