package plan

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// afterRow is a row of a table on [Step.After]. The plan is written as its steps, with those that each comes after, and
// a bar between phases.
type afterRow struct {
	name  string
	want  []Object
	have  []Have
	plan  string
	adopt bool
}

func (r afterRow) run(t *testing.T) {
	t.Run(r.name, func(t *testing.T) {
		o := toyOptions()
		o.Adopt = r.adopt
		if got := edges(Diff(r.want, r.have, o)); got != r.plan {
			t.Errorf("got  %s\nwant %s", got, r.plan)
		}
	})
}

func TestAfterByKeys(t *testing.T) {
	for _, row := range []afterRow{
		{name: "of one kind", want: list(at("/k0/a"), at("/k0/b")), plan: "create a; create b"},
		{name: "a need", want: list(at("/k0/a"), needing("/k0/b", "/k0/a")), plan: "create a; create b (0)"},
		{name: "a need in another section", want: list(at("n/k1/a"), needing("m/k0/b", "n/k1/a")),
			plan: "create n/a; create m/b (0)"},
		{name: "what it will stand on", want: list(at("n/k0/a"), toy{At: "m/k0/b", Standing: "n/k0/a"}),
			plan: "create n/a; create m/b (0)"},
		{name: "a change of what is needed", want: list(valued(at("/k0/a")), needing("/k0/b", "/k0/a")),
			have: ours(at("/k0/a")), plan: "update a; create b (0)"},
		{name: "what stands is deleted first",
			have: ours(toy{At: "n/k0/a"}, toy{At: "m/k0/b", Standing: "n/k0/a", Weak: true}),
			plan: "delete m/b; delete n/a (0)"},
		{name: "what falls is put back after what it stands on", want: list(shaped(at("n/k0/a")), upon("m/k0/b", "n/k0/a")),
			have: ours(at("n/k0/a"), upon("m/k0/b", "n/k0/a")), plan: "replace n/a; create m/b (0)"},
		{name: "what stood on it alone when it fell", want: list(shaped(at("n/k0/a")), hidden(at("m/k0/b"))),
			have: ours(at("n/k0/a"), upon("m/k0/b", "n/k0/a")), plan: "replace n/a; create m/b (0)"},
		{name: "what falls with what falls", want: list(shaped(at("n/k0/a")), hidden(at("o/k0/c"))),
			have: append(ours(at("n/k0/a"), upon("o/k0/c", "m/k0/b")), Have{Object: upon("m/k0/b", "n/k0/a"), Class: Loose}),
			plan: "replace n/a; create o/c (0)"},
		{name: "what changes with it", want: list(shaped(at("n/k0/a")), toy{At: "m/k0/b", Value: 1}),
			have: ours(at("n/k0/a"), toy{At: "m/k0/b", Standing: "n/k0/a", Value: 1, Weak: true}),
			plan: "replace n/a; update m/b (0)"},
		{name: "what it reports to",
			have: ours(toy{At: "n/k0/a", Standing: "x/y/z", Weak: true}, toy{At: "m/k0/b", Bearing: "x/y/z"}),
			plan: "delete m/b; delete n/a (0)"},
		{name: "two that report to one key",
			have: ours(toy{At: "n/k0/a", Bearing: "x/y/z"}, toy{At: "m/k0/b", Bearing: "x/y/z"}),
			plan: "delete m/b; delete n/a (0)"},
		{name: "a report of what stays is none",
			want: list(toy{At: "n/k0/a", Value: 1, Bearing: "x/y/z"}, toy{At: "m/k0/b", Value: 1, Bearing: "x/y/z"}),
			have: ours(toy{At: "n/k0/a", Bearing: "x/y/z"}, toy{At: "m/k0/b", Bearing: "x/y/z"}),
			plan: "update n/a; update m/b"},
	} {
		row.run(t)
	}
}

func TestAfterBySequence(t *testing.T) {
	x, y, z := thing{Box: "a", Name: "x"}, thing{Box: "a", Name: "y"}, thing{Box: "a", Name: "z"}
	for _, row := range []afterRow{
		{name: "a sequence", want: list(box{Name: "a"}, x, y, z),
			plan: "create a; create a/x (0); create a/y (0 1); create a/z (0 2)"},
		{name: "one key", want: list(box{Name: "a"}, x, y, z), have: ours(box{Name: "a"}, y, z, x),
			plan: "delete a/z; delete a/y (0); create a/y (1); create a/z (0 2)"},
	} {
		row.run(t)
	}
}

func TestAfterByKinds(t *testing.T) {
	for _, row := range []afterRow{
		{name: "kinds of a section", want: list(at("n/k0/a"), at("n/k1/b"), at("n/k2/c"), at("m/k1/d"), at("m/k2/e")),
			plan: "create n/a; create n/b (0); create m/d; create n/c (1); create m/e (2)"},
		{name: "kinds of a section, backwards", have: ours(at("n/k0/a"), at("n/k1/b"), at("m/k1/d")),
			plan: "delete m/d; delete n/b; delete n/a (1)"},
		{name: "many after many",
			want: list(at("/k0/a"), at("/k0/b"), at("/k0/c"), at("/k0/d"), at("/k0/e"), at("/k1/f"), at("/k1/g")),
			plan: "create a; create b; create c; create d; create e; create f (0 1 2 3 4); create g (5)"},
		{name: "many after few", want: list(at("/k0/a"), at("/k0/b"), at("/k1/c"), at("/k1/d"), at("/k1/e")),
			plan: "create a; create b; create c (0 1); create d (0 1); create e (0 1)"},
		{name: "a pair is in two sections",
			want: append(halves("n/k1/a", "m/k1/b"), at("n/k0/c"), at("m/k0/d"), at("m/k2/e"), at("o/k2/f")),
			plan: "create n/c; create m/d; create m/b (0 1); create m/e (2); create o/f"},
		{name: "a pair in one section", want: append(halves("n/k1/a", "n/k1/b"), at("n/k1/c"), at("n/k2/d")),
			plan: "create n/a; create n/c; create n/d (0 1)"},
		{name: "a pair after many",
			want: append(halves("/k1/a", "/k1/b"), at("/k0/c"), at("/k0/d"), at("/k0/e"), at("/k0/f"), at("/k0/g")),
			plan: "create c; create d; create e; create f; create g; create a (0 1 2 3 4)"},
		{name: "a section is made first, and nothing else waits for it",
			want: list(at("/section/n"), at("n/k0/a"), at("/k0/b")),
			plan: "create n; create n/a (0); create b"},
		{name: "what a new section inherits", want: list(at("/section/n"), at("/section/m"), at("/inherited/a"), at("/k0/b")),
			plan: "create n; create m; create a (0 1); create b (2)"},
		{name: "what a section has itself", want: list(at("/section/n"), at("n/inherited/a"), at("/section/m")),
			plan: "create n; create m; create n/a (0)"},
		{name: "a section that is there inherits nothing", want: list(valued(at("/section/n")), at("/inherited/a")),
			have: ours(at("/section/n")), plan: "update n; create a"},
		{name: "phases", want: list(at("/k0/a"), shaped(at("/k0/c"))),
			have: ours(setting{Name: "s"}, at("/k0/b"), at("/k0/c"), at("/section/n")),
			plan: "delete s | create a | delete b | replace c | delete n"},
		{name: "what an earlier phase changed", want: list(toy{At: "m/k0/b", Value: 1}),
			have: ours(at("n/k0/a"), toy{At: "m/k0/b", Standing: "n/k0/a", Value: 1, Weak: true}),
			plan: "delete n/a | update m/b"},
		{name: "a refusal", want: list(at("/k0/a"), at("/k0/b")), have: []Have{{Object: at("/k0/a"), Class: Foreign}},
			plan: "refuse a | create b"},
	} {
		row.run(t)
	}
}

func toyOptions() Options {
	return Options{
		Kinds: []string{"section", "inherited", "setting", "box", "k0", "k1", "k2", "thing"}, Last: []string{"section"},
		Namespaces: "section", Inherited: []string{"inherited"},
	}
}

func edges(p Plan) string {
	var b strings.Builder
	for i, s := range p.Steps {
		switch {
		case i == 0:
		case s.Phase == p.Steps[i-1].Phase:
			b.WriteString("; ")
		default:
			b.WriteString(" | ")
		}
		fmt.Fprintf(&b, "%s %s", s.Action, s.Key().Place())
		if s.Freed {
			b.WriteString(" freed")
		}
		for _, o := range s.Frees {
			b.WriteString(" frees " + o.Key().Place())
		}
		if len(s.After) > 0 {
			fmt.Fprintf(&b, " (%s)", strings.Trim(fmt.Sprint(s.After), "[]"))
		}
	}
	return b.String()
}

// The edges of a plan grow with its steps, whichever of its sections is large.
func TestAfterIsLinear(t *testing.T) {
	const n = 1000
	var want []Object
	for i := range n {
		link, ns := fmt.Sprintf("/k1/%d", i), fmt.Sprintf("n%d", i)
		want = append(want, toy{At: "/section/" + ns}, toy{At: fmt.Sprintf("/inherited/%d", i)},
			toy{At: link, Needing: "/k0/bridge", Standing: "/k0/bridge"}, toy{At: fmt.Sprintf("/k2/%d", i), Needing: link},
			toy{At: ns + "/k1/a"}, toy{At: ns + "/k2/a", Needing: ns + "/k1/a"})
	}
	want = append(want, toy{At: "/k0/bridge"})
	anew := slices.Clone(want)
	anew[len(anew)-1] = toy{At: "/k0/bridge", Shape: 1}
	for name, p := range map[string]Plan{
		"create": Diff(want, nil, toyOptions()), "replace": Diff(anew, ours(want...), toyOptions()),
		"destroy": Diff(nil, ours(want...), toyOptions()),
	} {
		count := 0
		for i, s := range p.Steps {
			count += len(s.After)
			if !slices.IsSorted(s.After) || len(s.After) > 0 && s.After[len(s.After)-1] >= i {
				t.Errorf("%s: step %d comes after %v", name, i, s.After)
			}
		}
		t.Logf("%s: %d steps, %d edges", name, len(p.Steps), count)
		if count > 4*len(p.Steps) || count == 0 {
			t.Errorf("%s: %d edges of %d steps", name, count, len(p.Steps))
		}
	}
}
