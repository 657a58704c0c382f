package link

import "github.com/plumbnet/plumb/pkg/kernel"

// Dummy is an interface that drops what is sent over it: a place for addresses that belong to no other link, as those
// of a router or of a service. It has no options.
type Dummy struct{}

var dummy = Type{
	Name: "dummy", Doc: "an interface for addresses that belong to no other link; it drops what is sent over it",
	Part:   kernel.Part{Module: "dummy", Option: "DUMMY"},
	New:    func() Spec { return Dummy{} },
	Traits: Traits{NoARP: true, NoMulticast: true},
}
