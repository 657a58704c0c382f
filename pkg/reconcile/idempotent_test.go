package reconcile_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/plumbnet/plumb/pkg/battery/host"
	"github.com/plumbnet/plumb/pkg/battery/snapshot"
	"github.com/plumbnet/plumb/pkg/kernel"
	"github.com/plumbnet/plumb/pkg/link"
	"github.com/plumbnet/plumb/pkg/topology"
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
		if name := filepath.Base(p); possible(t, name) {
			names = append(names, name)
		}
	}
	return names
}

// needed are commands that fail where the kernel lacks what an example needs.
var needed = map[string]string{
	"vlan-trunk.yaml": "link add probe type bridge vlan_filtering 1",
}

// possible says whether the kernel has what an example needs. Where TEST_REQUIRE_KINDS says that it has all, it must.
func possible(t *testing.T, example string) bool {
	t.Helper()
	if of := lacking(t, filepath.Join("..", "..", "examples", example)); of != "" {
		if os.Getenv("TEST_REQUIRE_KINDS") != "" {
			t.Errorf("%s: the kernel has no links of type %s", example, of)
		}
		return false
	}
	if needed[example] == "" {
		return true
	}
	err := host.Apart(func() error { return host.Run("ip", strings.Fields(needed[example])...) })
	if err != nil && os.Getenv("TEST_REQUIRE_KINDS") != "" {
		t.Errorf("%s: %v", example, err)
	}
	return err == nil
}

// lacking is a type of link in a file that the kernel lacks, empty for none.
func lacking(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	all, _ := topology.Load(topology.Input{Name: path, Data: text})
	for _, topo := range all {
		for _, o := range topo.Objects() {
			if l, ok := o.(link.Link); ok && lacksLinks(t, l.Type) {
				return l.Type
			}
		}
	}
	return ""
}

// lacksLinks says whether the kernel can make no links of a type. One that is there already is of none.
func lacksLinks(t *testing.T, kind string) bool {
	t.Helper()
	i := slices.IndexFunc(link.Types, func(row link.Type) bool { return row.Name == kind })
	if i < 0 {
		return false
	}
	n, err := kernel.Current(new(kernel.Seam))
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	has, err := n.HasLinks(kind, link.Types[i].Part)
	if err != nil {
		t.Fatal(err)
	}
	return !has
}

func TestSecondApplyWritesNothing(t *testing.T) {
	if host.InParts(t) {
		return
	}
	for _, name := range host.Share(t, examples(t)) {
		t.Run(name, func(t *testing.T) {
			l := newLab(t)
			yaml := l.example(name)
			l.around(yaml)
			topo := l.load(yaml)
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
