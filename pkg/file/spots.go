package file

import (
	"fmt"
	"reflect"
	"slices"
)

// State says whether the file has a value.
type State uint8

// The states of a value.
const (
	Absent State = iota // the file leaves it out
	Bad                 // it is there, but could not be read, or not whole
	Good
)

// Spots tells where the values of a struct stand in the file, and what could not be read. The zero Spots is that of a
// value that the file leaves out.
//
// A path leads from the value itself to one within: of strings for keys, and of ints for the items of a list. Keys of a
// [Map] are in their canonical form. A struct's key that its type does not have panics.
type Spots struct {
	tree *tree
	i    int32
}

// tree has the spots of a document, each before its parts.
type tree struct {
	spots []spot
	// unread has the text of values that could not be read.
	unread map[int32]string
}

type spot struct {
	name    string
	key, at Span
	typ     *typ
	end     int32 // the index behind its last part
	state   State
	order   order
	flawed  bool
}

// order is what is known of a mapping apart from its values.
type order uint8

const (
	orderly order = iota
	// strange has a key that is not known.
	strange
	// garbled cannot be read, or has a key that may stand for a known one: what seems to be left out may be there.
	garbled
)

func (t *tree) open(name string, key Span, typ *typ) int32 {
	t.spots = append(t.spots, spot{name: name, key: key, typ: typ})
	return int32(len(t.spots) - 1)
}

func (t *tree) remember(i int32, text string) {
	if t.unread == nil {
		t.unread = map[int32]string{}
	}
	t.unread[i] = text
}

// In gives the spots of a value within.
func (s Spots) In(path ...any) Spots {
	for _, p := range path {
		if i, ok := p.(int); ok {
			s = s.item(i)
		} else {
			s = s.named(reflect.ValueOf(p).String())
		}
	}
	return s
}

// first and next go through the parts of a value; the last is followed by the zero Spots.
func (s Spots) first() Spots {
	if s.tree == nil || s.i+1 == s.tree.spots[s.i].end {
		return Spots{}
	}
	return Spots{s.tree, s.i + 1}
}

func (s Spots) next(of Spots) Spots {
	end := s.tree.spots[s.i].end
	if end == of.tree.spots[of.i].end {
		return Spots{}
	}
	return Spots{s.tree, end}
}

func (s Spots) named(name string) Spots {
	for c := s.first(); c.tree != nil; c = c.next(s) {
		if c.tree.spots[c.i].name == name {
			return c
		}
	}
	if s.tree != nil {
		s.tree.spots[s.i].typ.must(name)
	}
	return Spots{}
}

// must panics for a key that a struct does not have.
func (t *typ) must(name string) {
	if t.shape == mapping && !t.open && !t.has(name) {
		panic(fmt.Sprintf("file: no key %q", name))
	}
}

func (t *typ) has(name string) bool {
	return slices.ContainsFunc(t.fields, func(f field) bool { return f.key == name || f.inline && f.typ.has(name) })
}

func (s Spots) item(i int) Spots {
	c := s.first()
	for ; i > 0 && c.tree != nil; i-- {
		c = c.next(s)
	}
	return c
}

// Items lists the spots of a list or a [Map], in the order of the file.
func (s Spots) Items() []Spots {
	var list []Spots
	for c := s.first(); c.tree != nil; c = c.next(s) {
		list = append(list, c)
	}
	return list
}

func (s Spots) spot(path []any) spot {
	if s = s.In(path...); s.tree == nil {
		return spot{}
	}
	return s.tree.spots[s.i]
}

// At is where a value stands: an alias stands for itself, but for a single value, which is where its anchor is.
func (s Spots) At(path ...any) Span { return s.spot(path).at }

// Key is where the key of a value stands, or an item of a list.
func (s Spots) Key(path ...any) Span { return s.spot(path).key }

// State says whether the file has a value.
func (s Spots) State(path ...any) State { return s.spot(path).state }

// Given reports whether the file has a value, be it right or wrong.
func (s Spots) Given(path ...any) bool { return s.State(path...) != Absent }

// Good reports whether the file has a value that could be read.
func (s Spots) Good(path ...any) bool { return s.State(path...) == Good }

// Flawed reports whether something in a value, however deep, was wrong when it was read.
func (s Spots) Flawed(path ...any) bool { return s.spot(path).flawed }

// Strange reports whether a mapping could not be read whole: it has a key that is not known, or twice.
func (s Spots) Strange(path ...any) bool { return s.spot(path).order >= strange }

// Doubtful reports whether what a mapping seems to leave out may be there: it could not be read, or has a key that is
// close to a known one.
func (s Spots) Doubtful(path ...any) bool { return s.spot(path).order == garbled }

// Unread is the text of a value that could not be read; empty for others.
func (s Spots) Unread(path ...any) string {
	if s = s.In(path...); s.tree == nil {
		return ""
	}
	return s.tree.unread[s.i]
}
