package link

// TypeVeth is an end of a cable (veth(4)).
const TypeVeth = "veth"

// Veth has nothing peculiar: where the cable leads to is said of the link.
type Veth struct{}

var veth = Type{Name: TypeVeth, New: func() Spec { return Veth{} }, Pair: true}
