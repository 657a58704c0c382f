// Package plan computes the ordered difference between the objects that a topology wants and the objects that the
// kernel has. It is pure: it knows keys, comparable values and the relations between objects (what must exist first,
// what shares one creation, what becomes of an object when another changes, what only one of them can claim), and
// nothing of netlink.
//
// [Diff] is the way in, and lists the phases of a plan. They are in refuse.go, delete.go and waiting.go (what can be
// made at once, and what waits); the steps for one unit are in settle.go and replace.go. world.go is the imagined
// kernel that each step is tried on. order.go sorts what is wanted, and after.go says how far steps may be taken in
// another order.
//
// A new kind of object needs nothing here: it implements [Object], [Dependent] when other objects' changes reach it,
// and [Exclusive] when it claims what others must leave to it.
package plan
