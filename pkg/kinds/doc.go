// Package kind holds one file for each kind of object that plumb manages: its comparable value, and how it is listed,
// put and deleted in the kernel. To add a kind, write its file, its test, and its line in [Table].
package kinds
