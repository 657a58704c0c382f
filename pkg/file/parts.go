package file

import (
	"reflect"
	"slices"
)

// Part is a piece of a mapping that is put together at run time.
type Part struct {
	// Key is the key of the part's value; empty for a struct whose keys stand beside those of the other parts.
	Key string
	// Item, Doc and Also are as the tags item, doc and also.
	Item, Doc, Also string
	// New makes a pointer to the part's value, with its defaults.
	New func() any
	// Fresh, if set, gives an item of a list, or a value of a Map, its defaults: it gets a pointer to it.
	Fresh func(any)
	// Only, if set, lists the keys that the value at a key of a Map may have; nil is all.
	Only func(key string) []string
}

// Parts is a mapping that is put together at run time, or, in a field that is tagged inline, a part of one. It is made
// by [NewParts] before anything is decoded into it; the zero Parts has no keys.
type Parts struct {
	of     []Part
	values []any
}

// NewParts makes a mapping of the parts given, which it shares with others.
func NewParts(of []Part) Parts {
	p := Parts{of, make([]any, len(of))}
	for i := range of {
		p.values[i] = of[i].New()
	}
	return p
}

// Values are what the New of each part made, filled in, in the order of the list that [NewParts] was given.
func (p *Parts) Values() []any { return p.values }

// Of is the list that [NewParts] was given.
func (p *Parts) Of() []Part { return p.of }

func (p *Parts) find(key string) (target, bool) {
	for i := range p.of {
		switch of := &p.of[i]; {
		case of.Key == "":
			v := reflect.ValueOf(p.values[i]).Elem()
			if to, ok := find(typeOf(v.Type()), v, key); ok {
				return to, true
			}
		case of.Key == key:
			return p.target(i), true
		}
	}
	return target{}, false
}

// inline gives the structs of the parts without a key.
func (p *Parts) inline(yield func(*typ, reflect.Value)) {
	for i := range p.of {
		if v := reflect.ValueOf(p.values[i]).Elem(); p.of[i].Key == "" {
			yield(typeOf(v.Type()), v)
		}
	}
}

func (p *Parts) each(yield func(target) bool) bool {
	for i := range p.of {
		if p.of[i].Key != "" {
			if !yield(p.target(i)) {
				return false
			}
			continue
		}
		if v := reflect.ValueOf(p.values[i]).Elem(); !each(typeOf(v.Type()), v, yield) {
			return false
		}
	}
	return true
}

func (p *Parts) target(i int) target {
	of, v := &p.of[i], reflect.ValueOf(p.values[i]).Elem()
	r := &rule{key: of.Key, noun: of.Item, doc: of.Doc, also: of.Also, fresh: of.Fresh, only: of.Only}
	return target{rule: r, typ: typeOf(v.Type()), v: v}
}

// Alternative is one of the keys of a [OneOf], with a struct of its own.
type Alternative[T any] struct {
	Key, Doc string
	// New makes the struct with its defaults: by value, so that it can be compared.
	New func() T
}

// OneOf is a union: a mapping has at most one of several keys, or exactly one where the field is tagged required.
// T is an interface that the structs of all alternatives implement. Fields of this type are tagged inline, and made by
// [NewOneOf] before anything is decoded into them.
type OneOf[T any] struct {
	// Key is that of the alternative that the file has; empty for none.
	Key string
	// Value is what the alternative's New made, filled in.
	Value T

	of []Alternative[T]
}

// NewOneOf makes a union of the alternatives given, which it shares with others.
func NewOneOf[T any](of []Alternative[T]) OneOf[T] { return OneOf[T]{of: of} }

// Alternatives is the list that [NewOneOf] was given.
func (o *OneOf[T]) Alternatives() []Alternative[T] { return o.of }

// choice is what the types of [OneOf] have in common.
type choice interface {
	find(key string) (target, bool)
	each(yield func(target) bool) bool
	chosen() string
	choose(key string, v reflect.Value)
	// fresh is what the New of an alternative makes.
	fresh(key string) reflect.Value
}

func (o *OneOf[T]) find(key string) (target, bool) {
	for i := range o.of {
		if o.of[i].Key == key {
			return o.target(i), true
		}
	}
	return target{}, false
}

func (o *OneOf[T]) each(yield func(target) bool) bool {
	for i := range o.of {
		if !yield(o.target(i)) {
			return false
		}
	}
	return true
}

// target is an alternative: with the value that was chosen, or a fresh one.
func (o *OneOf[T]) target(i int) target {
	of, value := &o.of[i], o.Value
	if o.Key != of.Key {
		value = of.New()
	}
	v := addressable(value)
	return target{rule: &rule{key: of.Key, doc: of.Doc}, typ: typeOf(v.Type()), v: v, of: o}
}

func (o *OneOf[T]) fresh(key string) reflect.Value {
	i := slices.IndexFunc(o.of, func(a Alternative[T]) bool { return a.Key == key })
	return addressable(o.of[i].New())
}

func (o *OneOf[T]) chosen() string { return o.Key }

func (o *OneOf[T]) choose(key string, v reflect.Value) { o.Key, o.Value = key, v.Interface().(T) }
