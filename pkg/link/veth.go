package link

import "github.com/plumbnet/plumb/pkg/kernel"

// TypeVeth is an end of a cable (veth(4)).
const TypeVeth = "veth"

// Veth has nothing peculiar: where the cable leads to is said of the link.
type Veth struct{}

var veth = Type{
	Name: TypeVeth, Part: kernel.Part{Module: "veth", Option: "VETH"},
	New: func() Spec { return Veth{} }, Pair: true,
}
