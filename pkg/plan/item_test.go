package plan

import (
	"cmp"
	"slices"
	"testing"
)

// pal is known by a name.
type pal struct {
	Name  string
	Age   int       `plan:"age"`
	Likes List[int] `plan:"like"`
	PIN   secret    `plan:"pin"`
}

func (p pal) Item() string { return "pal " + p.Name }

func (p pal) String() string { return "aged " + format(p.Age) }

type secret int

func (secret) String() string { return "(hidden)" }

type club struct {
	Pals List[pal] `plan:"pals"`
}

func (c club) Key() Key         { return Key{Kind: "club"} }
func (c club) Needs() []Key     { return nil }
func (c club) Describe() string { return "" }

// Elements that are known by names differ by their attributes, and what is hidden by that it has changed.
func TestCompareItems(t *testing.T) {
	like := func(n ...int) List[int] { return NewList(cmp.Compare, n...) }
	have := club{NewList(nil, pal{"ann", 7, like(1, 2), 5}, pal{"bob", 8, like(), 5}, pal{"cy", 9, like(), 0})}
	want := club{NewList(nil, pal{"bob", 8, like(), 6}, pal{"ann", 8, like(2, 3), 5}, pal{"di", 1, like(), 0})}
	fields, fixed := Compare(want, have)
	var words []string
	for _, f := range fields {
		words = append(words, f.String())
	}
	wanted := []string{
		"pal ann age 7 -> 8", "pal ann like 1 -> none", "pal ann like none -> 3", "pal bob pin changed",
		"pal cy aged 9 -> none", "pal di none -> aged 1",
	}
	if fixed || !slices.Equal(words, wanted) {
		t.Errorf("got %q, want %q", words, wanted)
	}
	if fields, _ := Compare(want, want); fields != nil {
		t.Errorf("it differs from itself: %v", fields)
	}
}
