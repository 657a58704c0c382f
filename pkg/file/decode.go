package file

import (
	"errors"
	"reflect"
	"strings"

	"gopkg.in/yaml.v3"
)

// Decode reads the document n into the struct, or the [Parts], that into points to, which has the defaults. Messages
// call it what.
func (r *Report) Decode(n *yaml.Node, what string, into any) Spots {
	v := reflect.ValueOf(into).Elem()
	d := &decoder{walker: walker{Report: r, left: maxNodes}, tree: &tree{}}
	d.read(entry{at: spanOf(n), value: n}, what, target{rule: &rule{}, typ: typeOf(v.Type()), v: v})
	return Spots{tree: d.tree}
}

type decoder struct {
	walker
	tree *tree
	path []string // the keys of the Maps around
	// chosen has where the key stands that a union took.
	chosen map[choice]Span
}

// read reads a value, and keeps its spot under the entry's key. Messages call it what.
func (d *decoder) read(e entry, what string, to target) {
	at, before := spanOf(e.value), len(d.problems)
	i := d.tree.open(e.key, e.at, to.typ)
	var found order
	switch to.typ.shape {
	case mapping, parts:
		found = d.fields(e.value, what, to)
	case table:
		found = d.table(e.value, what, to)
	case list:
		found = d.list(e.value, what, to)
	default:
		at, found = d.scalar(e.value, what, to)
	}
	s := &d.tree.spots[i]
	s.at, s.state, s.order, s.flawed, s.end = at, Good, found, len(d.problems) > before, int32(len(d.tree.spots))
	if found == garbled {
		s.state = Bad
		if e.value.Kind == yaml.ScalarNode {
			d.tree.remember(i, e.value.Value)
		}
	}
}

// scalar reads a single value.
func (d *decoder) scalar(n *yaml.Node, what string, to target) (Span, order) {
	if resolved := resolve(n); to.typ.flag && resolved.Kind == yaml.MappingNode && len(resolved.Content) == 0 {
		to.v.SetBool(true)
		return spanOf(n), orderly
	}
	text, at, ok := d.text(n, what)
	if !ok || !d.accept(at, to.parse(what, text)) {
		return at, garbled
	}
	return at, orderly
}

// accept reports the error of a parser, if there is one.
func (d *decoder) accept(at Span, err error) bool {
	if err == nil {
		return true
	}
	p := d.Errorf(at, "%s", err)
	if h, ok := errors.AsType[Hidden](err); ok {
		p.Hint = h.Hint
		d.hide(p.Line)
	} else if f, ok := errors.AsType[Flaw](err); ok {
		p.Hint = f.Hint
	}
	return false
}

// list reads a list. What could not be read of it is a zero value there.
func (d *decoder) list(n *yaml.Node, what string, to target) order {
	items, ok := d.items(n, what)
	slice := to.slice()
	slice.SetZero()
	slice.Grow(len(items))
	slice.SetLen(len(items))
	for i, c := range items {
		d.read(entry{at: spanOf(c), value: c}, to.noun, to.item(slice.Index(i)))
	}
	if s, ok := to.v.Addr().Interface().(Sequence); ok {
		s.SetSlice(slice.Interface())
	}
	if !ok {
		return garbled
	}
	return orderly
}

// table reads a mapping into a Map.
func (d *decoder) table(n *yaml.Node, what string, to target) order {
	if to.typ.elem.keyed() {
		if hint := asMapping(n); hint != "" {
			d.noMapping(n, what).Hint = hint
			return garbled
		}
	}
	entries, ok := d.entries(n, what)
	for i, e := range d.keys(entries, to) {
		slot := to.v.Index(i)
		called := e.key
		e.key = slot.Field(0).String()
		d.path = append(d.path, e.key)
		value := to.item(slot.Field(1))
		if value.typ.keyed() {
			called = to.noun + " " + strings.Join(d.path, "/")
		}
		d.read(e, called, value)
		d.path = d.path[:len(d.path)-1]
	}
	if !ok {
		return garbled
	}
	return orderly
}

// keys reads the keys of a Map, and lists the entries that have a valid one.
func (d *decoder) keys(entries []entry, to target) []entry {
	to.v.SetZero()
	to.v.Grow(len(entries))
	kept, canonical := entries[:0], true
	for _, e := range entries {
		to.v.SetLen(len(kept) + 1)
		key := target{typ: to.typ.key, rule: to.rule, v: to.v.Index(len(kept)).Field(0)}
		if d.accept(e.at, key.parse(e.key, e.key)) {
			kept = append(kept, e)
			canonical = canonical && key.v.String() == e.key
		}
	}
	to.v.SetLen(len(kept))
	if canonical {
		return kept
	}
	return d.unique(kept, to)
}

// unique reports keys of a Map that look different, and are the same.
func (d *decoder) unique(entries []entry, to target) []entry {
	first := map[string]Span{}
	kept := entries[:0]
	for i, e := range entries {
		key := to.v.Index(i).Field(0).String()
		at, twice := first[key]
		if !twice {
			first[key] = e.at
			to.v.Index(len(kept)).Field(0).SetString(key)
			kept = append(kept, e)
			continue
		}
		p := d.Errorf(e.at, "%s %s is given twice, first on line %d", to.noun, key, at.Line)
		if e.key != key {
			p.Hint = Quote(e.key) + " is another name of it"
		}
	}
	to.v.SetLen(len(kept))
	return kept
}
