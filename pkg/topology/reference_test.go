package topology

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
	"gopkg.in/yaml.v3"

	"github.com/plumbnet/plumb/pkg/file"
)

// reference is the file with the reference of all keys. Go test -run TestReference -update writes it.
const reference = "../../examples/reference.md"

// TestReference: each key has words, a type, and an example from a file that is applied by a test; and the reference
// tells of them all.
func TestReference(t *testing.T) {
	words := referenceWords()
	found := examplesOf(t, words)
	for _, w := range words {
		if w.Doc == "" || w.Type == "" {
			t.Errorf("%s has no words", w.Path)
		}
		if found[w.Path] == "" {
			t.Errorf("%s is in no example, and in no case", w.Path)
		}
	}
	text := referenceText(words, found)
	had, err := os.ReadFile(reference)
	switch {
	case *update:
		if err := os.WriteFile(reference, text, 0o644); err != nil {
			t.Fatal(err)
		}
	case err != nil || !bytes.Equal(text, had):
		t.Errorf("the reference is not what the tags say: run go test ./pkg/topology -run TestReference -update (%v)", err)
	}
}

// referenceWords are the keys, once: those of a namespace are those of the host.
func referenceWords() []file.Word {
	const namespace = "namespaces.NAME."
	all := Words()
	host := make(map[string]bool, len(all))
	for _, w := range all {
		host[w.Path] = true
	}
	return slices.DeleteFunc(all, func(w file.Word) bool {
		key, of := strings.CutPrefix(w.Path, namespace)
		return of && host[key]
	})
}

// examplesOf finds for each key the first value that an example gives it, or else a case.
func examplesOf(t *testing.T, words []file.Word) map[string]string {
	t.Helper()
	f := finder{known: map[string]bool{"namespaces.NAME": true}, found: make(map[string]string)}
	for _, w := range words {
		f.known[w.Path] = true
		for i := range w.Path {
			if w.Path[i] == '.' || w.Path[i] == '[' {
				f.known[w.Path[:i]] = true
			}
		}
	}
	var texts [][]byte
	examples, _ := filepath.Glob("../../examples/*.yaml")
	cases, _ := filepath.Glob("../../testdata/cases/*/*.txtar")
	for _, path := range slices.Concat(examples, cases) {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if filepath.Ext(path) == ".yaml" {
			texts = append(texts, data)
			continue
		}
		for _, part := range txtar.Parse(data).Files {
			if part.Name == "from" || part.Name == "to" {
				texts = append(texts, part.Data)
			}
		}
	}
	for _, text := range texts {
		var doc yaml.Node
		if err := yaml.Unmarshal(text, &doc); err != nil {
			t.Fatal(err)
		}
		f.mapping("", doc.Content[0])
	}
	for _, w := range words { // bridges and interfaces have keys in common
		for _, of := range [][2]string{{"bridges.", "interfaces."}, {"interfaces.", "bridges."}} {
			if rest, ok := strings.CutPrefix(w.Path, of[0]); ok && f.found[w.Path] == "" {
				f.found[w.Path] = f.found[of[1]+rest]
			}
		}
	}
	return f.found
}

// finder looks for examples of keys.
type finder struct {
	known map[string]bool
	found map[string]string
}

func (f finder) mapping(path string, n *yaml.Node) {
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i].Value, n.Content[i+1]
		at := strings.TrimPrefix(path+"."+key, ".")
		if !f.known[at] {
			at = path + ".NAME"
		}
		f.value(strings.TrimPrefix(at, "."), key, value)
	}
}

func (f finder) value(path, key string, n *yaml.Node) {
	for n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if path == "namespaces.NAME" {
		f.mapping("", n) // it has the keys of the host
		f.mapping(path, n)
		return
	}
	if !f.known[path] {
		return
	}
	if text := oneLine(key, n); f.found[path] == "" && len(text) <= longestExample {
		f.found[path] = text
	}
	switch n.Kind {
	case yaml.MappingNode:
		f.mapping(path, n)
	case yaml.SequenceNode:
		for _, item := range n.Content {
			f.item(path+"[]", item)
		}
	}
}

// item is one of a list: a value alone is that of the key that may stand for the whole.
func (f finder) item(path string, n *yaml.Node) {
	if n.Kind == yaml.MappingNode {
		f.mapping(path, n)
	}
}

// longestExample is how many characters of an example are still read with a glance.
const longestExample = 80

// oneLine is a key with its value on one line.
func oneLine(key string, n *yaml.Node) string {
	out, err := yaml.Marshal(map[string]*yaml.Node{key: flowing(n)})
	if err != nil {
		return strings.Repeat("?", longestExample+1)
	}
	return strings.Join(strings.Fields(string(out)), " ")
}

// flowing is a copy of a value in flow style, without comments and anchors.
func flowing(n *yaml.Node) *yaml.Node {
	for n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	c := &yaml.Node{Kind: n.Kind, Tag: n.Tag, Value: n.Value, Style: n.Style&^yaml.LiteralStyle | yaml.FlowStyle}
	if n.Kind == yaml.ScalarNode {
		c.Style = n.Style
	}
	for _, inner := range n.Content {
		c.Content = append(c.Content, flowing(inner))
	}
	return c
}

// referenceText is a table for each key of the top level.
func referenceText(words []file.Word, found map[string]string) []byte {
	var b bytes.Buffer
	b.WriteString(`# All keys of a topology

This page is made from the program: ` + "`go test ./pkg/topology -run TestReference -update`" + ` writes it.
A namespace has the keys of the host, but for ` + strings.Join(onlyHost(words), ", ") + `. NAME stands for a name
that you choose, and [] for each entry of a list. What has no default is left out, or derived as its line says.
`)
	top := ""
	for _, w := range words {
		first, _, _ := strings.Cut(strings.TrimSuffix(w.Path, "[]"), ".")
		if first, _, _ = strings.Cut(first, "["); first != top {
			top = first
			fmt.Fprintf(&b, "\n## %s\n\n| key | value | default | example | |\n| --- | --- | --- | --- | --- |\n", top)
		}
		must := w.Default
		if w.Required {
			must = "*required*"
		} else if must != "" {
			must = "`" + must + "`"
		}
		example := found[w.Path]
		if example != "" {
			example = "`" + example + "`"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s |\n",
			w.Path, cell(w.Type), cell(must), cell(example), cell(w.Doc))
	}
	return b.Bytes()
}

// onlyHost lists the keys of the top level that no namespace has.
func onlyHost(words []file.Word) []string {
	in, out := make(map[string]bool), make(map[string]bool)
	for _, w := range Words() {
		if key, of := strings.CutPrefix(w.Path, "namespaces.NAME."); of {
			in[key] = true
		}
	}
	for _, w := range words {
		if !strings.ContainsAny(w.Path, ".[") && !in[w.Path] {
			out["`"+w.Path+"`"] = true
		}
	}
	return slices.Sorted(maps.Keys(out))
}

// cell keeps a text within its cell.
func cell(text string) string { return strings.ReplaceAll(text, "|", "\\|") }
