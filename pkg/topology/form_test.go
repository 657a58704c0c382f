package topology

import (
	"encoding/json"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"gopkg.in/yaml.v3"

	"github.com/plumbnet/plumb/pkg/file"
	"github.com/plumbnet/plumb/pkg/file/filetest"
	"github.com/plumbnet/plumb/pkg/kinds"
	"github.com/plumbnet/plumb/pkg/link"
	"github.com/plumbnet/plumb/pkg/object"
)

// texts are valid ones of the types that have a text form of their own.
func texts() map[reflect.Type][]string {
	return map[reflect.Type][]string{
		reflect.TypeFor[object.Name]():          {"lab", "0", "a-b"},
		reflect.TypeFor[object.NamespaceName](): {"ns1", "1", "true", "A.b_c-d"},
		reflect.TypeFor[object.Ifname]():        {"eth0", "010", "été", "null"},
		reflect.TypeFor[object.OwnIfname]():     {"br0", "eth0.1", "~", "-"},
		reflect.TypeFor[object.Place]():         {"br0", "host/br0", "ns1/eth0"},
		reflect.TypeFor[object.MAC]():           {"02:00:00:00:00:01", "00:00:00:00:00:02"},
		reflect.TypeFor[link.StationMAC]():      {"02:00:00:00:00:01", "00:00:00:00:00:00"},
		reflect.TypeFor[link.GREKey]():          {"7", "1/2", "0", "4294967295"},
		reflect.TypeFor[link.GREFlag]():         {"true", "false", "in", "out"},
		reflect.TypeFor[kinds.AddressText]():    {"10.0.0.1/24", "fd00::1/64", "::1/128"},
		reflect.TypeFor[kinds.AltnameText]():    {"lan", "a-long-name-of-an-interface"},
		reflect.TypeFor[kinds.FeatureName]():    {"rx-gro", "tx-scatter-gather"},
		reflect.TypeFor[kinds.Gateway]():        {"10.0.0.1", "fe80::1"},
		reflect.TypeFor[kinds.Destination]():    {"default", "10.0.0.0/8", "10.0.0.1", "fd00::/64", "::/0"},
		reflect.TypeFor[kinds.RouteType]():      {"blackhole", "unreachable", "prohibit"},
		reflect.TypeFor[object.TableNumber]():   {"1", "main", "4294967295"},
		reflect.TypeFor[kinds.SysctlName](): {
			"net.ipv4.ip_forward", "net/ipv4/conf/br0.1/rp_filter", "net.ipv4.tcp_rmem",
		},
		reflect.TypeFor[kinds.SysctlValue]():         {"1", "yes", "4096  131072", "0x10", "~x"},
		reflect.TypeFor[link.Setting[bool]]():        {"true", "false"},
		reflect.TypeFor[link.Setting[uint32]]():      {"0", "500"},
		reflect.TypeFor[object.Ref]():                {"br0", "host/br0", "ns1/eth0"},
		reflect.TypeFor[object.SectionRef]():         {"host", "ns1"},
		reflect.TypeFor[object.Attach]():             {"docker:web", "podman:a.b", "pid:1", "netns:é x", "path:/run/a: b"},
		reflect.TypeFor[kinds.Mark]():                {"0x1", "0x1/0xff"},
		reflect.TypeFor[kinds.NumberRange[uint16]](): {"80", "80-90"},
		reflect.TypeFor[kinds.NumberRange[uint32]](): {"0", "1000-1999"},
		reflect.TypeFor[kinds.IPProtocol]():          {"tcp", "47"},
		reflect.TypeFor[file.Milliseconds]():         {"0ms", "100ms", "2000ms"},
		reflect.TypeFor[file.Delay]():                {"1s", "100ms"},
		reflect.TypeFor[link.BondMode]():             {"802.3ad", "balance-rr"},
		reflect.TypeFor[link.ARPValidation]():        {"filter", "backup"},
		reflect.TypeFor[link.Reselection]():          {"better"},
		reflect.TypeFor[link.FailOverMAC]():          {"active"},
		reflect.TypeFor[link.HashPolicy]():           {"layer3+4"},
		reflect.TypeFor[link.Aggregation]():          {"count"},
		reflect.TypeFor[link.Hosts]():                {"192.0.2.1", "192.0.2.1,192.0.2.2"},
		reflect.TypeFor[file.Duration]():             {"15s", "100ms", "1m30s"},
		reflect.TypeFor[link.VLANRange]():            {"10", "30-40"},
		reflect.TypeFor[link.GroupMask]():            {"0x4000", "8", "0"},
		reflect.TypeFor[link.VLANProto]():            {"802.1q", "802.1ad"},
		reflect.TypeFor[netip.Addr]():                {"192.0.2.1", "2001:db8::1"},
		reflect.TypeFor[netip.Prefix]():              {"10.0.0.0/8", "fd00::/64"},
	}
}

// TestRoundTrip holds that every form is read as what it was written from.
func TestRoundTrip(t *testing.T) {
	f := &filetest.Filler{Rand: rand.New(rand.NewPCG(3, 4)), Texts: texts()}
	keys := map[string]bool{}
	for range 1000 {
		doc, back := newDocument(table()), newDocument(table())
		f.Fill(&doc)
		out := encoded(t, &doc)
		r := file.NewReport("t.yaml", out)
		docs, _ := r.Documents(out)
		r.Decode(docs[0], "the topology", &back)
		if p := r.Problems(); len(p) > 0 {
			t.Fatalf("%v in\n%s", p, out)
		}
		if !alike(reflect.ValueOf(back.Values()), reflect.ValueOf(doc.Values())) {
			t.Fatalf("got\n%swant\n%s", encoded(t, &back), out)
		}
		for _, w := range strings.FieldsFunc(string(out), func(r rune) bool { return strings.ContainsRune(" \n{,", r) }) {
			keys[strings.TrimSuffix(w, ":")] = true
		}
	}
	for _, w := range Words() {
		if key := w.Path[strings.LastIndex(w.Path, ".")+1:]; !keys[key] {
			t.Errorf("no document has the key %s", key)
		}
	}
}

func encoded(t *testing.T, doc *file.Parts) []byte {
	t.Helper()
	b, err := yaml.Marshal(file.Encode(doc, newDocument(table())))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// alike compares forms; no list is like an empty one.
func alike(a, b reflect.Value) bool {
	if p, ok := a.Interface().(file.Parts); ok {
		q := b.Interface().(file.Parts)
		return alike(reflect.ValueOf(p.Values()), reflect.ValueOf(q.Values()))
	}
	switch a.Kind() {
	case reflect.Pointer, reflect.Interface:
		return alike(a.Elem(), b.Elem())
	case reflect.Slice:
		equal := a.Len() == b.Len()
		for i := 0; equal && i < a.Len(); i++ {
			equal = alike(a.Index(i), b.Index(i))
		}
		return equal
	case reflect.Struct:
		if a.Type().Comparable() {
			return a.Equal(b)
		}
		for i := range a.NumField() {
			if a.Type().Field(i).IsExported() && !alike(a.Field(i), b.Field(i)) {
				return false
			}
		}
		return true
	}
	return a.Equal(b)
}

// TestSchema holds that every example is valid by the schema, and that values of a wrong type are not.
func TestSchema(t *testing.T) {
	b, err := json.Marshal(Schema())
	if err != nil {
		t.Fatal(err)
	}
	value, err := jsonschema.UnmarshalJSON(strings.NewReader(string(b)))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("topology.json", value); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile("topology.json")
	if err != nil {
		t.Fatal(err)
	}
	examples, _ := filepath.Glob("../../examples/*.yaml")
	wrong, _ := filepath.Glob("../../testdata/topology/wrong/*.txtar")
	for _, file := range slices.Concat(examples, wrong) {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		refused := refusedBySchema(file)
		if filepath.Ext(file) == ".txtar" {
			if data = txtar.Parse(data).Files[0].Data; !refused {
				continue
			}
		}
		var v any
		if err := yaml.Unmarshal(data, &v); err != nil {
			t.Errorf("%s: %v", file, err)
		} else if err := schema.Validate(v); (err != nil) != refused {
			t.Errorf("%s: %v", file, err)
		}
	}
}

// refusedBySchema says of which wrong files the schema alone sees that they are.
func refusedBySchema(file string) bool {
	name := filepath.Base(file)
	if name == "type-tag.txtar" { // a tag of its own is nothing to a schema
		return false
	}
	return slices.ContainsFunc([]string{
		"type-", "key-unknown", "name-missing", "name-namespace", "name-interface", "name-wrong", "number", "nat.txtar",
		"route-form",
	}, func(prefix string) bool { return strings.HasPrefix(name, prefix) })
}

// TestWords: each key has words for the reference.
func TestWords(t *testing.T) {
	words := Words()
	for _, w := range words {
		if w.Doc == "" || w.Type == "" || strings.HasSuffix(w.Doc, ".") {
			t.Errorf("%+v", w)
		}
	}
	i := slices.IndexFunc(words, func(w file.Word) bool { return w.Path == "namespaces.NAME.bridges.NAME.mtu" })
	want := file.Word{Path: "namespaces.NAME.bridges.NAME.mtu", Type: "whole number from 68 to 65535", Default: "1500",
		Doc: "largest packet, in bytes; of a cable, on both ends"}
	if i < 0 || words[i] != want {
		t.Errorf("%d %+v", i, words)
	}
}
