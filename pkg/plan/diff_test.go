package plan

import (
	"strings"
	"testing"
)

// The toys: a box, a thing in a box, which falls with it, and a default that boxes take a copy of.

type box struct {
	Name  string
	Size  int    `plan:"size"`
	Shape string `plan:"shape,fixed"`
}

func (b box) Key() Key         { return Key{Kind: "box", Name: b.Name} }
func (b box) Needs() []Key     { return nil }
func (b box) Describe() string { return "" }

type thing struct {
	Box, Name string
	Color     Opt[string] `plan:"color"`
	Weight    int         `plan:"weight,fixed"`
}

func (t thing) Key() Key                  { return Key{NS: t.Box, Kind: "thing", Name: t.Name} }
func (t thing) Needs() []Key              { return []Key{box{Name: t.Box}.Key()} }
func (t thing) Describe() string          { return "" }
func (t thing) On() []Key                 { return t.Needs() }
func (t thing) Sequence() string          { return t.Box }
func (t thing) Join(m []Object) []Object  { return append(m, t) }
func (t thing) Leave(m []Object) []Object { return withoutObject(m, t) }

func (t thing) After(_, now Object, _ World) (Object, bool) { return t, now != nil }

func withoutObject(list []Object, gone Object) []Object {
	var rest []Object
	for _, o := range list {
		if o != gone {
			rest = append(rest, o)
		}
	}
	return rest
}

type setting struct {
	Name  string
	Value string `plan:"value"`
}

func (s setting) Key() Key         { return Key{Kind: "setting", Name: s.Name} }
func (s setting) Needs() []Key     { return nil }
func (s setting) Describe() string { return "" }
func (s setting) Yields() bool     { return true }

func TestDiff(t *testing.T) {
	a, b := box{Name: "a"}, box{Name: "b"}
	x, y, z := thing{Box: "a", Name: "x"}, thing{Box: "a", Name: "y"}, thing{Box: "a", Name: "z"}
	heavy := func(t thing) thing { t.Weight = 9; return t }
	red := func(t thing) thing { t.Color = Some("red"); return t }
	of := func(c Class, o Object) Have { return Have{Object: o, Class: c, Why: "not ours"} }
	for _, test := range []struct {
		name  string
		want  []Object
		have  []Have
		adopt bool
		plan  string
	}{
		{name: "in sync", want: []Object{a, x}, have: ours(a, x)},
		{name: "what is unset is not compared", want: []Object{a, x}, have: ours(a, red(x))},
		{name: "needs come first", want: []Object{x, a}, plan: "create a; create a/x"},
		{name: "in place", want: []Object{box{Name: "a", Size: 2}}, have: ours(a), plan: "update a"},
		{name: "prune", want: []Object{a}, have: ours(a, x, b), plan: "delete a/x gone; delete b gone"},
		{name: "what falls is not deleted by itself", have: ours(a, x), plan: "delete a gone"},
		{name: "replace puts back what falls", want: []Object{box{Name: "a", Shape: "round"}, x, y}, have: ours(a, x, y),
			plan: "replace a takes down 2 things; " +
				"create a/x lost with box a, added again; create a/y lost with box a, added again"},
		{name: "what can be made is made before anything is taken away",
			want: []Object{box{Name: "a", Shape: "round"}, b}, have: ours(a, box{Name: "c"}),
			plan: "create b; delete c gone; replace a"},
		{name: "what needs a replaced box waits", want: []Object{box{Name: "a", Shape: "round"}, x}, have: ours(a),
			plan: "replace a; create a/x"},
		{name: "one out of order", want: []Object{a, x, y, z}, have: ours(a, x, z, y), plan: "replace a/z out of order"},
		{name: "two out of order", want: []Object{a, x, y, z}, have: ours(a, y, z, x),
			plan: "delete a/z out of order; delete a/y out of order; " +
				"create a/y out of order, added again; create a/z out of order, added again"},
		{name: "a new one in the middle", want: []Object{a, x, y, z}, have: ours(a, x, z),
			plan: "create a/y; replace a/z out of order"},
		{name: "a replaced one is the last", want: []Object{a, heavy(x), y}, have: ours(a, x, y),
			plan: "replace a/x; replace a/y out of order"},
		{name: "a setting goes before what is made", want: []Object{a}, have: append(ours(b), of(Ours, setting{Name: "s"})),
			plan: "delete s not ours; create a; delete b gone"},
		{name: "loose and unwanted", want: []Object{a}, have: append(ours(a), of(Loose, x))},
		{name: "loose and wanted", want: []Object{a, red(x)}, have: append(ours(a), of(Loose, x)), plan: "update a/x"},
		{name: "foreign and unwanted", have: []Have{of(Foreign, a)}},
		{name: "foreign and wanted", want: []Object{a}, have: []Have{of(Foreign, a)}, plan: "refuse a not ours"},
		{name: "adopt", want: []Object{box{Name: "a", Size: 2}}, have: []Have{of(Foreign, a)}, adopt: true,
			plan: "adopt a adopted"},
		{name: "adopt what is in sync", want: []Object{a}, have: []Have{of(Foreign, a)}, adopt: true,
			plan: "adopt a adopted"},
		{name: "adopt by a replace", want: []Object{box{Name: "a", Shape: "round"}}, have: []Have{of(Foreign, a)},
			adopt: true,
			plan:  "refuse a cannot be adopted, as it would have to be re-created: shape none -> round"},
	} {
		t.Run(test.name, func(t *testing.T) {
			o := Options{Kinds: []string{"setting", "box", "thing"}, Adopt: test.adopt, Gone: "gone"}
			if got := lines(Diff(test.want, test.have, o)); got != test.plan {
				t.Errorf("got  %s\nwant %s", got, test.plan)
			}
		})
	}
}

// lines writes a plan as "action key reason", with "; " between.
func lines(p Plan) string {
	var list []string
	for _, s := range p.Steps {
		list = append(list, strings.TrimSpace(string(s.Action)+" "+s.Key().Place()+" "+s.Reason))
	}
	return strings.Join(list, "; ")
}
