// Package filetest fills structs that are tagged for pkg/file with random values, for tests of the round trip.
package filetest

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"strconv"
	"strings"

	"github.com/plumbnet/plumb/pkg/file"
)

// Filler fills structs.
type Filler struct {
	*rand.Rand
	// Texts has valid texts of the types with a text form that their tags do not describe.
	Texts map[reflect.Type][]string
}

// Fill gives values to most keys of what v points to: a struct, or [file.Parts].
func (f *Filler) Fill(v any) { f.value(reflect.ValueOf(v).Elem(), "", nil) }

// value fills a value with a tag; fresh, if set, makes the items of a list.
func (f *Filler) value(v reflect.Value, tag string, fresh func(any)) {
	to := v.Addr().Interface()
	if d, ok := to.(file.Defaulter); ok {
		d.Default()
	}
	switch p, isParts := to.(*file.Parts); {
	case isParts:
		f.parts(p)
	case v.Addr().MethodByName("Alternatives").IsValid():
		f.union(v)
	case f.Texts[v.Type()] != nil:
		f.text(to, f.Pick(f.Texts[v.Type()]...))
	case v.Kind() == reflect.Bool:
		v.SetBool(f.IntN(2) > 0)
	case v.CanInt():
		v.SetInt(int64(f.IntN(100) - 50))
	case v.CanUint():
		v.SetUint(f.between(option(tag, "least", 0), option(tag, "most", min(uint64(1)<<v.Type().Bits()-1, 1<<63-1))))
	case v.Kind() == reflect.String:
		v.SetString(f.word(tag))
	case v.Kind() == reflect.Slice:
		f.list(v, tag, fresh)
	case v.Addr().Type().Implements(reflect.TypeFor[file.Sequence]()):
		f.sequence(to.(file.Sequence), tag, fresh)
	case v.Kind() == reflect.Struct:
		f.fields(v)
	default:
		panic("filetest: no value for " + v.Type().String())
	}
}

func (f *Filler) fields(v reflect.Value) {
	for i := range v.NumField() {
		field := v.Type().Field(i)
		tag, ok := field.Tag.Lookup("file")
		if ok && field.Anonymous && !field.IsExported() { // which cannot be set, and whose fields can
			f.fields(v.Field(i))
		} else if ok && v.Field(i).CanSet() && (strings.Contains(tag, "required") || f.IntN(3) > 0) {
			f.value(v.Field(i), tag, nil)
		}
	}
}

func (f *Filler) parts(p *file.Parts) {
	for i, of := range p.Of() {
		if of.Key == "" || f.IntN(3) > 0 {
			f.value(reflect.ValueOf(p.Values()[i]).Elem(), "", of.Fresh)
		}
	}
}

func (f *Filler) union(v reflect.Value) {
	of := v.Addr().MethodByName("Alternatives").Call(nil)[0]
	one := of.Index(f.IntN(of.Len()))
	fresh := one.FieldByName("New").Call(nil)[0].Elem()
	value := reflect.New(fresh.Type()).Elem()
	value.Set(fresh)
	f.fields(value)
	v.FieldByName("Key").Set(one.FieldByName("Key"))
	v.FieldByName("Value").Set(value)
}

func (f *Filler) text(to any, text string) {
	var err error
	switch to := to.(type) {
	case file.Parser:
		err = to.Parse("", text)
	case interface{ UnmarshalText([]byte) error }:
		err = to.UnmarshalText([]byte(text))
	}
	if err != nil {
		panic(fmt.Sprintf("filetest: a text of %T is not valid: %v", to, err))
	}
}

// sequence fills a list that is no slice.
func (f *Filler) sequence(to file.Sequence, tag string, fresh func(any)) {
	items := reflect.New(reflect.TypeOf(to.Slice())).Elem()
	f.list(items, tag, fresh)
	to.SetSlice(items.Interface())
}

// list fills a slice, or a Map with keys that differ.
func (f *Filler) list(v reflect.Value, tag string, fresh func(any)) {
	keys := map[string]bool{}
	for range f.IntN(4) {
		item := reflect.New(v.Type().Elem()).Elem()
		value := item
		if strings.HasPrefix(item.Type().Name(), "Entry[") {
			f.value(item.FieldByName("Key"), "", nil)
			key := item.FieldByName("Key").String()
			if keys[key] {
				continue
			}
			keys[key], value = true, item.FieldByName("Value")
		}
		if fresh != nil {
			fresh(value.Addr().Interface())
		}
		f.value(value, tag, nil)
		v.Set(reflect.Append(v, item))
	}
}

func (f *Filler) between(least, most uint64) uint64 {
	switch f.IntN(4) {
	case 0:
		return least
	case 1:
		return most
	}
	return least + f.Uint64N(most-least+1)
}

// word is a word that the tag allows, or a text that YAML may take for something else.
func (f *Filler) word(tag string) string {
	if _, enum, ok := strings.Cut(tag, "enum="); ok {
		enum, _, _ = strings.Cut(enum, ",")
		return f.Pick(strings.Split(enum, "|")...)
	}
	return f.Pick("a", "null", "~", "1", "yes", "0x10", "", "a: b", "- a", "é # x", "{", "*a", "two\nlines", "2001-01-01")
}

// Pick gives one of some words.
func (f *Filler) Pick(words ...string) string { return words[f.IntN(len(words))] }

// option is the number that a tag has for an option.
func option(tag, name string, or uint64) uint64 {
	_, value, ok := strings.Cut(tag, ","+name+"=")
	if !ok {
		return or
	}
	value, _, _ = strings.Cut(value, ",")
	n, err := strconv.ParseUint(value, 10, 64)
	if err != nil {
		panic(err)
	}
	return n
}
