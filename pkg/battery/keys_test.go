package battery

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"

	"github.com/plumbnet/plumb/pkg/link"
	"github.com/plumbnet/plumb/pkg/topology"
)

// unvaried are the keys that no case changes, each with the reason.
var unvaried = map[string]string{
	"name":                     "another name is another topology",
	"attach":                   "a case has no namespaces of others: TestAttach has",
	"interfaces.NAME.existing": "what the file says of it changes, and the link is there or it is not",
}

// TestKeysVary: each key of the file is changed by a case: from one topology to the other, on what both have, or by hand,
// as the plan that undoes this says.
func TestKeysVary(t *testing.T) {
	paths, err := filepath.Glob("../../testdata/cases/*/*.txtar")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	k := allKeys()
	for _, path := range paths {
		c, err := Parse(path)
		if err != nil {
			t.Fatal(err)
		}
		from, to := k.read(t, c.From), k.read(t, c.To)
		if to != nil {
			k.compare(from, to)
			k.compare(to, from)
		}
	}
	for _, key := range k.list {
		varied := k.varied[key] || k.varied[twinOf(key)]
		switch reason, excused := unvaried[key]; {
		case !excused && !varied && unvaried[twinOf(key)] == "":
			t.Errorf("%s is changed by no case", key)
		case excused && varied:
			t.Errorf("%s is changed by a case, and excused: %s", key, reason)
		}
	}
	for key := range unvaried {
		if !slices.Contains(k.list, key) {
			t.Errorf("there is no key %s to be excused", key)
		}
	}
}

// twinOf is the key of an interface that a bridge has too, and the other way round.
func twinOf(key string) string {
	if of, ok := strings.CutPrefix(key, "bridges."); ok {
		return "interfaces." + of
	}
	if of, ok := strings.CutPrefix(key, "interfaces."); ok {
		return "bridges." + of
	}
	return ""
}

// keys are those of the file, by their paths: a namespace has the keys of the host.
type keys struct {
	list   []string          // those with values
	within map[string]string // of what has keys within, the first of them
	varied map[string]bool
}

func allKeys() keys {
	k := keys{within: map[string]string{"namespaces": "NAME", namespaceKey: "attach"}, varied: make(map[string]bool)}
	for _, w := range topology.Words() {
		path := strings.TrimPrefix(w.Path, namespaceKey+".")
		for i := range path {
			if path[i] == '.' && k.within[path[:i]] == "" {
				k.within[path[:i]] = path[i+1:]
			}
		}
		k.list = append(k.list, path)
	}
	slices.Sort(k.list)
	k.list = slices.DeleteFunc(slices.Compact(k.list), func(path string) bool {
		return k.within[path] != "" || k.within[path+"[]"] != ""
	})
	return k
}

const namespaceKey = "namespaces.NAME"

// found is what a document has at a place, as "namespaces ns1 interfaces eth0 mtu": a value, or more within.
type found struct{ key, parent, value string }

// read finds all that a document has, nil for none.
func (k keys) read(t *testing.T, text string) map[string]found {
	t.Helper()
	var doc yaml.Node
	if err := yaml.Unmarshal([]byte(text), &doc); err != nil {
		t.Fatal(err)
	}
	if len(doc.Content) == 0 {
		return nil
	}
	all := map[string]found{"": {}}
	k.mapping(all, "", "", doc.Content[0])
	return all
}

// mapping adds what a mapping at a place has.
func (k keys) mapping(all map[string]found, place, path string, n *yaml.Node) {
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i].Value, n.Content[i+1]
		for value.Kind == yaml.AliasNode {
			value = value.Alias
		}
		if key == "<<" {
			k.mapping(all, place, path, value)
			continue
		}
		at := strings.TrimPrefix(path+"."+key, ".")
		if k.within[path+".NAME"] != "" || slices.Contains(k.list, path+".NAME") {
			at = path + ".NAME"
		}
		k.value(all, place, place+" "+key, at, value)
	}
}

func (k keys) value(all map[string]found, parent, place, path string, n *yaml.Node) {
	list := k.within[path+"[]"] != ""
	if all[place] = (found{path, parent, plain(n)}); k.within[path] == "" && !list {
		return
	}
	if path == namespaceKey {
		path = ""
	}
	if !list {
		k.mapping(all, place, path, n)
		return
	}
	for _, entry := range n.Content { // they are known by the first key; a value alone is that
		first := k.within[path+"[]"]
		if entry.Kind != yaml.MappingNode {
			entry = &yaml.Node{Kind: yaml.MappingNode, Content: []*yaml.Node{{Value: first}, entry}}
		}
		at := place + " " + plain(valueOf(entry, first))
		for all[at] != (found{}) {
			at += "'"
		}
		all[at] = found{path + "[]", place, ""}
		k.mapping(all, at, path+"[]", entry)
	}
}

// valueOf is the value of a key, nil for none.
func valueOf(n *yaml.Node, key string) *yaml.Node {
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return n.Content[i+1]
		}
	}
	return nil
}

// plain is a value as text.
func plain(n *yaml.Node) string {
	if n == nil {
		return ""
	}
	text := n.Value
	for _, inner := range n.Content {
		text += fmt.Sprintf("(%s)", plain(inner))
	}
	return text
}

// compare notes the keys of one document that have another value in the other one, or none, where that has what they are
// of. What an entry of a list is known by makes another one of it.
func (k keys) compare(one, other map[string]found) {
	for place, f := range one {
		of, entry := one[f.parent], strings.HasSuffix(one[f.parent].key, "[]")
		switch is, there := other[place]; {
		case entry && k.within[of.key] == strings.TrimPrefix(f.key, of.key+".") && other[f.parent] == (found{}):
			k.varied[f.key] = k.varied[f.key] || stays(one, other, of.parent)
		case (!there || is.value != f.value) && stays(one, other, f.parent):
			k.varied[f.key] = true
		}
	}
}

// stays says whether a document has what another one has at a place. A mapping that only puts keys together is
// everywhere; a type of link, and what has a name, is not.
func stays(one, other map[string]found, place string) bool {
	if _, there := other[place]; there {
		return true
	}
	f := one[place]
	isType := slices.ContainsFunc(link.Types, func(t link.Type) bool { return f.key == "interfaces.NAME."+t.Name })
	return !isType && !strings.HasSuffix(f.key, "NAME") && !strings.HasSuffix(f.key, "[]") && stays(one, other, f.parent)
}
