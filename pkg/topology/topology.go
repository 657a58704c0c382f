// Package topology reads topology files: strict YAML with positions, defaults, checks, and the objects that they declare.
package topology

import "github.com/plumbnet/plumb/pkg/plan"

// Topology is one checked document of a file.
type Topology struct {
	// Name is the topology's own, and File the name of the file as it was given.
	Name, File string
}

// Objects lists what the topology wants, addresses in the order that the kernel shall have them in.
func (t *Topology) Objects() []plan.Object { panic("todo") }

// Source is the place of the declaration that an object comes from.
func (t *Topology) Source(k plan.Key) (plan.Source, bool) { panic("todo") }
