package plan

import "strings"

// Fields is the set of attributes that an object manages, by their names: those of what a field of interface type
// holds are among them. The zero value is all attributes. [Compare] skips those that the Fields of the wanted object
// leave out, and who carries out a step must leave them alone too.
type Fields struct {
	names string // sorted, a line each, after an empty line: "\nmtu\nup\n"
}

// NewFields is the set of the given attributes; without any, that of none.
func NewFields(names ...string) Fields {
	var b strings.Builder
	b.WriteByte('\n')
	for name := range NewList(strings.Compare, names...).All() {
		b.WriteString(name + "\n")
	}
	return Fields{b.String()}
}

// Has says whether an attribute is managed.
func (f Fields) Has(name string) bool {
	return f == Fields{} || strings.Contains(f.names, "\n"+name+"\n")
}
