package file

// Value is a value of a file and its place, for checks that look at it apart from its struct. The zero Value is one
// that the file leaves out.
type Value[T any] struct {
	V     T
	At    Span
	State State
}

// ValueAt joins a value and its spots.
func ValueAt[T any](v T, at Spots) Value[T] { return Value[T]{v, at.At(), at.State()} }

// Given reports whether the file has the value, be it right or wrong.
func (v Value[T]) Given() bool { return v.State != Absent }

// Good reports whether the file has the value, and it could be read.
func (v Value[T]) Good() bool { return v.State == Good }
