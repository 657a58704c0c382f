package topology

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/plumbnet/plumb/pkg/file"
	"github.com/plumbnet/plumb/pkg/kinds"
	"github.com/plumbnet/plumb/pkg/link"
	"github.com/plumbnet/plumb/pkg/object"
)

// The forms of this test: limits of a document, tags of links, and a note of each section.
type limits struct {
	Most uint32 `file:"most,least=1"`
}

type tags []string

type note struct {
	Text string `file:"text"`
}

// testTable is a table with forms of each level. They write down what is called.
func testTable(calls *[]string) []object.Form {
	called := func(what string) func(*object.At) {
		return func(at *object.At) {
			where := at.Name
			if at.Link != nil {
				where = at.Link.String()
			}
			*calls = append(*calls, fmt.Sprintf("%s %s %+v", what, where, at.Form))
		}
	}
	row := func(level object.Level, key string, made func() any) object.Form {
		return object.Form{
			On: level, Part: file.Part{Key: key, Item: "a " + key, New: made},
			Enter:  called("enter"),
			Join:   func(n *object.Network) { *calls = append(*calls, fmt.Sprintf("join %s of %s", key, n.Topology)) },
			Check:  func(at *object.At) any { called("check")(at); return at.Spots.At() },
			Across: func(*object.Network) { *calls = append(*calls, "across "+key) },
			Expand: func(at *object.At, x *object.Expansion) {
				for _, n := range []string{"b", "a"} { // to be sorted
					name := fmt.Sprintf("%s %s %v", key, n, at.Checked)
					x.Add(kinds.Sysctl{NS: at.Name, Name: name}, at.Spots.At())
				}
			},
		}
	}
	onLinks := []object.Form{addressForm(), row(object.OnLink, "tags", func() any { return new(tags) })}
	links := link.Forms(onLinks) // bridges and interfaces
	return []object.Form{
		row(object.OnSection, "note", func() any { return new(note) }),
		links[0], links[1], onLinks[0], onLinks[1],
		row(object.OnDocument, "limits", func() any { return new(limits) }),
	}
}

// addressForm is that of addresses.
func addressForm() object.Form {
	i := slices.IndexFunc(kinds.Table(), func(k object.Kind) bool { return k.Name == kinds.KindAddress })
	return kinds.Table()[i].Form
}

// decodeBy reads a document by a table.
func decodeBy(t *testing.T, forms []object.Form, text string) (*checker, file.Problems) {
	t.Helper()
	r := file.NewReport("t.yaml", []byte(text))
	docs, _ := r.Documents([]byte(text))
	c := newChecker(r, Input{Name: "t.yaml"}, docs[0], forms)
	c.check()
	return c, r.Problems()
}

// TestTable holds that forms of any level and kind need no more than a row.
func TestTable(t *testing.T) {
	var calls []string
	c, problems := decodeBy(t, testTable(&calls), `
limits: {most: 3}
name: lab
bridges: {br0: {tags: [x, y]}}
note: {text: here}
namespaces: {ns1: {interfaces: {lo: {tags: [z]}}}}
`)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	equal(t, calls, []string{
		"enter  &{Text:here}", "enter br0 &[x y]", "enter  &{Most:3}", "enter ns1 &{Text:}", "enter ns1/lo &[z]",
		"join note of lab", "join tags of lab", "join limits of lab",
		"check  &{Text:here}", "check ns1 &{Text:}", "across note", "check br0 &[x y]", "check ns1/lo &[z]", "across tags",
		"check  &{Most:3}", "across limits",
	})
	c.expand()
	equal(t, keys(c.t.Objects()), []string{
		"sysctl note a {5 7 1}", "sysctl note b {5 7 1}", "sysctl tags a {4 23 1}", "sysctl tags b {4 23 1}",
		"sysctl limits a {2 9 1}", "sysctl limits b {2 9 1}",
		"ns1 sysctl note a {0 0 0}", "ns1 sysctl note b {0 0 0}", "ns1 sysctl tags a {6 44 1}", "ns1 sysctl tags b {6 44 1}",
	})
}

// TestTableProblems: the keys of a form are known where it stands, and nowhere else.
func TestTableProblems(t *testing.T) {
	var calls []string
	for text, want := range map[string]string{
		"namespaces: {a: {limits: {}}}": `t.yaml:2:18: unknown key "limits" in namespace a`,
		"limits: {most: 0}":             `t.yaml:2:16: most must be a whole number from 1 to 4294967295, not "0"`,
		"bridges: {br0: {tag: []}}":     `t.yaml:2:17: unknown key "tag" in bridge br0`,
		"tags: []":                      `t.yaml:2:1: unknown key "tags" in the topology`,
		"notes: {}":                     `t.yaml:2:1: unknown key "notes" in the topology`,
		"routes: []":                    `t.yaml:2:1: unknown key "routes" in the topology`,
		"interfaces: {lo: {mtu: 1}}":    `t.yaml:2:19: unknown key "mtu" in interface lo`,
	} {
		_, problems := decodeBy(t, testTable(&calls), "name: lab\n"+text)
		if len(problems) != 1 || problems[0].String() != want {
			t.Errorf("%s: %v, want %s", text, problems, want)
		}
	}
	var paths []string
	for _, w := range file.Words(newDocument(testTable(&calls))) {
		if strings.HasSuffix(w.Path, "tags") || strings.HasSuffix(w.Path, "most") {
			paths = append(paths, w.Path)
		}
	}
	slices.Sort(paths)
	equal(t, paths, []string{
		"bridges.NAME.tags", "interfaces.NAME.tags", "limits.most",
		"namespaces.NAME.bridges.NAME.tags", "namespaces.NAME.interfaces.NAME.tags",
	})
}
