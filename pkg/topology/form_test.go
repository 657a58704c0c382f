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
)

// texts are valid ones of the types that have a text form of their own.
func texts() map[reflect.Type][]string {
	return map[reflect.Type][]string{
		reflect.TypeFor[Name]():          {"lab", "0", "a-b"},
		reflect.TypeFor[NamespaceName](): {"ns1", "1", "true", "A.b_c-d"},
		reflect.TypeFor[Ifname]():        {"eth0", "010", "été", "null"},
		reflect.TypeFor[OwnIfname]():     {"br0", "eth0.1", "~", "-"},
		reflect.TypeFor[Place]():         {"br0", "host/br0", "ns1/eth0"},
		reflect.TypeFor[MAC]():           {"02:00:00:00:00:01", "00:00:00:00:00:02"},
		reflect.TypeFor[Address]():       {"10.0.0.1/24", "fd00::1/64", "::1/128"},
		reflect.TypeFor[Gateway]():       {"10.0.0.1", "fe80::1"},
		reflect.TypeFor[Destination]():   {"default", "10.0.0.0/8", "10.0.0.1", "fd00::/64", "::/0"},
		reflect.TypeFor[RouteType]():     {"blackhole", "unreachable", "prohibit"},
		reflect.TypeFor[Table]():         {"1", "main", "4294967295"},
		reflect.TypeFor[SysctlName]():    {"net.ipv4.ip_forward", "net/ipv4/conf/br0.1/rp_filter", "net.ipv4.tcp_rmem"},
		reflect.TypeFor[SysctlValue]():   {"1", "yes", "4096  131072", "0x10", "~x"},
		reflect.TypeFor[netip.Prefix]():  {"10.0.0.0/8", "fd00::/64"},
	}
}

// TestRoundTrip holds that every form is read as what it was written from.
func TestRoundTrip(t *testing.T) {
	f := filetest.Filler{Rand: rand.New(rand.NewPCG(3, 4)), Texts: texts()}
	keys := map[string]bool{}
	for range 1000 {
		var doc, back document
		f.Struct(reflect.ValueOf(&doc).Elem())
		out := encoded(t, &doc)
		r := file.NewReport("t.yaml", out)
		docs, _ := r.Documents(out)
		r.Decode(docs[0], "the topology", &back)
		if p := r.Problems(); len(p) > 0 {
			t.Fatalf("%v in\n%s", p, out)
		}
		if got := encoded(t, &back); string(got) != string(out) || !alike(reflect.ValueOf(back), reflect.ValueOf(doc)) {
			t.Fatalf("got\n%swant\n%s", got, out)
		}
		for _, w := range strings.FieldsFunc(string(out), func(r rune) bool { return strings.ContainsRune(" \n{,", r) }) {
			keys[strings.TrimSuffix(w, ":")] = true
		}
	}
	for _, w := range file.Words(document{}) {
		if key := w.Path[strings.LastIndex(w.Path, ".")+1:]; !keys[key] {
			t.Errorf("no document has the key %s", key)
		}
	}
}

func encoded(t *testing.T, doc *document) []byte {
	t.Helper()
	b, err := yaml.Marshal(file.Encode(doc, document{}))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// alike compares structs; no list is like an empty one.
func alike(a, b reflect.Value) bool {
	switch {
	case a.Kind() == reflect.Slice:
		equal := a.Len() == b.Len()
		for i := 0; equal && i < a.Len(); i++ {
			equal = alike(a.Index(i), b.Index(i))
		}
		return equal
	case a.Kind() == reflect.Struct && !a.Type().Comparable():
		for i := range a.NumField() {
			if !alike(a.Field(i), b.Field(i)) {
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
		Doc: "largest packet, in bytes"}
	if i < 0 || words[i] != want {
		t.Errorf("%d %+v", i, words)
	}
}
