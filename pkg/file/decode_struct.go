package file

import (
	"cmp"
	"reflect"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"
)

// fields reads a mapping into a struct.
func (d *decoder) fields(n *yaml.Node, what string, to target) order {
	if to.typ.short != nil {
		switch of := resolve(n); {
		case of.Kind == yaml.ScalarNode:
			d.read(entry{key: to.typ.short.key, at: spanOf(n), value: n}, what, to.alone())
			return orderly
		case of.Kind == yaml.SequenceNode:
			d.Errorf(spanOf(n), "%s must be a single value or a mapping, not a list", what)
			return garbled
		}
	}
	var only []string
	if to.only != nil {
		only = to.only(d.path[len(d.path)-1])
	}
	entries, ok := d.entries(n, what)
	found := orderly
	if !ok {
		found = garbled
	}
	for _, e := range entries {
		t, known := find(to.typ, to.v, e.key)
		if known && (only == nil || slices.Contains(only, e.key)) {
			d.field(e, what, t)
		} else if !ignores(to.typ, to.v, e.key) {
			found = max(found, d.unknown(e, what, to, only))
		}
	}
	if only == nil && (found == orderly || resolve(n).Kind == yaml.MappingNode) {
		d.missing(gaps{spanOf(n), what, entries, found}, to.typ, to.v)
	}
	return found
}

// field reads the value of a struct's key.
func (d *decoder) field(e entry, what string, to target) {
	name := e.key
	if to.typ.keyed() {
		name += " of " + what
	}
	d.read(e, name, to)
	if to.of == nil {
		return
	}
	if first, twice := d.chosen[to.of]; twice {
		d.Clash(Error, e.at, first, "%s has both %s and %s", what, to.of.chosen(), e.key)
		return
	}
	if d.chosen == nil {
		d.chosen = map[choice]Span{}
	}
	d.chosen[to.of] = e.at
	to.of.choose(e.key, to.v)
}

func (d *decoder) unknown(e entry, what string, to target, only []string) order {
	p := d.Errorf(e.at, "unknown key %q in %s", e.key, what)
	if only == nil {
		only = keysOf(to.typ, to.v)
	}
	if file := e.key + "-file"; slices.Contains(only, file) { // what has a file of its own is not for all to see
		p.Hint = DidYouMean(file)
		d.hide(p.Line)
		return garbled
	}
	p.Hint = cmp.Or(meant(to.typ, to.v, e.key), Suggest(e.key, only))
	if p.Hint != "" {
		return garbled
	}
	p.Hint = misplaced(to.typ, to.v, e)
	return strange
}

// ignores reports whether a key stands for nothing.
func ignores(t *typ, v reflect.Value, key string) bool {
	found := slices.ContainsFunc(t.ignored, func(s string) bool { return strings.HasPrefix(key, s) })
	inner(t, v, func(t *typ, v reflect.Value) { found = found || ignores(t, v, key) })
	return found
}

// gaps is a mapping in which required keys may be missing.
type gaps struct {
	at      Span
	what    string
	entries []entry
	found   order
}

func (g gaps) has(key string) bool {
	return slices.ContainsFunc(g.entries, func(e entry) bool { return e.key == key })
}

// missing reports the required keys of a struct that the mapping does not have.
func (d *decoder) missing(g gaps, t *typ, v reflect.Value) {
	inner(t, v, func(t *typ, v reflect.Value) { d.missing(g, t, v) })
	for i := range t.fields {
		f := &t.fields[i]
		in := v.Field(f.index)
		switch {
		case f.required == "" || f.required == "checked" || f.required == "yes" && g.found != orderly:
		case f.inline:
			if of := in.Addr().Interface().(choice); of.chosen() == "" {
				d.Errorf(g.at, "%s needs one of %s", definite(g.what), orList(keysOf(f.typ, in))).Hint = f.missing
			}
		case !g.has(f.key):
			d.Errorf(g.at, "%s has no %s", definite(g.what), f.key).Hint = f.missing
		}
	}
}

// definite makes "the route" of "a route".
func definite(what string) string {
	if article, noun, ok := strings.Cut(what, " "); ok && (article == "a" || article == "an") {
		return "the " + noun
	}
	return what
}
