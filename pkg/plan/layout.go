package plan

import (
	"reflect"
	"slices"
	"strings"
	"sync"
)

// layout is what the tags of a struct type say.
type layout struct {
	attributes []attribute
	// managed is the path to the field of type [Fields], empty for none.
	managed []int
}

// attribute is a field with a tag, or an embedded struct without one, whose fields are attributes of the outer struct.
type attribute struct {
	index    int
	embedded *layout
	name     string
	// fixed, swap, quiet, same and state are the options of the tag: see [Object].
	fixed, swap, quiet, same, state bool
}

// layouts caches the layout of each type.
var layouts sync.Map

func layoutOf(t reflect.Type) *layout {
	if l, ok := layouts.Load(t); ok {
		return l.(*layout)
	}
	l := new(layout)
	for i := range t.NumField() {
		f := t.Field(i)
		tag, tagged := f.Tag.Lookup("plan")
		switch {
		case tagged:
			words := strings.Split(tag, ",")
			has := func(option string) bool { return slices.Contains(words[1:], option) }
			l.attributes = append(l.attributes, attribute{
				index: i, name: words[0], fixed: has("fixed"), swap: has("swap"), quiet: has("quiet"), same: has("same"),
				state: has("state"),
			})
		case f.Type == reflect.TypeFor[Fields]():
			l.managed = []int{i}
		case f.Anonymous && f.Type.Kind() == reflect.Struct:
			inner := layoutOf(f.Type)
			l.attributes = append(l.attributes, attribute{index: i, embedded: inner})
			if inner.managed != nil {
				l.managed = append([]int{i}, inner.managed...)
			}
		}
	}
	layouts.Store(t, l)
	return l
}

// managedBy are the attributes that a value of the type manages.
func (l *layout) managedBy(v reflect.Value) Fields {
	if l.managed == nil {
		return Fields{}
	}
	return v.FieldByIndex(l.managed).Interface().(Fields)
}
