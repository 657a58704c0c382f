package plan

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// Compare lists the attributes in which have differs from want, as far as want manages them. Fixed says that one of
// them can't be changed in place. Objects of different types differ in everything.
func Compare(want, have Object) (fields []Field, fixed bool) {
	if want == have {
		return nil, false
	}
	w, h := reflect.ValueOf(want), reflect.ValueOf(have)
	if w.Type() != h.Type() {
		return []Field{{Name: "type", Before: fmt.Sprintf("%T", have), After: fmt.Sprintf("%T", want), Fixed: true}}, true
	}
	l := layoutOf(w.Type())
	c := comparison{managed: l.managedBy(w)}
	c.structs(l, w, h)
	if len(c.fields) == 0 {
		return nil, false
	}
	if rigid, ok := want.(Rigid); ok {
		c.fix(rigid.Fixed(have))
	}
	for _, f := range c.fields {
		fixed = fixed || f.Fixed
	}
	return c.fields, fixed
}

// comparison is one in the making.
type comparison struct {
	managed Fields
	fields  []Field
}

// structs compares two values of one struct type.
func (c *comparison) structs(l *layout, want, have reflect.Value) {
	for i := range l.attributes {
		a := &l.attributes[i]
		w, h := want.Field(a.index), have.Field(a.index)
		switch {
		case w.Equal(h): // asked first: this is where the time of a large plan goes
		case a.embedded != nil:
			c.structs(a.embedded, w, h)
		case w.Kind() == reflect.Interface:
			c.held(a, w.Elem(), h.Elem())
		case c.managed.Has(a.name):
			c.values(a, w.Interface(), h.Interface())
		}
	}
}

// held compares what two fields of interface type hold.
func (c *comparison) held(a *attribute, want, have reflect.Value) {
	same := want.IsValid() && have.IsValid() && want.Type() == have.Type()
	if same && want.Kind() == reflect.Struct {
		if l := layoutOf(want.Type()); len(l.attributes) > 0 {
			c.structs(l, want, have)
			return
		}
	}
	switch {
	case !c.managed.Has(a.name):
	case same:
		c.values(a, want.Interface(), have.Interface())
	case !a.same:
		c.add(a, nameOf(have), nameOf(want))
		c.fix([]string{a.name})
	}
}

// nameOf is what a value of another type is called: by its own words, or by its type.
func nameOf(v reflect.Value) string {
	if !v.IsValid() {
		return format(nil)
	}
	if s, ok := v.Interface().(fmt.Stringer); ok {
		return s.String()
	}
	return v.Type().Name()
}

// values compares two values that are not equal: one may be unmanaged, and lists differ element by element.
func (c *comparison) values(a *attribute, want, have any) {
	if w, ok := want.(opt); ok {
		wv, managed := w.managed()
		hv, known := have.(opt).managed()
		switch {
		case !managed || known && wv == hv:
			return
		case !known:
			c.add(a, "unknown", format(wv))
			return
		}
		want, have = wv, hv
	}
	if w, ok := want.(elements); ok {
		c.lists(a, w, have.(elements))
		return
	}
	c.add(a, format(have), format(want))
}

func (c *comparison) add(a *attribute, before, after string) {
	c.fields = append(c.fields, Field{
		Name: a.name, Before: before, After: after, Quiet: a.quiet, Fixed: a.fixed, Swap: a.swap, State: a.state,
	})
}

// fix marks the fields of the given names as fixed.
func (c *comparison) fix(names []string) {
	for _, name := range names {
		for i := range c.fields {
			c.fields[i].Fixed = c.fields[i].Fixed || c.fields[i].Name == name
		}
	}
}

// format writes a value as people read it: "yes" for true, "none" for nothing.
func format(v any) string {
	switch v := v.(type) {
	case nil:
		return "none"
	case bool:
		if v {
			return "yes"
		}
		return "no"
	case fmt.Stringer:
		if reflect.ValueOf(v).IsZero() {
			return "none"
		}
	}
	if s := fmt.Sprint(v); s != "" {
		return s
	}
	return "none"
}

// onlyFixed lists the fields that cannot change in place, none of them quiet.
func onlyFixed(fields []Field) (fixed []Field) {
	for _, f := range fields {
		if f.Fixed {
			f.Quiet = false
			fixed = append(fixed, f)
		}
	}
	return fixed
}

// onlySwapped says whether all that forces a step to make objects anew is of no account to who uses them.
func (s Step) onlySwapped() bool {
	fixed := onlyFixed(s.Fields)
	return s.Action == Replace && len(fixed) > 0 && !slices.ContainsFunc(fixed, func(f Field) bool { return !f.Swap })
}

// String is the field as text has it. What reads alike before and after, as what is secret does, is said to be changed.
func (f Field) String() string {
	if f.Before == f.After {
		return f.Name + " changed"
	}
	if f.State {
		return f.turn()
	}
	return fmt.Sprintf("%s %s -> %s", f.Name, f.Before, f.After)
}

// turn is a state as text has it: of a field "lo up", "lo down -> up".
func (f Field) turn() string {
	of, on := "", f.Name
	if i := strings.LastIndexByte(f.Name, ' ') + 1; i > 0 {
		of, on = f.Name[:i], f.Name[i:]
	}
	before, after := "down", on
	if f.Before == format(true) {
		before, after = after, before
	}
	return of + before + " -> " + after
}

// differences writes the fields that are not quiet: "mtu 1400 -> 1500", "down -> up".
func differences(fields []Field) (words []string) {
	for _, f := range fields {
		if !f.Quiet {
			words = append(words, f.String())
		}
	}
	return words
}
