package file

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"

	"gopkg.in/yaml.v3"
)

// Encode is the reverse of [Report.Decode]: the mapping that stands for a struct. Values that equal those of fresh, a
// struct of the same type with the defaults, are left out, but for required ones.
func Encode(v, fresh any) *yaml.Node {
	s := addressable(v)
	return encodeMapping(typeOf(s.Type()), s, addressable(fresh))
}

// addressable is the struct that v is or points to, so that methods of its pointer can be called.
func addressable(v any) reflect.Value {
	r := reflect.ValueOf(v)
	if r.Kind() == reflect.Pointer {
		return r.Elem()
	}
	s := reflect.New(r.Type()).Elem()
	s.Set(r)
	return s
}

// encodeMapping writes the keys in their order, the required ones first.
func encodeMapping(t *typ, v, fresh reflect.Value) *yaml.Node {
	n := &yaml.Node{Kind: yaml.MappingNode}
	var optional []*yaml.Node
	each(t, v, func(to target) bool {
		was := to.before(t, fresh)
		switch {
		case to.of != nil && to.of.chosen() != to.key:
		case to.required != "":
			n.Content = append(n.Content, textNode(to.key), encode(to, was))
		case to.of != nil || !same(to.v, was):
			optional = append(optional, textNode(to.key), encode(to, was))
		}
		return true
	})
	n.Content = append(n.Content, optional...)
	return n
}

// before is what a key has in a fresh struct of the type t.
func (to target) before(t *typ, fresh reflect.Value) reflect.Value {
	if to.of != nil {
		return to.of.fresh(to.key)
	}
	if f, ok := find(t, fresh, to.key); ok {
		return f.v
	}
	return reflect.Zero(to.v.Type())
}

// same compares what stands in the file: no list and an empty one are the same there.
func same(a, b reflect.Value) bool {
	if a.Kind() == reflect.Slice && a.Len() == 0 && b.Len() == 0 {
		return true
	}
	return reflect.DeepEqual(a.Interface(), b.Interface())
}

func encode(to target, fresh reflect.Value) *yaml.Node {
	switch to.typ.shape {
	case mapping, parts:
		n := encodeMapping(to.typ, to.v, fresh)
		if short := to.typ.short; short != nil && len(n.Content) == 2 && n.Content[0].Value == short.key {
			return n.Content[1]
		}
		return n
	case list:
		n := &yaml.Node{Kind: yaml.SequenceNode}
		items := to.slice()
		for i := range items.Len() {
			item := target{rule: to.rule, typ: to.typ.elem, v: items.Index(i)}
			n.Content = append(n.Content, flow(encode(item, to.freshItem().v)))
		}
		return flow(n)
	case table:
		n := &yaml.Node{Kind: yaml.MappingNode}
		for i := range to.v.Len() {
			e := to.v.Index(i)
			value := target{rule: to.rule, typ: to.typ.elem, v: e.Field(1)}
			n.Content = append(n.Content, textNode(e.Field(0).String()), encode(value, to.freshItem().v))
		}
		return n
	}
	return scalarNode(to.v)
}

// flow sets what has only single values within on one line.
func flow(n *yaml.Node) *yaml.Node {
	for _, c := range n.Content {
		if c.Kind != yaml.ScalarNode && c.Style&yaml.FlowStyle == 0 || c.Kind == yaml.MappingNode {
			return n
		}
	}
	if n.Kind != yaml.ScalarNode {
		n.Style = yaml.FlowStyle
	}
	return n
}

func textNode(s string) *yaml.Node { return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: s} }

// scalarNode is a single value: quoted, when it is text that looks like something else.
func scalarNode(v reflect.Value) *yaml.Node {
	n := textNode(textOf(v))
	var types []string
	if d, ok := v.Addr().Interface().(Described); ok {
		types = d.Text().Types
	}
	_, err := strconv.Atoi(n.Value)
	switch {
	case v.Kind() == reflect.Bool || slices.Contains(types, "boolean"):
		n.Tag = "!!bool"
	case err == nil && (v.CanInt() || v.CanUint() || slices.Contains(types, "integer")):
		n.Tag = "!!int"
	}
	return n
}

// textOf is the text of a single value.
func textOf(v reflect.Value) string {
	switch s, ok := v.Addr().Interface().(fmt.Stringer); {
	case ok:
		return s.String()
	case v.Kind() == reflect.String:
		return v.String()
	}
	return fmt.Sprint(v.Interface())
}
