// Package topology reads topology files: strict YAML with positions, defaults, checks, and the objects that they
// declare. It is pure: it takes bytes and gives values, and touches neither files nor the kernel.
//
// What a file may hold follows from the table of kinds: each has an [object.Form], which says where it stands, and has
// a struct that is tagged for package file, its checks and its expansion to objects. [Load] decodes a document by the
// forms, lets each enter in the [object.Sense] of its section what others need to know of it, checks, and expands what
// was found sound.
package topology
