// Package plan computes the ordered difference between the objects that a topology wants and the objects that the
// kernel has. It is pure: it knows keys, comparable values and three relations between objects (what must exist
// first, what shares one creation, what becomes of an object when another changes), and nothing of netlink.
//
// A new kind of object needs nothing here: it implements [Object], and [Dependent] when other objects' changes reach
// it.
package plan
