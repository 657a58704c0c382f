package topology

import (
	"slices"

	"gopkg.in/yaml.v3"

	"github.com/plumbnet/plumb/pkg/file"
	"github.com/plumbnet/plumb/pkg/object"
)

// head has the keys of a document that no form has.
type head struct {
	Name object.Name `file:"name,required=always" missing:"add a line: name: lab" doc:"of the topology"`

	_ struct{} `file:"x-*"` // holds what others refer to by anchors
}

// newDocument makes what a document is decoded into: the parts of a section for the host, the head, the namespaces, and
// the forms on documents.
func newDocument(forms []object.Form) file.Parts {
	section := partsOn(object.OnSection, forms)
	namespace := slices.Concat(section, partsOn(object.OnNamespace, forms))
	parts := append(slices.Clip(section),
		file.Part{New: func() any { return new(head) }},
		file.Part{
			Key: "namespaces", Item: "namespace", Doc: "network namespaces, by name",
			Also:  "namespace|netns|nodes|hosts|containers",
			New:   func() any { return new(file.Map[object.NamespaceName, file.Parts]) },
			Fresh: func(v any) { *v.(*file.Parts) = file.NewParts(namespace) },
		})
	return file.NewParts(append(parts, partsOn(object.OnDocument, forms)...))
}

func partsOn(level object.Level, forms []object.Form) (parts []file.Part) {
	for _, f := range forms {
		if f.On == level && f.New != nil {
			parts = append(parts, f.Part)
		}
	}
	return parts
}

// newChecker decodes a document.
func newChecker(r *file.Report, in Input, n *yaml.Node, forms []object.Form) *checker {
	doc := newDocument(forms)
	at := r.Decode(n, "the topology", &doc)
	sections := len(partsOn(object.OnSection, forms))
	section, rest := split(doc.Values(), sections)
	head, names := rest[0].(*head), *rest[1].(*file.Map[object.NamespaceName, file.Parts])
	c := &checker{
		Network: &object.Network{Report: r, Topology: string(head.Name), Keys: in.Keys},
		t:       &Topology{File: in.Name, Name: string(head.Name), at: at.At("name")},
		forms:   forms,
	}
	c.enter("", map[object.Level][]any{object.OnSection: section, object.OnDocument: rest[2:]}, at)
	c.Host().Doubtful = c.Host().Doubtful || at.Doubtful("namespaces")
	for i, spots := range at.In("namespaces").Items() {
		section, own := split(names[i].Value.Values(), sections)
		c.enter(string(names[i].Key), map[object.Level][]any{object.OnSection: section, object.OnNamespace: own}, spots)
	}
	return c
}

func split(list []any, at int) (first, rest []any) { return list[:at], list[at:] }

// enter adds a section with the values of its forms by their levels. Those of the document the host has.
func (c *checker) enter(name string, values map[object.Level][]any, at file.Spots) {
	forms := make([]object.At, len(c.forms))
	doubtful := false
	for i, f := range c.forms {
		if own := values[f.On]; f.New != nil && len(own) > 0 {
			forms[i].Form, forms[i].Spots, values[f.On] = own[0], at.In(f.Key), own[1:]
		}
		doubtful = doubtful || f.Links && forms[i].Spots.Doubtful()
	}
	s := c.AddSection(name, at, forms)
	s.Doubtful = s.Doubtful || doubtful
}

// Schema is the JSON Schema of a topology.
func Schema() map[string]any { return file.Schema(newDocument(table())) }

// Words are the keys of a topology, for the reference.
func Words() []file.Word { return file.Words(newDocument(table())) }
