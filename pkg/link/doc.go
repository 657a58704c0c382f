// Package link makes links of every type: the kind "link". What a type is, is said once, in its own file: a [Spec], a
// struct whose tags say how a field is written in the file, compared, and sent to the kernel; and a [Type], its row in
// the table [Types].
//
// To add a type of link, write its file as vxlan.go is written, add its row to the table in types.go, and its cases
// below testdata/cases. The rest follows: the file form, the schema, the comparison, the message, and the reading.
package link
