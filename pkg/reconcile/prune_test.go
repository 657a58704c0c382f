package reconcile_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/plumbnet/plumb/pkg/plan"
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

// pruned is a host with directories of topologies, each a namespace of its own name.
type pruned struct {
	*lab
	bin, dir string
}

func newPruned(t *testing.T) *pruned {
	p := &pruned{lab: newLab(t), bin: plumb(t), dir: t.TempDir()}
	p.names = append(p.names, "a", "b", "c", "d")
	return p
}

// has makes a directory hold files with topologies of these names, and nothing else.
func (p *pruned) has(dir string, names ...string) {
	p.Helper()
	dir = filepath.Join(p.dir, dir)
	p.must(os.RemoveAll(dir))
	p.must(os.MkdirAll(dir, 0o700))
	for _, name := range names {
		text := "name: " + name + "\nnamespaces: {" + name + ": {}}\n"
		p.must(os.WriteFile(filepath.Join(dir, name+".yaml"), []byte(text), 0o600))
	}
}

// apply applies in the directory of directories, and says what there must be then.
func (p *pruned) apply(code int, args []string, want ...string) (stdout string) {
	p.Helper()
	cmd := exec.Command(p.bin, append([]string{"apply"}, args...)...)
	var out, say strings.Builder
	cmd.Dir, cmd.Stdout, cmd.Stderr = p.dir, &out, &say
	_ = cmd.Run() // its code tells
	got := slices.Sorted(slices.Values(strings.Fields(p.sh("ip", "netns", "list"))))
	if cmd.ProcessState.ExitCode() != code || !slices.Equal(got, want) {
		p.Errorf("%q: exit code %d, want %d; there are %q, want %q\n%s%s",
			args, cmd.ProcessState.ExitCode(), code, got, want, &out, &say)
	}
	return out.String()
}

// TestPrunePaths holds that a directory is the same by whatever path it is named: a relative one, a symbolic link, one
// that leads elsewhere by now; and that standard input is in none.
func TestPrunePaths(t *testing.T) {
	p := newPruned(t)
	p.has("one", "a", "b", "c")
	p.must(os.Symlink("one", filepath.Join(p.dir, "current")))
	p.apply(0, []string{"-f", "one"}, "a", "b", "c")
	p.has("one", "a", "b")
	p.apply(0, []string{"-f", "current", "--prune"}, "a", "b")
	p.has("one", "a")
	p.apply(0, []string{"-f", filepath.Join(p.dir, "one"), "--prune"}, "a")
	p.has("two", "b")
	p.apply(0, []string{"-f", "./two/../two/", "--prune"}, "a", "b")
	p.apply(0, []string{"-f", "current"}, "a", "b")
	p.must(os.Remove(filepath.Join(p.dir, "current")))
	p.must(os.Symlink("two", filepath.Join(p.dir, "current")))
	p.apply(0, []string{"-f", "current/", "--prune"}, "b")

	cmd := exec.Command(p.bin, "apply", "-f", "-")
	cmd.Dir, cmd.Stdin = p.dir, strings.NewReader("name: d\nnamespaces: {d: {}}\n")
	p.must(cmd.Run())
	p.has(".keep")
	p.must(os.WriteFile(filepath.Join(p.dir, "c.yaml"), []byte("name: c\nnamespaces: {c: {}}\n"), 0o600))
	p.apply(0, []string{"-f", ".", "--prune"}, "b", "c", "d")
}

// TestPruneSeveral holds that several directories are pruned as one: what goes from one to another stays.
func TestPruneSeveral(t *testing.T) {
	p := newPruned(t)
	both := []string{"-f", "one", "-f", "two", "--prune"}
	p.has("one", "a", "b")
	p.has("two", "c", "d")
	p.apply(0, both, "a", "b", "c", "d")
	p.has("one", "a")
	p.has("two", "b", "c")
	p.apply(0, both, "a", "b", "c")
	p.has("two", "b")
	p.apply(0, []string{"-f", "one", "--prune"}, "a", "b", "c")
	p.apply(2, []string{"-f", "one", "-f", "two/b.yaml", "--prune"}, "a", "b", "c")
	p.apply(0, both, "a", "b")
}

// TestPruneNothing holds that nothing is pruned of a directory that can't be read whole, that is empty, or that can't
// be applied to its end.
func TestPruneNothing(t *testing.T) {
	p := newPruned(t)
	p.has("one", "a", "b", "c")
	p.apply(0, []string{"-f", "one"}, "a", "b", "c")
	for name, text := range map[string]string{
		"syntax": "name: [d\n", "key": "name: d\nbridgse: {}\n", "none": "# nothing yet\n", "twice": "name: a\n",
	} {
		p.has("one", "a", "b")
		p.must(os.WriteFile(filepath.Join(p.dir, "one", name+".yaml"), []byte(text), 0o600))
		p.apply(2, []string{"-f", "one", "--prune"}, "a", "b", "c")
	}
	p.has("one")
	p.apply(2, []string{"-f", "one", "--prune"}, "a", "b", "c")
	p.has("one", "a", "b")
	p.must(os.Symlink("gone", filepath.Join(p.dir, "one", "z.yaml")))
	p.apply(2, []string{"-f", "one", "--prune"}, "a", "b", "c")
}

// TestPruneJSON holds that what was pruned is a topology like all others, and says where it came from.
func TestPruneJSON(t *testing.T) {
	p := newPruned(t)
	p.has("one", "a", "b")
	p.apply(0, []string{"-f", "one"}, "a", "b")
	p.has("one", "a")
	out := p.apply(0, []string{"-f", "one", "--prune", "-o", "json"}, "a")
	var docs []plan.Document
	if err := json.Unmarshal([]byte(out), &docs); err != nil || len(docs) != 2 {
		t.Fatalf("%v: %s", err, out)
	}
	a, b := docs[0], docs[1]
	if a.Topology != "a" || len(a.Changes) != 0 || b.Topology != "b" || len(b.Changes) != 1 {
		t.Fatalf("%+v\n%+v", a, b)
	}
	c := b.Changes[0]
	if c.Action != plan.Delete || c.Kind != "namespace" || c.Name != "b" || c.Result == nil || *c.Result != plan.Done {
		t.Errorf("%+v", c)
	}
}

// TestPruneInterrupted holds that a Ctrl-C during a prune is one during a destroy: what is destroyed is not brought
// back.
func TestPruneInterrupted(t *testing.T) {
	bin, dir := plumb(t), t.TempDir()
	one := filepath.Join(dir, "many.yaml")
	for _, test := range []struct {
		name    string
		signals []syscall.Signal
		command []string
	}{
		{"destroy", []syscall.Signal{syscall.SIGINT}, []string{"destroy", "many"}},
		{"Ctrl-C", []syscall.Signal{syscall.SIGINT}, []string{"apply", "-f", dir, "--prune"}},
		{"the second Ctrl-C", []syscall.Signal{syscall.SIGINT, syscall.SIGINT}, []string{"apply", "-f", dir, "--prune"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			l := newLab(t)
			l.names = append(l.names, "many", "small")
			l.must(os.WriteFile(one, []byte(manyRules()), 0o600))
			l.must(os.WriteFile(filepath.Join(dir, "small.yaml"), []byte("name: small\nbridges: {small: {}}\n"), 0o600))
			exits(t, 0, bin, "apply", "-f", dir)
			l.must(os.Remove(one))
			cmd := halfwayThrough(t, bin, test.command...)
			send(t, cmd.Process.Pid, test.signals...)
			cmd.ends(t, 5)
			say := cmd.say.String()
			if !strings.Contains(say, "interrupted: finishing the step in hand; Ctrl-C again to stop at once\n") ||
				strings.Contains(say, "stopping at once\n") != (len(test.signals) > 1) {
				t.Errorf("it says %q", say)
			}
			exits(t, 0, bin, "destroy", "many")
			exits(t, 0, bin, "diff", "-f", dir)
		})
	}
}

// manyRules is a topology that has more rules, which go first, than fit into a small pipe.
func manyRules() string {
	var b strings.Builder
	b.WriteString("name: many\nbridges: {br0: {}}\nrules:\n")
	for i := range 150 {
		fmt.Fprintf(&b, "  - {priority: %d, from: 198.51.100.%d, table: 100}\n", 5000+i, i)
	}
	return b.String()
}
