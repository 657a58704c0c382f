// Package plan computes the ordered difference between the objects that a topology wants and the objects that the
// kernel has. It is pure: it knows keys, comparable values and the relations between objects (what must exist first,
// what shares one creation, what becomes of an object when another changes, what only one of them can claim), and
// nothing of netlink.
//
// A new kind of object needs nothing here: it implements [Object], [Dependent] when other objects' changes reach it,
// and [Exclusive] when it claims what others must leave to it.
package plan
