package topology

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	links "github.com/plumbnet/plumb/pkg/link"
	"github.com/plumbnet/plumb/pkg/object"
	"github.com/plumbnet/plumb/pkg/plan"
)

// load reads a topology that must be free of errors.
func load(t *testing.T, text string) *Topology {
	t.Helper()
	all, problems := Load(Input{Name: "topology.yaml", Data: []byte(text)})
	if problems.HasErrors() || len(all) != 1 {
		var b strings.Builder
		_ = problems.WriteText(&b, false)
		t.Fatalf("%d topologies\n%s", len(all), b.String())
	}
	return all[0]
}

// keys are the objects' keys as text.
func keys(objects []plan.Object) []string {
	var list []string
	for _, o := range objects {
		k := o.Key()
		list = append(list, strings.TrimSpace(k.NS+" "+k.Kind+" "+k.Name))
	}
	return list
}

// object finds an object of a topology.
func objectOf[T plan.Object](t *testing.T, topo *Topology, k plan.Key) T {
	t.Helper()
	for _, o := range topo.Objects() {
		if o.Key() == k {
			return o.(T)
		}
	}
	t.Fatalf("no %v in %q", k, keys(topo.Objects()))
	panic("not reached")
}

func equal[T comparable](t *testing.T, got, want []T) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}

func TestExamples(t *testing.T) {
	files, err := filepath.Glob("../../examples/*.yaml")
	if err != nil || len(files) < 6 {
		t.Fatalf("%d examples, %v", len(files), err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		all, problems := Load(Input{Name: file, Data: data})
		if len(problems) > 0 || len(all) != 1 {
			t.Errorf("%s: %d topologies, problems %v", file, len(all), problems)
			continue
		}
		if want := strings.TrimSuffix(filepath.Base(file), ".yaml"); all[0].Name != want {
			t.Errorf("%s: the topology is called %s", file, all[0].Name)
		}
		consistent(t, all[0])
	}
}

// consistent checks what must hold of any topology's objects.
func consistent(t *testing.T, topo *Topology) {
	t.Helper()
	has := map[plan.Key]bool{}
	for _, o := range topo.Objects() {
		if has[o.Key()] {
			t.Errorf("two objects have the key %v", o.Key())
		}
		has[o.Key()] = true
		if at, ok := topo.Source(o.Key()); !ok || at.Line < 1 || at.Column < 1 || at.File == "" {
			t.Errorf("source of %v: %v %v", o.Key(), at, ok)
		}
	}
	for _, o := range topo.Objects() {
		for _, need := range o.Needs() {
			inFile := need.NS != "" || need.Kind == object.KindNamespace
			if !has[need] && inFile && need.Kind != object.KindSysctl { // which only comes first where it is set
				t.Errorf("%v needs %v, which is not there", o.Key(), need)
			}
		}
		l, ok := o.(links.Link)
		if !ok {
			continue
		}
		if err := new(object.Ifname).Parse("", l.Name); err != nil {
			t.Error(err)
		}
		if pair, ok := l.Pair(); ok {
			far := objectOf[links.Link](t, topo, pair)
			if back, ok := far.Pair(); !ok || back != l.Key() || far.MTU != l.MTU {
				t.Errorf("%v and %v are no pair", l, far)
			}
		} else if links.IsPair(l.Type) {
			t.Errorf("%v has no other end", l.Key())
		}
	}
}

func TestTutorial(t *testing.T) {
	data, err := os.ReadFile("../../examples/docker0.yaml")
	if err != nil {
		t.Fatal(err)
	}
	equal(t, keys(load(t, string(data)).Objects()), []string{
		"sysctl net.ipv4.ip_forward",
		"link br0",
		"link br0.1",
		"address br0 192.168.10.1/24",
		"nat masquerade 192.168.10.0/24",
		"namespace ns1",
		"ns1 link eth0",
		"ns1 address eth0 192.168.10.11/24",
		"ns1 route default",
	})
}

// TestReaches holds that a topology tells each place where it reaches beyond what it makes itself.
func TestReaches(t *testing.T) {
	const text = `name: lab
bridges: {br0: {existing: true}, br1: {}}
nat: [{masquerade: 10.0.0.0/24}]
sysctls: {net.ipv4.ip_forward: "1"}
namespaces:
  web: {attach: "docker:web", interfaces: {eth0: {bridge: br0}}}
  ns1:
    nat: [{masquerade: 10.0.0.0/24}]
    sysctls: {net.ipv4.ip_forward: "1"}
    interfaces:
      wg0: {wireguard: {private-key-file: wg0.key}}
      eth0: {bridge: br1}
`
	list, problems := Load(Input{Name: "lab.yaml", Data: []byte(text)})
	if problems.HasErrors() {
		t.Fatal(problems)
	}
	var got []string
	for _, r := range list[0].Reaches() {
		got = append(got, fmt.Sprintf("%s:%d %s", r.File, r.Line, r.Beyond))
	}
	slices.Sort(got)
	want := []string{
		"lab.yaml:11 keys", "lab.yaml:2 existing", "lab.yaml:3 host-nat", "lab.yaml:4 host-sysctls", "lab.yaml:6 attach",
	}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

// TestKeysBeneath holds that the files of keys are named from the directory that the reader gives, and can't leave it.
func TestKeysBeneath(t *testing.T) {
	const text = "name: lab\ninterfaces: {wg0: {wireguard: {private-key-file: %s}}}\n"
	for name, bad := range map[string]bool{"wg0.key": false, "a/wg0.key": false, "/etc/wg0.key": true, "../wg0.key": true} {
		in := Input{Name: "lab.yaml", Data: fmt.Appendf(nil, text, name), Keys: "/etc/plumb/keys"}
		_, problems := Load(in)
		if problems.HasErrors() != bad {
			t.Errorf("%s: %v", name, problems)
		}
	}
}
