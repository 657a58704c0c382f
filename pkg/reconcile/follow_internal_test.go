package reconcile

import (
	"fmt"
	"slices"
	"testing"

	"github.com/plumbnet/plumb/pkg/kind"
)

// A run is done with a namespace when nothing more is written to it nor to its neighbours, and their bridges are up; never with the host,
// which is one for all. What is as it will be at the end only is left for the look.
func TestDoneWith(t *testing.T) {
	at := func(ns string) batch { return create(address(ns, 1)) }
	ab, bc := cable("a", "b"), cable("b", "c")
	port := cable("", "a")
	host := create(kind.Route{})
	gone := remove(kind.Namespace{Name: "x"})
	for name, c := range map[string]struct {
		list []batch
		want [][]string
	}{
		"ports of a bridge":            {[]batch{port, at("a"), host, at("")}, [][]string{{}, {"a"}, {}, {}}},
		"a line":                       {[]batch{ab, bc, at("a"), at("b"), at("c"), host}, [][]string{{}, {}, {}, {"a"}, {"b", "c"}, {}}},
		"ends without addresses":       {[]batch{ab, at("c"), host}, [][]string{{"a", "b"}, {"c"}, {}}},
		"a bridge comes up":            {[]batch{bridge("b"), ab, at("a"), at("b"), host}, [][]string{{}, {}, {}, {"a", "b"}, {}}},
		"a bridge comes up at the end": {[]batch{bridge("b"), ab, bc, at("a"), host}, [][]string{{}, {}, {}, {}, {}}},
		"a namespace with nothing":     {[]batch{create(kind.Namespace{Name: "a"}), host}, [][]string{{"a"}, {}}},
		"a parameter after that":       {[]batch{at("a"), sysctl("a", "x"), host}, [][]string{{}, {"a"}, {}}},
		"a namespace goes":             {[]batch{at("a"), gone, at("b"), host}, [][]string{{}, {"a"}, {"b"}, {}}},
		"nothing comes after it":       {[]batch{at("a")}, [][]string{{}}},
		"nothing":                      {nil, nil},
	} {
		got := doneWith(c.list)
		for _, names := range got {
			slices.Sort(names)
		}
		if fmt.Sprint(got) != fmt.Sprint(c.want) {
			t.Errorf("%s: done with %v, want %v", name, got, c.want)
		}
	}
}

// A follower that is told of nothing more gives what it has read, once, and after a failure nothing.
func TestFollowNothing(t *testing.T) {
	var r run
	if f := r.follow([]batch{create(address("a", 1))}, nil); f != nil {
		t.Error("a run of one batch is followed")
	}
	var none *follower
	none.after(0)
	if read := none.finish(true); read != nil {
		t.Errorf("nothing has read %v", read)
	}
}
