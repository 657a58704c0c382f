package file

import (
	"net/netip"
	"reflect"
	"strconv"
	"strings"
	"sync"
)

// Parser is a type with a text form of its own: a single value of the file. Its pointer has the method.
type Parser interface {
	// Parse sets the value, or leaves it alone and returns what is wrong with the text, as a [Flaw] where there is a
	// hint. Messages call the value name.
	Parse(name, text string) error
}

// Defaulter is a struct in a list or a [Map] whose keys have values when the file leaves them out.
type Defaulter interface {
	Default()
}

// Sequence is a list that is no slice, as one that can be compared. Its pointer has the methods.
type Sequence interface {
	// Slice is a slice of the items, and SetSlice takes one of the same type.
	Slice() any
	SetSlice(items any)
}

// shape is what stands in the file for a type.
type shape int

const (
	scalar shape = iota
	list
	table   // of a Map
	mapping // of a struct
	parts   // of Parts
	union   // of a OneOf: inline only
)

// typ is how a Go type stands in the file.
type typ struct {
	shape    shape
	elem     *typ // of a list's items and of a Map's values
	key      *typ // of a Map's keys
	fields   []field
	short    *field   // the field whose value may stand for the whole struct
	ignored  []string // beginnings of keys that stand for nothing
	open     bool     // has keys that are known at run time only
	parser   bool
	flag     bool // a Flag
	defaults bool
}

// keyed reports whether a type stands for a mapping with keys that are known.
func (t *typ) keyed() bool { return t.shape == mapping || t.shape == parts }

// field is a field of a struct.
type field struct {
	rule
	typ    *typ
	index  int
	inline bool
	short  bool
}

// rule is what a tag says of a value.
type rule struct {
	key, noun, doc, missing string
	also                    string // see meaning
	required                string // "yes", "always", "checked", or empty
	enum                    []string
	least, most             *int64
	fresh                   func(any)
	only                    func(key string) []string
}

var types sync.Map // of *typ by reflect.Type

func typeOf(t reflect.Type) *typ {
	if had, ok := types.Load(t); ok {
		return had.(*typ)
	}
	made := makeType(t)
	types.Store(t, made)
	return made
}

func makeType(t reflect.Type) *typ {
	p := reflect.PointerTo(t)
	made := &typ{
		parser:   p.Implements(reflect.TypeFor[Parser]()),
		defaults: p.Implements(reflect.TypeFor[Defaulter]()),
		flag:     t == reflect.TypeFor[Flag](),
	}
	switch {
	case made.parser, t == reflect.TypeFor[netip.Addr](), t == reflect.TypeFor[netip.Prefix]():
	case p.Implements(reflect.TypeFor[tabular]()):
		entry := t.Elem()
		made.shape, made.key, made.elem = table, typeOf(entry.Field(0).Type), typeOf(entry.Field(1).Type)
	case t == reflect.TypeFor[Parts]():
		made.shape, made.open = parts, true
	case p.Implements(reflect.TypeFor[choice]()):
		made.shape, made.open = union, true
	case t.Kind() == reflect.Slice:
		made.shape, made.elem = list, typeOf(t.Elem())
	case p.Implements(reflect.TypeFor[Sequence]()):
		made.shape, made.elem = list, typeOf(reflect.TypeOf(reflect.New(t).Interface().(Sequence).Slice()).Elem())
	case t.Kind() == reflect.Struct:
		made.shape = mapping
		for i := range t.NumField() {
			made.addField(t.Field(i), i)
		}
	}
	return made
}

// addField reads the tags of a field. One without the tag file is none of the file's.
func (t *typ) addField(f reflect.StructField, index int) {
	tag, ok := f.Tag.Lookup("file")
	if !ok {
		return
	}
	key, options, _ := strings.Cut(tag, ",")
	if beginning, ok := strings.CutSuffix(key, "*"); ok {
		t.ignored = append(t.ignored, beginning)
		return
	}
	n := field{typ: typeOf(f.Type), index: index}
	n.key, n.doc, n.missing, n.also = key, f.Tag.Get("doc"), f.Tag.Get("missing"), f.Tag.Get("also")
	for option := range strings.SplitSeq(options, ",") {
		if !n.option(option) {
			panic("file: the tag of field " + f.Name + " has an option that is not known: " + option)
		}
	}
	t.open = t.open || n.inline && n.typ.open
	t.fields = append(t.fields, n)
	if n.short {
		t.short = &n
	}
}

func (f *field) option(option string) (ok bool) {
	name, value, _ := strings.Cut(option, "=")
	switch name {
	case "":
	case "inline":
		f.inline = true
	case "short":
		f.short = true
	case "item":
		f.noun = value
	case "required":
		if f.required = value; value == "" {
			f.required = "yes"
		}
	case "enum":
		f.enum = strings.Split(value, "|")
	case "least", "most":
		n, err := strconv.ParseInt(value, 10, 64)
		if err != nil {
			return false
		}
		if name == "least" {
			f.least = &n
		} else {
			f.most = &n
		}
	default:
		return false
	}
	return true
}

// target is a value of a struct under its key.
type target struct {
	*rule
	typ *typ
	v   reflect.Value
	// of, if set, is the union that the key is an alternative of.
	of choice
}

// find finds the target of a key in a mapping.
func find(t *typ, v reflect.Value, key string) (to target, ok bool) {
	switch t.shape {
	case parts:
		return v.Addr().Interface().(*Parts).find(key)
	case union:
		return v.Addr().Interface().(choice).find(key)
	}
	for i := range t.fields {
		f := &t.fields[i]
		switch {
		case f.inline:
			if to, ok = find(f.typ, v.Field(f.index), key); ok {
				return to, true
			}
		case f.key == key:
			return target{rule: &f.rule, typ: f.typ, v: v.Field(f.index)}, true
		}
	}
	return target{}, false
}

// each gives all targets of a mapping in their order, until yield returns false.
func each(t *typ, v reflect.Value, yield func(target) bool) bool {
	switch t.shape {
	case parts:
		return v.Addr().Interface().(*Parts).each(yield)
	case union:
		return v.Addr().Interface().(choice).each(yield)
	}
	for i := range t.fields {
		f := &t.fields[i]
		if f.inline && !each(f.typ, v.Field(f.index), yield) ||
			!f.inline && !yield(target{rule: &f.rule, typ: f.typ, v: v.Field(f.index)}) {
			return false
		}
	}
	return true
}

// inner gives the mappings whose keys stand beside those of this one.
func inner(t *typ, v reflect.Value, yield func(*typ, reflect.Value)) {
	if t.shape == parts {
		v.Addr().Interface().(*Parts).inline(yield)
		return
	}
	for i := range t.fields {
		if f := &t.fields[i]; f.inline && f.typ.keyed() {
			yield(f.typ, v.Field(f.index))
		}
	}
}

func keysOf(t *typ, v reflect.Value) (keys []string) {
	each(t, v, func(to target) bool {
		keys = append(keys, to.key)
		return true
	})
	return keys
}

// alone is the value that may stand for the whole struct.
func (t target) alone() target {
	f := t.typ.short
	return target{rule: &f.rule, typ: f.typ, v: t.v.Field(f.index)}
}

// item is the target of an item of a list, or of a value of a Map, with its defaults.
func (t target) item(v reflect.Value) target {
	switch {
	case t.fresh != nil:
		t.fresh(v.Addr().Interface())
	case t.typ.elem.defaults:
		v.Addr().Interface().(Defaulter).Default()
	}
	return target{rule: t.rule, typ: t.typ.elem, v: v}
}

// slice is what a list holds, to be set by index; of a [Sequence] it is a copy.
func (t target) slice() reflect.Value {
	if t.v.Kind() == reflect.Slice {
		return t.v
	}
	items := reflect.ValueOf(t.v.Addr().Interface().(Sequence).Slice())
	copied := reflect.New(items.Type()).Elem()
	copied.Set(items)
	return copied
}

// freshItem is the target of an item that is in no list yet.
func (t target) freshItem() target {
	if t.typ.shape == table {
		return t.item(reflect.New(t.v.Type().Elem().Field(1).Type).Elem())
	}
	return t.item(reflect.New(t.slice().Type().Elem()).Elem())
}
