// Package object holds what all kinds of object share: the row of a kind, a section of the host and what is read of
// it, whose a live object is, the host record, and what a plan must not cut. To add a kind, write its file in package
// kinds and its row in the table there; to add a type of link, write its file in package link.
package object
