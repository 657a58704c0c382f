package topology

import (
	"fmt"
	"strings"
	"testing"

	"github.com/plumbnet/plumb/pkg/kinds"
	links "github.com/plumbnet/plumb/pkg/link"
	"github.com/plumbnet/plumb/pkg/object"
	"github.com/plumbnet/plumb/pkg/plan"
)

func TestMerge(t *testing.T) {
	topo := load(t, `
name: lab
bridges:
  br0: &small {mtu: 1400, stp: yes, mac: 02:00:00:00:00:01}
  br1: {<<: *small, mtu: 1450, mac: "02:00:00:00:00:02"}
  br2:
    mac: 02:00:00:00:00:03
    <<: [{mtu: 1300}, *small]
  br3: {<<: {<<: {mtu: 1350}, vlan-filtering: on}}
  br4: &same
  br5: *same
`)
	want := []struct {
		name, mac string
		mtu       uint32
		stp, vlan bool
	}{
		{"br0", "02:00:00:00:00:01", 1400, true, false},
		{"br1", "02:00:00:00:00:02", 1450, true, false},
		{"br2", "02:00:00:00:00:03", 1300, true, false},
		{"br3", object.DerivedMAC("lab", "", "br3").String(), 1350, false, true},
		{"br4", object.DerivedMAC("lab", "", "br4").String(), 1500, false, false},
		{"br5", object.DerivedMAC("lab", "", "br5").String(), 1500, false, false},
	}
	for _, w := range want {
		l := objectOf[links.Link](t, topo, object.LinkKey("", w.name))
		bridge := links.NewBridge()
		bridge.STP, bridge.VLANFiltering = w.stp, w.vlan
		if l.MTU != w.mtu || l.Spec != bridge || l.MAC.String() != w.mac {
			t.Errorf("%+v, want %+v", l, w)
		}
	}
	// br0 is on line 4, and what is merged from it does not move br1.
	if at, _ := topo.Source(object.LinkKey("", "br1")); at != (plan.Source{File: "topology.yaml", Line: 5, Column: 3}) {
		t.Error(at)
	}
}

func TestEmptySections(t *testing.T) {
	topo := load(t, "name: lab\nbridges:\nroutes:\nnat: ~\nsysctls: null\n"+
		"namespaces:\n  ns1:\n  ns2:\n    bridges:\n      sw0:\n")
	equal(t, keys(topo.Objects()), []string{"namespace ns1", "namespace ns2", "ns2 link sw0"})
}

func TestDocuments(t *testing.T) {
	all, problems := Load(
		Input{Name: "a.yaml", Data: []byte("\ufeff---\n---\nname: one\n---\n# nothing\n---\r\nname: two\r\n...\n")},
		Input{Name: "<stdin>", Data: []byte("name: three")})
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	var got []string
	for _, topo := range all {
		got = append(got, topo.File+" "+topo.Name)
	}
	equal(t, got, []string{"a.yaml one", "a.yaml two", "<stdin> three"})
}

// TestNumbersAsWritten holds that names and values are what the file says, not what YAML makes of them.
func TestNumbersAsWritten(t *testing.T) {
	topo := load(t, `
name: 0123
namespaces:
  1e3: {interfaces: {010: {peer: no}}}
  true: {}
  2001-01-01: {}
sysctls: {net.core.somaxconn: 0x10, net.core.rmem_max: 1_000, net.ipv4.x: yes}
`)
	equal(t, keys(topo.Objects()), []string{
		"sysctl net.core.rmem_max", "sysctl net.core.somaxconn", "sysctl net.ipv4.x", "link no",
		"namespace 1e3", "1e3 link 010", "namespace 2001-01-01", "namespace true",
	})
	if v := objectOf[kinds.Sysctl](t, topo, object.SysctlKey("", "net.core.somaxconn")).Value; v != "0x10" {
		t.Error(v)
	}
}

// TestHostile holds that small files do not unfold into huge ones, and that nothing hangs or panics.
func TestHostile(t *testing.T) {
	lists := "name: lab\nx0: &x0 [a,a,a,a,a,a,a,a,a,a]\n"
	merges := "name: lab\nbridges:\n  b0: &b0 {mtu: 1500}\n"
	for i := 1; i < 30; i++ {
		lists += fmt.Sprintf("x%d: &x%d [%s]\n", i, i, strings.Repeat(fmt.Sprintf("*x%d,", i-1), 10))
		merges += fmt.Sprintf("  b%d: &b%d {<<: [%s]}\n", i, i, strings.Repeat(fmt.Sprintf("*b%d,", i-1), 10))
	}
	var wide strings.Builder
	wide.WriteString("name: lab\nnamespaces:\n  n0: &n\n    bridges:\n")
	for i := range 3000 {
		fmt.Fprintf(&wide, "      b%d: {}\n", i)
	}
	for i := 1; i < 3000; i++ {
		fmt.Fprintf(&wide, "  n%d: *n\n", i)
	}
	defaults := "name: lab\nbridges:\n"
	for i := range 2000 {
		defaults += fmt.Sprintf("  b%d:\n", i)
	}
	defaults += "sysctls:\n"
	for i := range 2000 {
		defaults += fmt.Sprintf("  net.ipv4.conf.default.k%d: 1\n", i)
	}
	for name, c := range map[string]struct{ text, want string }{
		"lists":    {lists, `unknown key "x1" in the topology`},
		"merges":   {merges, "when its aliases are written out"},
		"wide":     {wide.String(), "when its aliases are written out"},
		"defaults": {defaults, "more than 1000000 objects"},
		"deep": {
			"name: lab\nnat: " + strings.Repeat("[", 9000) + strings.Repeat("]", 9000), "must be a mapping, not a list",
		},
		"deeper":   {strings.Repeat("[", 100_000), "not valid YAML"},
		"self":     {"&a [*a]", "must be a mapping, not a list"},
		"self key": {"name: lab\nbridges: &a {*a : *a}", "a key must be a word"},
		"merge":    {"&a {name: lab, <<: [*a, *a]}", "contains itself"},
		"quoted":   {`{name: lab, x-a: &a {"<<": foo}, bridges: {br0: {<<: *a}}}`, `unknown key "<<" in bridge br0`},
		"large":    {strings.Repeat("#", 16<<20+1), "larger than 16 MiB"},
		"nul":      {"name: lab\x00", "control characters"},
		"utf-16":   {"\xff\xfen\x00", "not UTF-8"},
	} {
		_, problems := Load(Input{Name: "t.yaml", Data: []byte(c.text)})
		var b strings.Builder
		_ = problems.WriteText(&b, true)
		if !problems.HasErrors() || !strings.Contains(b.String(), c.want) {
			t.Errorf("%s: no %q in %.300q", name, c.want, b.String())
		}
	}
}

func TestSysctlNames(t *testing.T) {
	for in, want := range map[string]string{
		"net.ipv4.ip_forward":             "net.ipv4.ip_forward",
		"net/ipv4/ip_forward":             "net.ipv4.ip_forward",
		"net.ipv4.conf.all.forwarding":    "net.ipv4.ip_forward",
		"net/ipv4/conf/all/forwarding":    "net.ipv4.ip_forward",
		"net.ipv6.conf.all.forwarding":    "net.ipv6.conf.all.forwarding",
		"net/ipv4/conf/br0.1/rp_filter":   "net.ipv4.conf.br0/1.rp_filter",
		"net.ipv4.conf.br0/1.rp_filter":   "net.ipv4.conf.br0/1.rp_filter",
		"net.netfilter.nf_conntrack_max":  "net.netfilter.nf_conntrack_max",
		"net.nf_conntrack_max":            "net.nf_conntrack_max",
		"net.ipv4.conf.eth0/100.x":        "net.ipv4.conf.eth0/100.x",
		"net/ipv6/neigh/a.b.c/retrans":    "net.ipv6.neigh.a/b/c.retrans",
		"net.ipv4.conf.été.rp_filter":     "net.ipv4.conf.été.rp_filter",
		"net/ipv4/conf/..a/rp_filter":     "net.ipv4.conf.//a.rp_filter",
		"net.ipv4.conf.default.rp_filter": "net.ipv4.conf.default.rp_filter",
	} {
		var got kinds.SysctlName
		if err := got.Parse("", in); err != nil || string(got) != want {
			t.Errorf("%s: %q, %v, want %q", in, got, err, want)
		}
		path := object.SysctlPath(string(got))
		if !strings.HasPrefix(path, "net/") || strings.Contains("/"+path+"/", "/../") {
			t.Errorf("%s leads to %s", in, path)
		}
	}
}

func TestSysctlValue(t *testing.T) {
	topo := load(t, "name: lab\nsysctls:\n  net.ipv4.tcp_rmem: \"4096\\t131072 \\t 6291456\"\n"+
		"  net.ipv4.tcp_wmem: |\n    1 2  3\n")
	for name, want := range map[string]string{"net.ipv4.tcp_rmem": "4096 131072 6291456", "net.ipv4.tcp_wmem": "1 2 3"} {
		if got := objectOf[kinds.Sysctl](t, topo, object.SysctlKey("", name)).Value; got != want {
			t.Errorf("%s: %q", name, got)
		}
	}
}

// TestTemplates: a key of the top level that begins with x- is a place for anchors.
func TestTemplates(t *testing.T) {
	topo := load(t, `
x-host: &host {bridge: br0, mtu: 1400}
name: lab
bridges: {br0: {}}
namespaces: {a: {interfaces: {eth0: {<<: *host}}}}
`)
	if l := objectOf[links.Link](t, topo, object.LinkKey("a", "eth0")); l.MTU != 1400 {
		t.Errorf("%+v", l)
	}
	_, problems := Load(Input{Name: "t.yaml", Data: []byte("name: lab\nnamespaces: {a: {x-host: {}}}\n")})
	if !problems.HasErrors() {
		t.Error("x- is a key of the top level only")
	}
}
