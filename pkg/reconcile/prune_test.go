package reconcile_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestPrune holds that apply --prune destroys what came from a directory and is in it no longer, and nothing else.
func TestPrune(t *testing.T) {
	l, bin, dir := newLab(t), plumb(t), t.TempDir()
	l.names = append(l.names, "a", "b", "c", "lost", "other")
	write := func(file, name string) {
		t.Helper()
		text := "name: " + name + "\nnamespaces: {" + name + ": {}}\n"
		l.must(os.WriteFile(filepath.Join(dir, file), []byte(text), 0o600))
	}
	there := func(want ...string) {
		t.Helper()
		if got := strings.Fields(l.sh("ip", "netns", "list")); !slices.Equal(slices.Sorted(slices.Values(got)), want) {
			t.Errorf("there are %q, want %q", got, want)
		}
	}
	write("a.yaml", "a")
	write("b.yaml", "b")
	write("lost.yaml", "lost")
	exits(t, 0, bin, "apply", "-f", dir)
	exits(t, 0, bin, "apply", "-f", topologyFile(t, "name: other\nnamespaces: {other: {}}\n"))
	copies, err := filepath.Glob("/run/plumb/*/applied/lost")
	if err != nil || len(copies) != 1 {
		t.Fatalf("copies: %q, %v", copies, err)
	}
	l.must(os.Remove(copies[0]))
	for _, name := range []string{"b.yaml", "lost.yaml"} {
		l.must(os.Remove(filepath.Join(dir, name)))
	}
	exits(t, 2, bin, "apply", "-f", filepath.Join(dir, "a.yaml"), "--prune")
	exits(t, 2, bin, "apply", "-f", "-", "--prune")
	exits(t, 0, bin, "apply", "-f", dir)
	there("a", "b", "lost", "other")

	// A topology in another file is the same one; what can't be applied prunes nothing.
	l.must(os.Rename(filepath.Join(dir, "a.yaml"), filepath.Join(dir, "moved.yml")))
	l.script("ip netns add c")
	write("c.yaml", "c")
	exits(t, 4, bin, "apply", "-f", dir, "--prune")
	there("a", "b", "c", "lost", "other")
	l.must(os.Remove(filepath.Join(dir, "c.yaml")))
	l.script("ip netns delete c")
	if said := exits(t, 0, bin, "apply", "-f", dir+"/", "--prune", "-o", "json"); !strings.Contains(said, "lost is left") {
		t.Errorf("it says %q", said)
	}
	there("a", "lost", "other")
}
