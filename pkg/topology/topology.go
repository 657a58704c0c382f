package topology

import (
	"slices"

	"github.com/plumbnet/plumb/pkg/plan"
)

// Input is a file to read. Name is as the user gave it, "<stdin>" for the standard input.
type Input struct {
	Name string
	Data []byte
}

// Topology is one checked document of a file.
type Topology struct {
	// Name is the topology's own, and File the name of the file as it was given.
	Name, File string
	// Host is the section of the host, and Namespaces are those of the namespaces, in the order of the file.
	Host       Node
	Namespaces []Node

	at      span // of the name
	objects []plan.Object
	sources func() map[plan.Key]span // nil without objects
}

// Objects lists what the topology wants, the host's first, addresses in the order in which the kernel takes them.
func (t *Topology) Objects() []plan.Object { return slices.Clone(t.objects) }

// Source is the place of the declaration that an object comes from.
func (t *Topology) Source(k plan.Key) (plan.Source, bool) {
	if t.sources == nil {
		return plan.Source{}, false
	}
	at, ok := t.sources()[k]
	return plan.Source{File: t.File, Line: at.line, Column: at.column}, ok
}

// Load reads all documents of all inputs, each a topology. It finds every problem in one run; the topologies have
// objects only when none of the problems is an error.
func Load(inputs ...Input) ([]*Topology, Problems) {
	var all []*Topology
	var found []*Problem
	var sound []*checker
	seen := map[string]*Topology{}
	for _, in := range inputs {
		r := newReporter(in)
		for _, doc := range r.documents(in.Data) {
			d := &decoder{reporter: r, left: maxNodes}
			t := d.topology(doc)
			r.unique(t, seen)
			c := newChecker(r, t)
			c.check()
			all, sound = append(all, t), append(sound, c)
		}
		found = append(found, r.sorted()...)
	}
	problems := values(found)
	if !problems.HasErrors() {
		for _, c := range sound {
			c.expand()
		}
	}
	return all, problems
}

// unique reports a topology whose name another one of the same run has.
func (r *reporter) unique(t *Topology, seen map[string]*Topology) {
	if t.Name == "" {
		return
	}
	if first, ok := seen[t.Name]; ok {
		r.errorf(t.at, "there are two topologies named %q: the other is at %s:%d:%d", t.Name, first.File, first.at.line, first.at.column)
		return
	}
	seen[t.Name] = t
}
