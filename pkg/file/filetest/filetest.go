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
	// Texts has valid texts of the types that are a [file.Parser], or have no text form that the tags describe.
	Texts map[reflect.Type][]string
	// Special, if set, fills values that it knows of, and says so.
	Special func(*Filler, reflect.Value) bool
}

// Struct gives a value to most tagged fields of a struct, or of a struct of structs, lists and Maps.
func (f *Filler) Struct(v reflect.Value) {
	for i := range v.NumField() {
		tag, ok := v.Type().Field(i).Tag.Lookup("file")
		if ok && v.Field(i).CanSet() && (f.IntN(3) > 0 || strings.Contains(tag, "required")) {
			f.value(v.Field(i), tag)
		}
	}
}

func (f *Filler) value(v reflect.Value, tag string) {
	if f.Special != nil && f.Special(f, v) {
		return
	}
	if p, ok := v.Addr().Interface().(file.Parser); ok {
		texts := f.Texts[v.Type()]
		if err := p.Parse("", texts[f.IntN(len(texts))]); err != nil {
			panic(fmt.Sprintf("filetest: a text of %s is not valid: %v", v.Type(), err))
		}
		return
	}
	if d, ok := v.Addr().Interface().(file.Defaulter); ok {
		d.Default()
	}
	switch {
	case v.Kind() == reflect.Bool:
		v.SetBool(f.IntN(2) > 0)
	case v.CanUint():
		v.SetUint(f.between(option(tag, "least", 0), option(tag, "most", 1<<v.Type().Bits()-1)))
	case v.Kind() == reflect.String:
		v.SetString(f.word(tag))
	case v.Kind() == reflect.Slice:
		f.list(v, tag)
	case f.Texts[v.Type()] != nil:
		f.text(v)
	case v.Kind() == reflect.Struct:
		f.Struct(v)
	default:
		panic("filetest: no value for " + v.Type().String())
	}
}

// text fills in a value of a type that unmarshals texts.
func (f *Filler) text(v reflect.Value) {
	texts := f.Texts[v.Type()]
	u := v.Addr().Interface().(interface{ UnmarshalText([]byte) error })
	if err := u.UnmarshalText([]byte(texts[f.IntN(len(texts))])); err != nil {
		panic(err)
	}
}

// list fills a slice, or a Map with keys that differ.
func (f *Filler) list(v reflect.Value, tag string) {
	keys := map[string]bool{}
	for range f.IntN(4) {
		item := reflect.New(v.Type().Elem()).Elem()
		if key := item.FieldByName; item.Kind() == reflect.Struct && strings.HasPrefix(item.Type().Name(), "Entry[") {
			f.value(key("Key"), "")
			f.value(key("Value"), "")
			if keys[key("Key").String()] {
				continue
			}
			keys[key("Key").String()] = true
		} else {
			f.value(item, tag)
		}
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
	words := []string{
		"a", "null", "~", "1", "yes", "0x10", "", "a: b", "- a", "é # x", "{", "*a", "two\nlines", "2001-01-01",
	}
	if _, enum, ok := strings.Cut(tag, "enum="); ok {
		enum, _, _ = strings.Cut(enum, ",")
		words = strings.Split(enum, "|")
	}
	return words[f.IntN(len(words))]
}

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
