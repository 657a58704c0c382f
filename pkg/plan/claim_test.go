package plan

import "testing"

func TestClaims(t *testing.T) {
	one, two := holding("/k0/a", "1"), holding("/k0/b", "2")
	standing := upon("/k1/x", "/k0/b")
	for _, row := range []afterRow{
		{name: "in sync", want: list(one, two), have: ours(one, two)},
		{name: "nobody has it", want: list(one, two), plan: "create a; create b"},
		{name: "from one that goes to one that comes", want: list(holding("/k0/c", "1")), have: ours(one),
			plan: "delete a | create c"},
		{name: "what needs the one that comes", want: list(needing("/k1/x", "/k0/c"), holding("/k0/c", "1"), at("/k1/y")),
			have: ours(one), plan: "create y | delete a | create c; create x (2)"},
		{name: "to one that is there", want: list(holding("/k0/b", "1")), have: ours(one, two), plan: "delete a | replace b"},
		{name: "from one that stays to one that comes", want: list(holding("/k0/a", "3"), holding("/k0/c", "1")),
			have: ours(one), plan: "replace a; create c (0)"},
		{name: "to one that comes before", want: list(holding("/k0/c", "1"), holding("/k0/a", "3")),
			have: ours(one), plan: "create c frees a; replace a freed (0)"},
		{name: "to one that the holder needs", want: list(holding("/k0/c", "1"),
			tunnel{toy: upon("/k0/a", "/k0/c"), Holds: "/vni/2"}), have: ours(one, two),
			plan: "delete b | create c frees a; replace a freed (1)"},
		{name: "two swap", want: list(holding("/k0/a", "2"), holding("/k0/b", "1")), have: ours(one, two),
			plan: "replace a frees b; replace b freed (0)"},
		{name: "three rotate", want: list(holding("/k0/a", "2"), holding("/k0/b", "3"), holding("/k0/c", "1")),
			have: ours(one, two, holding("/k0/c", "3")),
			plan: "replace a frees b frees c; replace b freed (0); replace c freed (0)"},
		{name: "a row moves up", want: list(holding("/k0/a", "2"), holding("/k0/b", "3"), holding("/k0/c", "4")),
			have: ours(one, two, holding("/k0/c", "3")),
			plan: "replace a frees b frees c; replace b freed (0); replace c freed (0)"},
		{name: "a row moves down", want: list(holding("/k0/a", "0"), holding("/k0/b", "1"), holding("/k0/c", "2")),
			have: ours(one, two, holding("/k0/c", "3")),
			plan: "replace a; replace b (0); replace c (1)"},
		{name: "two swaps",
			want: list(holding("/k0/a", "2"), holding("/k0/b", "1"), holding("n/k0/c", "4"), holding("m/k0/d", "3")),
			have: ours(one, two, holding("n/k0/c", "3"), holding("m/k0/d", "4")),
			plan: "replace a frees b; replace b freed (0); replace n/c frees m/d; replace m/d freed (2)"},
		{name: "one of several", want: list(holding("/k0/a", "1", "2"), holding("/k0/b", "3")),
			have: ours(one, holding("/k0/b", "2", "3")), plan: "replace a frees b; replace b freed (0)"},
		{name: "what falls with it is put back", want: list(holding("/k0/a", "2"), holding("/k0/b", "1"), standing),
			have: ours(one, two, standing), plan: "replace a frees b; replace b freed (0); create x (0 1)"},
		{name: "it falls with what it claims from",
			want: list(holding("/k0/a", "2"), tunnel{toy: upon("/k0/b", "/k0/a"), Holds: "/vni/1"}),
			have: ours(one, tunnel{toy: upon("/k0/b", "/k0/a"), Holds: "/vni/2"}),
			plan: "replace a frees b; replace b freed (0)"},
		{name: "it would have gone with its section", want: list(holding("/k0/c", "1")),
			have: ours(at("/section/n"), tunnel{toy: upon("n/k0/a", "/section/n"), Holds: "/vni/1"}),
			plan: "delete n/a | create c | delete n"},
		{name: "it would have gone with what is replaced", want: list(holding("/k0/a", "1"), shaped(at("/k0/r"))),
			have: ours(at("/k0/r"), tunnel{toy: upon("/k0/c", "/k0/r"), Holds: "/vni/1"}),
			plan: "delete c | create a; replace r"},
		{name: "it goes with what goes", want: list(holding("/k0/c", "1")),
			have: ours(at("/k0/r"), tunnel{toy: upon("/k0/a", "/k0/r"), Holds: "/vni/1"}),
			plan: "delete a; delete r (0) | create c"},
		{name: "two want one", want: list(one, holding("/k0/b", "1")), plan: "create a | create b"},
		{name: "another's claims are no matter", want: list(one, holding("/k0/c", "7")), have: append(ours(one),
			Have{Object: two, Class: Foreign}), plan: "create c"},
	} {
		row.run(t)
	}
}

func TestClaimsInPlace(t *testing.T) {
	for _, row := range []afterRow{
		{name: "changed before it is claimed",
			want: list(open("/k0/a", "2"), open("/k0/c", "1")), have: ours(open("/k0/a", "1")),
			plan: "update a; create c (0)"},
		{name: "changed after", want: list(open("/k0/c", "1"), open("/k0/a", "2")), have: ours(open("/k0/a", "1")),
			plan: "update a | create c"},
		{name: "claimed by one that is there", want: list(open("/k0/a", "2"), open("/k0/b", "1")),
			have: ours(open("/k0/a", "1"), open("/k0/b", "3")), plan: "update a; update b (0)"},
		{name: "two swap", want: list(open("/k0/a", "2"), open("/k0/b", "1")),
			have: ours(open("/k0/a", "1"), open("/k0/b", "2")), plan: "update a frees b; replace b freed (0)"},
		{name: "it stood on what it claims from", want: list(open("/k0/a", "2"), holding("/k0/b", "3")),
			have: ours(port{toy: upon("/k0/a", "/k0/b"), Holds: "/vni/1"}, holding("/k0/b", "2")),
			plan: "create a frees b; replace b freed (0)"},
	} {
		row.run(t)
	}
}

func TestSharedClaims(t *testing.T) {
	for _, row := range []afterRow{
		{name: "one beside another", want: list(sits("/k0/a", 1), sits("/k0/b", 1)), have: ours(sits("/k0/b", 1)),
			plan: "create a"},
		{name: "one that changes for one that comes", want: list(sits("/k0/b", 1), sits("/k0/c", 1)),
			have: ours(sits("/k0/b", 2)), plan: "replace b; create c (0)"},
		{name: "one that changes for one that comes before", want: list(sits("/k0/a", 1), sits("/k0/b", 1)),
			have: ours(sits("/k0/b", 2)), plan: "create a frees b; replace b freed (0)"},
		{name: "two change", want: list(sits("/k0/a", 1), sits("/k0/b", 1)),
			have: ours(sits("/k0/a", 2), sits("/k0/b", 2)), plan: "replace a frees b; replace b freed (0)"},
		{name: "one that goes", want: list(sits("/k0/a", 1)), have: ours(sits("/k0/b", 2)), plan: "delete b | create a"},
	} {
		row.run(t)
	}
}

func TestClaimsOfOthers(t *testing.T) {
	one := holding("/k0/a", "1")
	of := func(c Class, o Object) []Have { return []Have{{Object: o, Class: c}} }
	for _, row := range []afterRow{
		{name: "a foreign holder",
			want: list(at("/k0/b"), holding("/k0/c", "1")), have: of(Foreign, one), plan: "refuse c | create b"},
		{name: "a loose holder", want: list(holding("/k0/c", "1")), have: of(Loose, one), plan: "refuse c"},
		{name: "a loose holder that is declared",
			want: list(holding("/k0/a", "2"), holding("/k0/c", "1")), have: of(Loose, one),
			plan: "replace a; create c (0)"},
		{name: "nothing is freed for what is refused", want: list(holding("/k0/c", "1"), holding("/k0/a", "2")),
			have: append(ours(one), of(Foreign, holding("/k0/f", "2"))...), plan: "refuse a | create c"},
		{name: "what waits to be adopted is not freed",
			want: list(open("/k0/c", "1"), open("/k0/b", "2"), open("/k0/a", "3")),
			have: append(ours(open("/k0/b", "1")), of(Foreign, open("/k0/a", "2"))...), adopt: true,
			plan: "adopt a | create c frees b; replace b freed (1)"},
		{name: "two claims of one holder",
			want: list(holding("/k0/c", "2", "1")), have: of(Foreign, holding("/k0/a", "1", "2")),
			plan: "refuse c"},
		{name: "refused for what is at its key", want: list(holding("/k0/b", "1")),
			have: append(of(Foreign, one), of(Foreign, at("/k0/b"))...), plan: "refuse b"},
		{name: "beside other refusals", want: list(holding("/k0/c", "1"), at("/k0/d")),
			have: append(of(Foreign, one), of(Foreign, at("/k0/d"))...), plan: "refuse d; refuse c"},
		{name: "adopted with its claim", want: list(one), have: of(Foreign, one), adopt: true, plan: "adopt a"},
		{name: "adopted, and gives up its claim", want: list(open("/k0/c", "1"), open("/k0/a", "2")), adopt: true,
			have: of(Foreign, open("/k0/a", "1")), plan: "adopt a | create c"},
		{name: "adopted too late",
			want: list(open("/k0/c", "1"), port{toy: needing("/k0/a", "/k0/r"), Holds: "/vni/2"}, shaped(at("/k0/r"))),
			have: append(ours(at("/k0/r")), of(Foreign, open("/k0/a", "1"))...), adopt: true,
			plan: "refuse c | replace r; adopt a (1)"},
		{name: "held by both", want: list(tunnel{toy: valued(at("/k0/c")), Holds: "/vni/1"}),
			have: append(ours(holding("/k0/c", "1")), of(Foreign, one)...), plan: "update c"},
	} {
		row.run(t)
	}
}

func TestReasonsOfClaims(t *testing.T) {
	swapped := list(holding("/k0/a", "2"), holding("/k0/b", "1"), upon("/k1/x", "/k0/b"))
	p := Diff(swapped, ours(holding("/k0/a", "1"), holding("/k0/b", "2"), upon("/k1/x", "/k0/b")), toyOptions())
	want := "replace a; replace b takes down 1 k1; create x lost with k0 b, added again"
	if got := lines(p); got != want || fieldsText(p.Steps[1].Fields) != "*holds /vni/2 -> /vni/1" {
		t.Errorf("got  %s, %s\nwant %s", got, fieldsText(p.Steps[1].Fields), want)
	}
	p = Diff(list(holding("/k0/c", "1")), []Have{{Object: holding("n/k0/a", "1"), Class: Foreign}}, toyOptions())
	want = "refuse c vni 1 is taken by k0 n a, which does not belong to this topology: remove it, or choose another vni"
	if got := lines(p); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}
