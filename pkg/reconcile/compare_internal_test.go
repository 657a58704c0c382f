package reconcile

import (
	"fmt"
	"net/netip"
	"reflect"
	"strings"
	"testing"

	"github.com/plumbnet/plumb/pkg/kind"
	"github.com/plumbnet/plumb/pkg/plan"
	"github.com/plumbnet/plumb/pkg/topology"
)

// The plan for the sections that differ is that for all. Where what differs is heard of in others it must be for all.
func TestCompare(t *testing.T) {
	var text strings.Builder
	text.WriteString("name: c\nbridges: {br0: {addresses: [10.0.0.1/24]}}\nnamespaces:\n")
	for i := range 6 {
		fmt.Fprintf(&text, "  h%d:\n    interfaces: {eth0: {bridge: br0, addresses: [10.0.0.%d/24, 10.1.0.%d/24]}}\n", i, i+10, i+10)
		fmt.Fprintf(&text, "    sysctls: {net.ipv4.conf.eth0.rp_filter: 2}\n    routes: [{to: default, via: 10.0.0.1}]\n")
	}
	all, problems := topology.Load(topology.Input{Name: "c.yaml", Data: []byte(text.String())})
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	want := all[0].Objects()
	for _, test := range []struct {
		name    string
		lacks   []plan.Key // of what is there
		adds    []plan.Object
		enough  bool
		planned int
	}{
		{name: "nothing", enough: true},
		{"routes", []plan.Key{routeOf(want, "h4"), routeOf(want, "h1")}, nil, true, 2},
		{"an address of the host", []plan.Key{kind.AddressKey("", "br0", netip.MustParsePrefix("10.0.0.1/24"))}, nil, true, 1},
		{"a first address", []plan.Key{kind.AddressKey("h2", "eth0", netip.MustParsePrefix("10.0.0.12/24"))}, nil, true, 1},
		{"a cable", []plan.Key{kind.LinkKey("h3", "eth0")}, nil, false, 1},
		{"a namespace too many", nil, []plan.Object{kind.Namespace{Name: "x"}}, false, 1},
		{"a namespace", []plan.Key{kind.NamespaceKey("h5")}, nil, false, 1},
	} {
		r := &run{Host: &Host{Options: Options{Workers: 2, Warn: func(string) {}}}, want: want, env: new(kind.Env), lists: make(lists)}
		r.env.SetWant(want, nil)
		lacks := make(map[plan.Key]bool)
		for _, k := range test.lacks {
			lacks[k] = true
		}
		for _, o := range append(want[:len(want):len(want)], test.adds...) {
			ns := o.Key().NS
			if n, ok := o.(kind.Namespace); ok {
				ns = n.Name
			}
			if !lacks[o.Key()] {
				r.lists[ns] = append(r.lists[ns], plan.Have{Object: o})
			}
		}
		if _, enough := r.differing(); enough != test.enough {
			t.Errorf("%s: that a few sections are enough is %v", test.name, enough)
		}
		got, whole := r.compare(want), r.diff(want, r.lists.in(nil))
		if !reflect.DeepEqual(got, whole) || len(got.Steps) < test.planned {
			t.Errorf("%s: planned are\n%v, of all\n%v", test.name, got, whole)
		}
	}
}

func routeOf(want []plan.Object, ns string) (k plan.Key) {
	for _, o := range want {
		if r, ok := o.(kind.Route); ok && r.NS == ns {
			k = r.Key()
		}
	}
	return k
}
