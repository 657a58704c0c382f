package plan

import "testing"

// TestWithout holds that a plan without some steps lacks what can't be taken then, and keeps the order of the rest.
func TestWithout(t *testing.T) {
	for _, row := range []struct {
		name  string
		want  []Object
		have  []Have
		leave string
		plan  string
	}{
		{name: "one that nothing needs", want: list(at("/k0/a"), at("/k0/b")), leave: "/k0/a", plan: "create b"},
		{name: "with what needs it", want: list(at("/k0/a"), needing("/k0/b", "/k0/a"), needing("/k0/c", "/k0/b"), at("/k0/d")),
			leave: "/k0/a", plan: "create d"},
		{name: "what needs another keeps its place", want: list(at("/k0/a"), at("/k0/b"), needing("/k0/c", "/k0/b")),
			leave: "/k0/a", plan: "create b; create c (0)"},
		{name: "a deletion", have: ours(at("n/k0/a"), toy{At: "m/k0/b", Standing: "n/k0/a", Weak: true}),
			leave: "m/k0/b", plan: "delete n/a"},
		{name: "the middle of a chain", have: ours(toy{At: "n/k0/a"}, toy{At: "m/k0/b", Standing: "n/k0/a", Weak: true},
			toy{At: "o/k0/c", Standing: "m/k0/b", Weak: true}), leave: "m/k0/b", plan: "delete o/c; delete n/a (0)"},
	} {
		p := Diff(row.want, row.have, toyOptions())
		rest := p.Without(func(s Step) bool { return s.Key() == keysIn(row.leave)[0] })
		if got := edges(rest); got != row.plan {
			t.Errorf("%s: got %q, want %q; all is %q", row.name, got, row.plan, edges(p))
		}
	}
}
