package object

import (
	"github.com/plumbnet/plumb/pkg/file"
	"github.com/plumbnet/plumb/pkg/plan"
)

// Level is where a form stands in the file.
type Level int

// The levels.
const (
	OnDocument  Level = iota // beside the document's name
	OnSection                // on the host and in each namespace
	OnNamespace              // in each namespace
	OnLink                   // in each link
)

// Form is how the file declares the objects of a kind: a row of the table.
//
// The rows' functions are called in this order: Enter of every row, in every section; Join of every row; then row by
// row Check, in every section or link, and Across. So a check may use what all rows have entered, and what the checks
// of earlier rows have found. When no problem is an error, Expand of each row makes objects, section by section.
// Everything but On is optional.
type Form struct {
	On Level
	// Part is the form's key and what stands there; none for a row that only expands.
	file.Part
	// Links says that the form declares links.
	Links bool
	// Enter tells the section what the form declares.
	Enter func(*At)
	// Join makes what leads from one section to another.
	Join func(*Network)
	// Check reports what is wrong, and returns what Expand needs of its findings.
	Check func(*At) (checked any)
	// Across reports what is wrong between the objects of the kind, wherever they are.
	Across func(*Network)
	// Expand makes objects. They are put in the order of their keys, unless Ordered says that their order matters.
	Expand  func(*At, *Expansion)
	Ordered bool
}

// At is a form in a section, or in one of its links.
type At struct {
	*Sense
	// Link is set for forms on links.
	Link *Iface
	// Form is what the row's New made, filled in, and Spots are the places of its values.
	Form  any
	Spots file.Spots
	// Checked is what the row's Check returned.
	Checked any
}

// Expansion collects the objects of a topology with their places.
type Expansion struct {
	Objects []plan.Object
	Places  []file.Span
}

// Add adds an object that is declared at a place.
func (x *Expansion) Add(o plan.Object, at file.Span) {
	x.Objects, x.Places = append(x.Objects, o), append(x.Places, at)
}
