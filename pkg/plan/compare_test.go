package plan

import (
	"cmp"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// gadget is an object of all that an object can be made of.
type gadget struct {
	Name string
	base
	Spec    any               `plan:"type,quiet"`
	Slave   any               `plan:"slave,same"`
	Ports   List[int]         `plan:"port"`
	Path    Opt[List[string]] `plan:"path"`
	Managed Fields
}

type base struct {
	Up  bool     `plan:"up"`
	MTU Opt[int] `plan:"mtu"`
	deeper
}

type deeper struct {
	Alias string `plan:"alias,quiet"`
	Place string `plan:"place,fixed,quiet"`
}

type tube struct {
	ID     int         `plan:"id,fixed"`
	Remote int         `plan:"remote"`
	TTL    Opt[int]    `plan:"ttl"`
	Keys   List[digit] `plan:"key,fixed"`
}

type digit int

func (d digit) String() string { return "#" + fmt.Sprint(int(d)) }

type hook struct {
	Cost int `plan:"cost"`
}

func (hook) String() string { return "a hook" }

func (g gadget) Key() Key         { return Key{Kind: "gadget", Name: g.Name} }
func (g gadget) Needs() []Key     { return nil }
func (g gadget) Describe() string { return "" }

// Fixed implements [Rigid]: a remote end of 100 or more is for ever.
func (g gadget) Fixed(have Object) []string {
	if t, ok := have.(gadget).Spec.(tube); ok && t.Remote >= 100 {
		return []string{"remote", "up"}
	}
	return nil
}

// set makes a gadget of some changes to it.
func set(changes ...func(*gadget)) gadget {
	g := gadget{Name: "g"}
	for _, change := range changes {
		change(&g)
	}
	return g
}

func spec(s any) func(*gadget)  { return func(g *gadget) { g.Spec = s } }
func slave(s any) func(*gadget) { return func(g *gadget) { g.Slave = s } }
func ports(list ...int) func(*gadget) {
	return func(g *gadget) { g.Ports = NewList(cmp.Compare, list...) }
}
func path(list ...string) func(*gadget) {
	return func(g *gadget) { g.Path = Some(NewList(nil, list...)) }
}
func managed(names ...string) func(*gadget) {
	return func(g *gadget) { g.Managed = NewFields(names...) }
}
func with(b base) func(*gadget) { return func(g *gadget) { g.base = b } }

// fieldsText writes fields with what is special about them: * for fixed, ? for quiet.
func fieldsText(fields []Field) string {
	var words []string
	for _, f := range fields {
		word := fmt.Sprintf("%s %s -> %s", f.Name, f.Before, f.After)
		if f.Quiet {
			word = "?" + word
		}
		if f.Fixed {
			word = "*" + word
		}
		words = append(words, word)
	}
	return strings.Join(words, ", ")
}

type compareRow struct {
	name       string
	want, have Object
	fields     string
}

func (r compareRow) run(t *testing.T) {
	t.Run(r.name, func(t *testing.T) {
		fields, fixed := Compare(r.want, r.have)
		if got := fieldsText(fields); got != r.fields || fixed != strings.Contains(got, "*") {
			t.Errorf("got  %s, fixed %v\nwant %s", got, fixed, r.fields)
		}
		if fields, _ := Compare(r.want, r.want); len(fields) > 0 {
			t.Errorf("differs from itself: %v", fields)
		}
	})
}

func TestCompareNested(t *testing.T) {
	for _, row := range []compareRow{
		{name: "another type", want: set(), have: box{}, fields: "*type plan.box -> plan.gadget"},
		{name: "the key", want: set(), have: gadget{Name: "h"}},
		{name: "embedded", want: set(with(base{Up: true})), have: set(), fields: "up no -> yes"},
		{name: "unset in what is embedded", want: set(), have: set(with(base{MTU: Some(2)}))},
		{name: "set in what is embedded", want: set(with(base{MTU: Some(1)})), have: set(with(base{MTU: Some(2)})),
			fields: "mtu 2 -> 1"},
		{name: "not known in what is embedded", want: set(with(base{MTU: Some(1)})), have: set(), fields: "mtu unknown -> 1"},
		{name: "embedded in what is embedded", want: set(with(base{deeper: deeper{"a", "b"}})), have: set(),
			fields: "?alias none -> a, *?place none -> b"},
		{name: "held", want: set(spec(tube{ID: 1, Remote: 2})), have: set(spec(tube{ID: 3, Remote: 4})),
			fields: "*id 3 -> 1, remote 4 -> 2"},
		{name: "held and equal", want: set(spec(tube{ID: 1}), with(base{Up: true})), have: set(spec(tube{ID: 1})),
			fields: "up no -> yes"},
		{name: "unset in what is held", want: set(spec(tube{})), have: set(spec(tube{TTL: Some(1)}))},
		{name: "set in what is held", want: set(spec(tube{TTL: Some(64)})), have: set(spec(tube{TTL: Some(1)})),
			fields: "ttl 1 -> 64"},
		{name: "another type held", want: set(spec(tube{ID: 1})), have: set(spec(hook{})), fields: "*?type a hook -> tube"},
		{name: "nothing held", want: set(spec(hook{})), have: set(), fields: "*?type none -> a hook"},
		{name: "nothing wanted", want: set(), have: set(spec(tube{})), fields: "*?type tube -> none"},
		{name: "no struct held", want: set(spec(digit(1))), have: set(spec(digit(2))), fields: "?type #2 -> #1"},
		{name: "compared only when the same", want: set(slave(hook{1})), have: set(slave(hook{2})), fields: "cost 2 -> 1"},
		{name: "not the same", want: set(slave(hook{1})), have: set(slave(tube{}))},
		{name: "not the same as nothing", want: set(slave(hook{1})), have: set()},
		{name: "what the values forbid", want: set(spec(tube{Remote: 1})), have: set(spec(tube{Remote: 100})),
			fields: "*remote 100 -> 1"},
		{name: "what the values allow", want: set(spec(tube{Remote: 100})), have: set(spec(tube{Remote: 1})),
			fields: "remote 1 -> 100"},
		{name: "the values forbid what is equal", want: set(spec(tube{Remote: 100, TTL: Some(2)})),
			have: set(spec(tube{Remote: 100, TTL: Some(1)})), fields: "ttl 1 -> 2"},
	} {
		row.run(t)
	}
}

func TestCompareLists(t *testing.T) {
	for _, row := range []compareRow{
		{name: "sets do not mind the order", want: set(ports(1, 2, 3)), have: set(ports(3, 2, 1, 1))},
		{name: "one more and one less", want: set(ports(1, 2)), have: set(ports(2, 3)),
			fields: "port 3 -> none, port none -> 1"},
		{name: "all go", want: set(), have: set(ports(1, 2)), fields: "port 1 -> none, port 2 -> none"},
		{name: "all come", want: set(ports(1, 2)), have: set(), fields: "port none -> 1, port none -> 2"},
		{name: "elements say what they are called",
			want: set(spec(tube{Keys: NewList(nil, digit(1))})), have: set(spec(tube{})),
			fields: "*key none -> #1"},
		{name: "not managed", want: set(), have: set(path("a"))},
		{name: "not known", want: set(path("a", "b")), have: set(), fields: "path unknown -> a, b"},
		{name: "none, and not known", want: set(path()), have: set(), fields: "path unknown -> none"},
		{name: "in order", want: set(path("a", "b")), have: set(path("a", "b"))},
		{name: "in another order", want: set(path("a", "b")), have: set(path("b", "a")), fields: "path b, a -> a, b"},
		{name: "once more", want: set(path("a", "a")), have: set(path("a")), fields: "path none -> a"},
		{name: "once less, in another order", want: set(path("b", "a")), have: set(path("a", "b", "a")),
			fields: "path a -> none"},
	} {
		row.run(t)
	}
}

// span is an element that stands for all numbers from From up to To.
type span struct{ From, To int }

func (s span) String() string { return fmt.Sprintf("%d-%d", s.From, s.To) }

func (s span) Minus(o span) (left []span) {
	for _, part := range []span{{s.From, min(s.To, o.From)}, {max(s.From, o.To), s.To}} {
		if part.From < part.To {
			left = append(left, part)
		}
	}
	return left
}

type belt struct {
	Name  string
	Spans List[span] `plan:"span"`
}

func (b belt) Key() Key       { return Key{Kind: "belt", Name: b.Name} }
func (belt) Needs() []Key     { return nil }
func (belt) Describe() string { return "" }

// Of elements that stand for several only what the other list does not cover goes or comes.
func TestCompareSpans(t *testing.T) {
	want, have := belt{Spans: NewList(nil, span{1, 9}, span{20, 30})}, belt{Spans: NewList(nil, span{1, 5}, span{6, 22})}
	fields, _ := Compare(want, have)
	if got := fieldsText(fields); got != "span 9-20 -> none, span none -> 5-6, span none -> 22-30" {
		t.Error(got)
	}
}

func TestCompareManagedFields(t *testing.T) {
	other := base{Up: true, MTU: Some(9), deeper: deeper{Alias: "a", Place: "b"}}
	have := set(with(other), spec(tube{ID: 7, Remote: 8, Keys: NewList(nil, digit(1))}), slave(hook{3}), ports(1))
	for _, row := range []compareRow{
		{name: "none", want: set(managed()), have: have},
		{name: "embedded", want: set(managed("up", "place")), have: have, fields: "up yes -> no, *?place b -> none"},
		{name: "held", want: set(managed("remote", "cost"), spec(tube{}), slave(hook{})), have: have,
			fields: "remote 8 -> 0, cost 3 -> 0"},
		{name: "what holds it", want: set(managed("type")), have: have, fields: "*?type tube -> none"},
		{name: "held by another", want: set(managed("remote"), spec(hook{})), have: have},
		{name: "lists", want: set(managed("port", "key"), spec(tube{})), have: have,
			fields: "*key #1 -> none, port 1 -> none"},
		{name: "the have's own do not matter", want: set(), have: set(managed("up"), with(base{Up: true})),
			fields: "up yes -> no"},
	} {
		row.run(t)
	}
}

// An object of which only some attributes are managed is planned for these alone, and is left as it was otherwise.
func TestDiffOfManagedFields(t *testing.T) {
	have := ours(set(with(base{Up: true}), spec(tube{ID: 7}), ports(1, 2)))
	if p := Diff(list(set(managed("up"), with(base{Up: true}))), have, toyOptions()); len(p.Steps) > 0 {
		t.Errorf("in sync, but %s", edges(p))
	}
	p := Diff(list(set(managed("up", "port"), ports(2, 3))), have, toyOptions())
	want := "up yes -> no, port 1 -> none, port none -> 3"
	if edges(p) != "update g" || fieldsText(p.Steps[0].Fields) != want {
		t.Errorf("%s: %s, want %s", edges(p), fieldsText(p.Steps[0].Fields), want)
	}
}

func TestFields(t *testing.T) {
	if NewFields("mtu", "up") != NewFields("up", "mtu", "up") || NewFields() == (Fields{}) {
		t.Error("equal sets are not, or all is none")
	}
	for _, c := range []struct {
		fields Fields
		name   string
		has    bool
	}{
		{Fields{}, "mtu", true}, {NewFields(), "mtu", false}, {NewFields(), "", false},
		{NewFields("ipv4 mtu", "mtus"), "mtu", false},
		{NewFields("mtu"), "mtu", true}, {NewFields("a", "mtu", "up"), "mtu", true}, {NewFields("a", "up"), "mtu", false},
	} {
		if c.fields.Has(c.name) != c.has {
			t.Errorf("%q has %q: %v", c.fields.names, c.name, !c.has)
		}
	}
}

func TestList(t *testing.T) {
	given := []string{"b", "a", "b"}
	set, inOrder := NewList(strings.Compare, given...), NewList(nil, given...)
	for _, c := range []struct {
		list List[string]
		want []string
	}{{set, []string{"a", "b"}}, {inOrder, given}, {List[string]{}, nil}, {NewList[string](nil), nil}} {
		if got := slices.Collect(c.list.All()); !slices.Equal(got, c.want) || c.list.Len() != len(c.want) {
			t.Errorf("%v of length %d, want %v", got, c.list.Len(), c.want)
		}
	}
	if !slices.Equal(given, []string{"b", "a", "b"}) {
		t.Errorf("what was given is now %v", given)
	}
	// As keys of a map they are equal exactly when their elements are.
	count := map[any]int{set: 1, inOrder: 2, NewList(strings.Compare): 3}
	equals := []any{NewList(strings.Compare, "b", "a"), NewList(nil, "b", "a", "b"), List[string]{}}
	for i, equal := range equals {
		if count[equal] != i+1 {
			t.Errorf("%v is not equal to its like", equal)
		}
	}
	given[0] = "c"
	if inOrder != NewList(nil, "b", "a", "b") {
		t.Error("a list changes with what it was made of")
	}
	for range inOrder.All() {
		break
	}
	nils := []error{nil, errors.ErrUnsupported}
	if !slices.Equal(slices.Collect(NewList(nil, nils...).All()), nils) {
		t.Error("a nil is lost")
	}
}

func TestCheckType(t *testing.T) {
	type pointers struct{ P *int }
	type plain struct{ Size int }
	for _, c := range []struct {
		object any
		held   []any
		why    string
	}{
		{object: gadget{}, held: []any{tube{}, hook{}, digit(0)}},
		{object: box{}}, {object: thing{}},
		{object: 7, why: "int is no struct"},
		{object: struct{ Keys []Key }{}, why: "Keys cannot be compared"},
		{object: struct {
			Ports []int `plan:"ports"`
		}{}, why: "Ports cannot be compared"},
		{object: struct {
			Port *int `plan:"port"`
		}{}, why: "Port is compared by its address"},
		{object: struct {
			Port Opt[[2]pointers] `plan:"port"`
		}{}, why: "Port is compared by its address"},
		{object: struct{ plain }{}, why: "plain.Size has no tag"},
		{object: struct{ Spec any }{}, why: "Spec has no tag"},
		{object: struct {
			size int `plan:"size"`
		}{}, why: "size has a tag, and is not exported"},
		{object: struct {
			Size int `plan:",fixed"`
		}{}, why: "Size has a tag without a name"},
		{object: struct {
			Size int `plan:"size,quite"`
		}{}, why: `Size has the unknown option "quite"`},
		{object: struct {
			Size int `plan:"size,same"`
		}{}, why: "Size has the option same, and is of no interface type"},
		{object: struct {
			base
			Size int `plan:"mtu"`
		}{}, why: `Size is a second attribute of the name "mtu"`},
		{object: struct {
			Some Fields `plan:"some"`
		}{}, why: "Some has a tag, and is no attribute"},
		{object: gadget{}, held: []any{plain{}}, why: "plain.Size has no tag"},
		{object: gadget{}, held: []any{base{}}, why: `base.Up is a second attribute of the name "up"`},
		{object: gadget{}, held: []any{&plain{}}, why: "*plan.plain is compared by its address"},
		{object: gadget{}, held: []any{[]int{}}, why: "[]int cannot be compared"},
	} {
		var held []reflect.Type
		for _, h := range c.held {
			held = append(held, reflect.TypeOf(h))
		}
		err := CheckType(reflect.TypeOf(c.object), held...)
		if (err == nil) != (c.why == "") || err != nil && !strings.Contains(err.Error(), c.why) {
			t.Errorf("%T: got %v, want %q", c.object, err, c.why)
		}
	}
}
