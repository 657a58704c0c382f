package reconcile

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/plumbnet/plumb/pkg/kind"
	"github.com/plumbnet/plumb/pkg/plan"
)

// What wants a new bridge to be up comes after the rest of its kind, each section's in its order; nothing passes what is no
// creation, and without a new bridge all stays.
func TestBesideBridgesLast(t *testing.T) {
	bridge := func(ns string) plan.Change {
		return plan.Change{New: kind.Link{NS: ns, Name: "br0", Type: kind.Bridge}}
	}
	address := func(ns string, n byte) plan.Change {
		return plan.Change{New: kind.Address{NS: ns, Dev: "eth0", Prefix: netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 0, 0, n}), 24)}}
	}
	route := func(ns string) plan.Change { return plan.Change{New: kind.Route{NS: ns}} }
	create := func(c plan.Change) batch { return batch{{Action: plan.Create, Changes: []plan.Change{c}}} }
	remove := func(c plan.Change) batch {
		return batch{{Action: plan.Delete, Changes: []plan.Change{{Old: c.New}}}}
	}
	text := func(list []batch) string {
		var words []string
		for _, b := range list {
			words = append(words, fmt.Sprintf("%s %s/%s", b[0].Action, b[0].Key().NS, b[0].Key().Name))
		}
		return strings.Join(words, "\n")
	}
	one, two, three, four := create(address("", 1)), create(address("", 2)), create(address("n1", 3)), create(route("n1"))
	host, gone := create(route("")), remove(address("n1", 4))
	for name, c := range map[string]struct {
		list, want []batch
		first      int
	}{
		"a bridge of the host":      {[]batch{create(bridge("")), one, two, three, host, four, gone}, []batch{create(bridge("")), three, four, one, two, host, gone}, 3},
		"a bridge of a namespace":   {[]batch{create(bridge("n1")), three, one, four}, []batch{create(bridge("n1")), one, three, four}, 2},
		"no bridge":                 {[]batch{one, three, host}, []batch{one, three, host}, 3},
		"a bridge that bears none":  {[]batch{create(bridge("n2")), one, three}, []batch{create(bridge("n2")), one, three}, 3},
		"a bridge that goes":        {[]batch{one, three, remove(bridge(""))}, []batch{one, three, remove(bridge(""))}, 3},
		"a deletion, and more then": {[]batch{create(bridge("")), one, gone, two, three}, []batch{create(bridge("")), one, gone, three, two}, 1},
	} {
		got, first := besideBridgesLast(slices.Clone(c.list))
		if text(got) != text(c.want) || first != c.first {
			t.Errorf("%s: first %d, want %d\n%s\nwant\n%s", name, first, c.first, text(got), text(c.want))
		}
	}
}
