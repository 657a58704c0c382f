package plan

import (
	"fmt"
	"iter"
	"reflect"
	"slices"
	"strings"
)

// List is a list as one comparable value: two are equal (==) when their elements are, in the same order. The zero value
// is the empty list. A difference between two prints as one [Field] for each element that goes or comes. Of elements
// that stand for several, as a range does, only what the other list does not cover goes or comes: they have a method
// Minus(T) []T, which gives what is left of one without another.
type List[T comparable] struct {
	// array is an array of the elements, nil for none: its length is part of its type.
	array any
}

// NewList makes a list. With compare, it is that of a set: sorted, and without repeats; compare must say 0 of equal
// elements alone. Without, the elements stay as they are.
func NewList[T comparable](compare func(a, b T) int, elements ...T) List[T] {
	if compare != nil {
		elements = slices.Clone(elements)
		slices.SortFunc(elements, compare)
		elements = slices.Compact(elements)
	}
	if len(elements) == 0 {
		return List[T]{}
	}
	array := reflect.New(reflect.ArrayOf(len(elements), reflect.TypeFor[T]())).Elem()
	reflect.Copy(array, reflect.ValueOf(elements))
	return List[T]{array.Interface()}
}

// Len is the number of elements.
func (l List[T]) Len() int {
	if l.array == nil {
		return 0
	}
	return reflect.TypeOf(l.array).Len()
}

// All gives the elements in their order.
func (l List[T]) All() iter.Seq[T] {
	return func(yield func(T) bool) {
		array := reflect.ValueOf(l.array)
		for i := range l.Len() {
			if e, _ := array.Index(i).Interface().(T); !yield(e) { // ok but for a nil of an interface type, the zero value
				return
			}
		}
	}
}

// Slice gives the elements as a slice, a []T.
func (l List[T]) Slice() any { return slices.Collect(l.All()) }

// SetSlice makes the list that of a []T, in its order.
func (l *List[T]) SetSlice(elements any) { *l = NewList(nil, elements.([]T)...) }

// String writes the elements with ", " between.
func (l List[T]) String() string {
	var words []string
	for e := range l.All() {
		words = append(words, format(e))
	}
	return strings.Join(words, ", ")
}

func (l List[T]) elements() []any {
	list := make([]any, 0, l.Len())
	for e := range l.All() {
		list = append(list, e)
	}
	return list
}

// without is what is left of the list without another of its type.
func (l List[T]) without(o elements) []any {
	var none T
	if _, ok := any(none).(interface{ Minus(T) []T }); !ok {
		return without(l.elements(), o.elements())
	}
	rest := slices.Collect(l.All())
	for _, e := range o.elements() {
		var left []T
		for _, r := range rest {
			left = append(left, any(r).(interface{ Minus(T) []T }).Minus(e.(T))...)
		}
		rest = left
	}
	list := make([]any, len(rest))
	for i, e := range rest {
		list[i] = e
	}
	return list
}

// elements is how the generic comparison sees any List[T].
type elements interface {
	fmt.Stringer
	elements() []any
	without(o elements) []any
}

// Item is an element of a [List] that is known by a name, as "peer X". Two of one name differ by their attributes, each
// a field of its own: "peer X endpoint".
type Item interface{ Item() string }

// lists compares two lists that are not equal, element by element; as a whole when only their order differs.
func (c *comparison) lists(a *attribute, want, have elements) {
	came, went := want.without(have), have.without(want)
	for _, e := range went {
		if i := slices.IndexFunc(came, sameItem(e)); i >= 0 {
			c.items(a, came[i], e)
			came = slices.Delete(came, i, i+1)
			continue
		}
		c.add(named(a, e), format(e), format(nil))
	}
	for _, e := range came {
		c.add(named(a, e), format(nil), format(e))
	}
	if len(came)+len(went) == 0 {
		c.add(a, have.String(), want.String())
	}
}

// sameItem says whether an element is known by the name of another one.
func sameItem(e any) func(any) bool {
	item, ok := e.(Item)
	return func(other any) bool { return ok && other.(Item).Item() == item.Item() }
}

// named is the attribute of an element that is known by a name.
func named(a *attribute, e any) *attribute {
	item, ok := e.(Item)
	if !ok {
		return a
	}
	of := *a
	of.name = item.Item()
	return &of
}

// items compares two elements of one name.
func (c *comparison) items(a *attribute, want, have any) {
	var of comparison
	of.structs(layoutOf(reflect.TypeOf(want)), reflect.ValueOf(want), reflect.ValueOf(have))
	for _, f := range of.fields {
		f.Name, f.Fixed, f.Quiet = want.(Item).Item()+" "+f.Name, a.fixed || f.Fixed, a.quiet || f.Quiet
		c.fields = append(c.fields, f)
	}
}

// without leaves out of a list, once for each time, what is in another.
func without(list, other []any) (rest []any) {
	count := make(map[any]int, len(other))
	for _, e := range other {
		count[e]++
	}
	for _, e := range list {
		if count[e]--; count[e] < 0 {
			rest = append(rest, e)
		}
	}
	return rest
}
