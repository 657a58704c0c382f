package plan

import (
	"encoding/json"
	"fmt"
	"iter"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// Plus is the set with more attributes; the set of all stays that.
func (f Fields) Plus(names ...string) Fields {
	if f == (Fields{}) {
		return f
	}
	return NewFields(append(strings.FieldsFunc(f.names, func(r rune) bool { return r == '\n' }), names...)...)
}

// Over is the wanted object with all that it does not manage as it is in the other one, which has the same type: what
// an object is changed to, where parts of it are somebody else's. What a field of interface type holds is taken as a
// whole when the two hold different types: from the wanted one, if that manages the field or anything in it.
func Over(want, have Object) Object {
	w, h := reflect.ValueOf(want), reflect.ValueOf(have)
	l := layoutOf(w.Type())
	managed := l.managedBy(w)
	if managed == (Fields{}) || w.Type() != h.Type() {
		return want
	}
	v := copied(w)
	over(l, managed, v, h)
	o, _ := v.Interface().(Object)
	return o
}

// copied is an addressable copy.
func copied(v reflect.Value) reflect.Value {
	c := reflect.New(v.Type()).Elem()
	c.Set(v)
	return c
}

// over takes what is not managed from have.
func over(l *layout, managed Fields, v, have reflect.Value) {
	for i := range l.attributes {
		a := &l.attributes[i]
		f, h := v.Field(a.index), have.Field(a.index)
		switch {
		case a.embedded != nil:
			over(a.embedded, managed, f, h)
		case f.Kind() != reflect.Interface:
			if !managed.Has(a.name) {
				f.Set(h)
			}
		case !f.IsNil() && !h.IsNil() && f.Elem().Type() == h.Elem().Type() && f.Elem().Kind() == reflect.Struct:
			held := copied(f.Elem())
			over(layoutOf(held.Type()), managed, held, h.Elem())
			f.Set(held)
		case !managed.Has(a.name) && !managesOf(managed, f.Elem()):
			f.Set(h)
		}
	}
}

// managesOf says whether an attribute of what a field of interface type holds is managed.
func managesOf(managed Fields, held reflect.Value) bool {
	if !held.IsValid() || held.Kind() != reflect.Struct {
		return false
	}
	return slices.ContainsFunc(slices.Collect(maps.Keys(valuesOf(held))), managed.Has)
}

// Values gives all attributes of an object, managed or not, by their names; those of what a field of interface type
// holds are among them, and the field itself is not.
func Values(o any) iter.Seq2[string, any] {
	return func(yield func(string, any) bool) {
		values := valuesOf(reflect.ValueOf(o))
		for _, name := range slices.Sorted(maps.Keys(values)) {
			if !yield(name, values[name].Interface()) {
				return
			}
		}
	}
}

func valuesOf(v reflect.Value) map[string]reflect.Value {
	values := make(map[string]reflect.Value)
	for _, a := range layoutOf(v.Type()).attributes {
		f := v.Field(a.index)
		switch {
		case a.embedded != nil:
			maps.Copy(values, valuesOf(f))
		case f.Kind() != reflect.Interface:
			values[a.name] = f
		case f.Elem().Kind() == reflect.Struct:
			maps.Copy(values, valuesOf(f.Elem()))
		}
	}
	return values
}

// Store writes the value of an attribute as text that [Restore] reads, and that is the same for equal values.
func Store(value any) (string, error) {
	text, err := json.Marshal(value)
	return string(text), err
}

// Restore is an object in which an attribute has the value that [Store] wrote. It is unchanged where it has no such
// attribute now.
func Restore(o Object, name, text string) (Object, error) {
	v := copied(reflect.ValueOf(o))
	if err := restore(v, name, text); err != nil {
		return o, fmt.Errorf("%s of %s: %w", name, o.Key().Label(), err)
	}
	changed, _ := v.Interface().(Object)
	return changed, nil
}

func restore(v reflect.Value, name, text string) error {
	for _, a := range layoutOf(v.Type()).attributes {
		f := v.Field(a.index)
		switch {
		case a.embedded != nil:
			if err := restore(f, name, text); err != nil {
				return err
			}
		case f.Kind() == reflect.Interface:
			if f.Elem().Kind() != reflect.Struct {
				continue
			}
			held := copied(f.Elem())
			if err := restore(held, name, text); err != nil {
				return err
			}
			f.Set(held)
		case a.name == name:
			value := reflect.New(f.Type())
			if err := json.Unmarshal([]byte(text), value.Interface()); err != nil {
				return err
			}
			f.Set(value.Elem())
		}
	}
	return nil
}

// Words writes a value as a plan does.
func Words(value any) string {
	if o, ok := value.(opt); ok {
		v, known := o.managed()
		if !known {
			v = nil
		}
		return format(v)
	}
	return format(value)
}

// MarshalJSON implements [json.Marshaler].
func (l List[T]) MarshalJSON() ([]byte, error) { return json.Marshal(slices.Collect(l.All())) }

// UnmarshalJSON implements [json.Unmarshaler]: the elements keep their order.
func (l *List[T]) UnmarshalJSON(text []byte) error {
	var elements []T
	err := json.Unmarshal(text, &elements)
	*l = NewList(nil, elements...)
	return err
}
