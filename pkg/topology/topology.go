package topology

import (
	"slices"

	"github.com/plumbnet/plumb/pkg/file"
	"github.com/plumbnet/plumb/pkg/object"
	"github.com/plumbnet/plumb/pkg/plan"
)

// Stdin is the name of the standard input.
const Stdin = "<stdin>"

// Input is a file to read. Name is as the user gave it, or [Stdin].
type Input struct {
	Name string
	Data []byte
	// Keys, if set, is the directory that the files of keys must lie beneath. Else they are named from where the file is,
	// and may lie anywhere.
	Keys string
}

// Topology is one checked document of a file.
type Topology struct {
	// Name is the topology's own, and File the name of the file as it was given.
	Name, File string

	data    []byte    // of the file
	line    int       // at which the document begins
	at      file.Span // of the name
	objects []plan.Object
	reaches []Reach

	own, attached []string                      // the names of the sections beside the host's
	sources       func() map[plan.Key]file.Span // nil without objects
}

// Objects lists what the topology wants, the host's first, addresses in the order in which the kernel takes them.
func (t *Topology) Objects() []plan.Object { return slices.Clone(t.objects) }

// Reach is a place where a topology reaches beyond the namespaces, bridges and cables that it makes.
type Reach struct {
	Beyond object.Beyond
	plan.Source
}

// Namespaces lists the names of the topology's own namespaces, and those of the sections that are attached to others'.
func (t *Topology) Namespaces() (own, attached []string) { return t.own, t.attached }

// Reaches lists the places where the topology reaches beyond what it makes.
func (t *Topology) Reaches() []Reach { return slices.Clone(t.reaches) }

// Source is the place of the declaration that an object comes from.
func (t *Topology) Source(k plan.Key) (plan.Source, bool) {
	if t.sources == nil {
		return plan.Source{}, false
	}
	at, ok := t.sources()[k]
	return plan.Source{File: t.File, Line: int(at.Line), Column: int(at.Column)}, ok
}

// Load reads all documents of all inputs, each a topology. It finds every problem in one run; the topologies have
// objects only when none of the problems is an error.
func Load(inputs ...Input) ([]*Topology, file.Problems) {
	var all []*Topology
	var problems file.Problems
	var sound []*checker
	seen := map[string]*Topology{}
	for _, in := range inputs {
		r := file.NewReport(in.Name, in.Data)
		docs, ok := r.Documents(in.Data)
		if ok && len(docs) == 0 {
			r.Errorf(file.Span{}, "the file is empty").Hint = "the smallest topology is: name: lab"
		}
		for _, n := range docs {
			c := newChecker(r, in, n, table())
			c.t.data, c.t.line = in.Data, n.Line
			unique(r, c.t, seen)
			c.check()
			all, sound = append(all, c.t), append(sound, c)
		}
		problems = append(problems, r.Problems()...)
	}
	if !problems.HasErrors() {
		for _, c := range sound {
			c.expand()
		}
	}
	return all, problems
}

// unique reports a topology whose name another one of the same run has.
func unique(r *file.Report, t *Topology, seen map[string]*Topology) {
	if t.Name == "" {
		return
	}
	if first, ok := seen[t.Name]; ok {
		r.Errorf(t.at, "there are two topologies named %q: the other is at %s:%d:%d",
			t.Name, first.File, first.at.Line, first.at.Column)
		return
	}
	seen[t.Name] = t
}
