package topology

import (
	"cmp"
	"iter"
	"slices"
	"sort"
	"sync"

	"github.com/plumbnet/plumb/pkg/file"
	"github.com/plumbnet/plumb/pkg/object"
	"github.com/plumbnet/plumb/pkg/plan"
)

// checker decodes, checks and expands a document by a table of forms.
type checker struct {
	*object.Network
	t     *Topology
	forms []object.Form
}

// places gives where the form with an index of the table stands in a section.
func (c *checker) places(s *object.Sense, form int) iter.Seq[*object.At] {
	return func(yield func(*object.At) bool) {
		switch c.forms[form].On {
		case object.OnDocument:
			if s == c.Host() {
				yield(&s.Forms[form])
			}
		case object.OnNamespace:
			if s != c.Host() {
				yield(&s.Forms[form])
			}
		case object.OnSection:
			yield(&s.Forms[form])
		case object.OnLink:
			nth := 0 // of the forms on links, which is their order in a link
			for _, f := range c.forms[:form] {
				if f.On == object.OnLink {
					nth++
				}
			}
			for _, l := range s.Links {
				if l.Forms != nil && !yield(&l.Forms[nth]) {
					return
				}
			}
		}
	}
}

// check calls the forms as [object.Form] says.
func (c *checker) check() {
	for _, s := range c.Sections {
		for i, f := range c.forms {
			if f.On == object.OnLink || f.Enter == nil { // a link's forms enter with the link
				continue
			}
			for at := range c.places(s, i) {
				f.Enter(at)
			}
		}
	}
	for _, f := range c.forms {
		if f.Join != nil {
			f.Join(c.Network)
		}
	}
	c.uniteMasters()
	for i, f := range c.forms {
		for _, s := range c.Sections {
			for at := range c.places(s, i) {
				if f.Check != nil {
					at.Checked = f.Check(at)
				}
			}
		}
		if f.Across != nil {
			f.Across(c.Network)
		}
	}
	if c.Objects > maxObjects {
		c.Errorf(c.t.at, "the topology comes to more than %d objects", maxObjects)
	}
}

// maxObjects bounds what a document declares: a default for new links goes to every link, and so multiplies.
const maxObjects = 1_000_000

// uniteMasters puts links on the segment of their master.
func (c *checker) uniteMasters() {
	for _, s := range c.Sections {
		for _, l := range s.Links {
			if l.IsPort() {
				object.Unite(l.Master, l)
			}
		}
	}
}

// expand turns a topology without errors into objects: the host's, then those of each namespace by name; in each by
// the order of the table.
func (c *checker) expand() {
	x := &object.Expansion{}
	slices.SortStableFunc(c.Sections, func(a, b *object.Sense) int { return cmp.Compare(a.Name, b.Name) })
	for _, s := range c.Sections {
		slices.SortFunc(s.Links, func(a, b *object.Iface) int { return cmp.Compare(a.Name, b.Name) })
		for i, f := range c.forms {
			if f.Expand == nil {
				continue
			}
			from := len(x.Objects)
			for at := range c.places(s, i) {
				f.Expand(at, x)
			}
			if !f.Ordered {
				sort.Stable(&byKey{x.Objects[from:], x.Places[from:]})
			}
		}
	}
	c.t.objects = x.Objects
	for _, s := range c.Sections[1:] {
		if s.Attach == "" {
			c.t.own = append(c.t.own, s.Name)
		} else {
			c.t.attached = append(c.t.attached, s.Name)
		}
	}
	for _, r := range c.Reaches {
		c.t.reaches = append(c.t.reaches, Reach{r.Beyond, plan.Source{File: c.t.File, Line: int(r.At.Line), Column: int(r.At.Column)}})
	}
	// Of a host in sync no place is asked for.
	c.t.sources = sync.OnceValue(func() map[plan.Key]file.Span { return sources(x) })
}

// sources has the places of objects by their keys.
func sources(x *object.Expansion) map[plan.Key]file.Span {
	sources := make(map[plan.Key]file.Span, len(x.Objects))
	for i, o := range x.Objects {
		sources[o.Key()] = x.Places[i]
	}
	return sources
}

// byKey sorts objects with their places.
type byKey struct {
	objects []plan.Object
	places  []file.Span
}

func (b *byKey) Len() int           { return len(b.objects) }
func (b *byKey) Less(i, j int) bool { return b.objects[i].Key().Compare(b.objects[j].Key()) < 0 }
func (b *byKey) Swap(i, j int) {
	b.objects[i], b.objects[j] = b.objects[j], b.objects[i]
	b.places[i], b.places[j] = b.places[j], b.places[i]
}
