// Package topology reads topology files: strict YAML with positions, defaults, checks, and the objects that they
// declare. It is pure: it takes bytes and gives values, and touches neither files nor the kernel.
//
// [Load] goes in three steps, each in files of its own. Decoding, by the tags of the forms (node.go and a file for each
// kind of section), turns YAML into a [Node] and knows one value at a time. Checking (check*.go, cable.go) knows the
// whole topology: names, references, cables, subnets. Expanding (expand*.go) turns what was found sound into objects.
// To add a key, add its field to the form, its check, and its place in the expansion.
package topology
