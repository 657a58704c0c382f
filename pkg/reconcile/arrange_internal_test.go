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

// What waits for namespaces comes when they are there, and not before what it needs; what wants a new bridge to be up
// comes last. A changed address moves as a new one does. Nothing passes a deletion, a replacement, or what changes a
// link or a parameter, and where nothing waits all stays.
func TestArrange(t *testing.T) {
	create := func(o plan.Object) batch { return batch{{Action: plan.Create, Changes: []plan.Change{{New: o}}}} }
	remove := func(o plan.Object) batch { return batch{{Action: plan.Delete, Changes: []plan.Change{{Old: o}}}} }
	alter := func(action plan.Action, o plan.Object) batch {
		return batch{{Action: action, Changes: []plan.Change{{Old: o, New: o}}}}
	}
	bridge := func(ns string) batch { return create(kind.Link{NS: ns, Name: "br0", Type: kind.Bridge}) }
	address := func(ns string, n byte) kind.Address {
		return kind.Address{NS: ns, Dev: "eth0", Prefix: netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 0, 0, n}), 24)}
	}
	cable := func(ns1, ns2 string) batch {
		return batch{{Action: plan.Create, Changes: []plan.Change{
			{New: kind.Link{NS: ns1, Name: "eth0", Type: kind.Veth, Peer: ns2 + "/eth1"}},
			{New: kind.Link{NS: ns2, Name: "eth1", Type: kind.Veth, Peer: ns1 + "/eth0"}},
		}}}
	}
	sysctl := func(ns, name string) batch { return create(kind.Sysctl{NS: ns, Name: name, Value: "1"}) }
	text := func(list []batch) string {
		var words []string
		for _, b := range list {
			words = append(words, fmt.Sprintf("%s %s %s/%s", b[0].Action, b[0].Key().Kind, b[0].Key().NS, b[0].Key().Name))
		}
		return strings.Join(words, "\n")
	}
	one, two, three, four := create(address("", 1)), create(address("", 2)), create(address("n1", 3)), create(kind.Route{NS: "n1"})
	host, gone := create(kind.Route{}), remove(address("n1", 4))
	ab, bc, ca := cable("a", "b"), cable("b", "c"), cable("c", "a")
	onA, onB := create(address("a", 1)), create(address("b", 2))
	onEnd, below := sysctl("a", "net.ipv4.conf.eth0.rp_filter"), sysctl("b", kind.Forwarding4)
	switched := sysctl("", kind.Forwarding4)
	changed, moved := alter(plan.Update, address("a", 5)), alter(plan.Update, kind.Link{NS: "b", Name: "eth2"})
	again, tuned := alter(plan.Replace, address("b", 6)), alter(plan.Update, below[0].Changes[0].New)
	for name, c := range map[string]struct {
		namespaces []string // in the order in which they are made beside the batches
		list, want []batch
		flooded    int
	}{
		"a bridge of the host":      {nil, []batch{bridge(""), one, two, three, host, four, gone}, []batch{bridge(""), three, four, one, two, host, gone}, 3},
		"a bridge of a namespace":   {nil, []batch{bridge("n1"), three, one, four}, []batch{bridge("n1"), one, three, four}, 2},
		"no bridge":                 {nil, []batch{one, three, host}, []batch{one, three, host}, 3},
		"a bridge that bears none":  {nil, []batch{bridge("n2"), one, three}, []batch{bridge("n2"), one, three}, 3},
		"a bridge that goes":        {nil, []batch{one, three, remove(bridge("")[0].Changes[0].New)}, []batch{one, three, remove(bridge("")[0].Changes[0].New)}, 3},
		"a deletion, and more then": {nil, []batch{bridge(""), one, gone, two, three}, []batch{bridge(""), one, gone, three, two}, 1},

		"an address, while others are to come": {[]string{"a", "b", "c"}, []batch{ab, bc, onA, onB}, []batch{ab, onA, bc, onB}, 4},
		"an address waits for all links":       {[]string{"a", "b", "c"}, []batch{ab, bc, ca, onA, onB}, []batch{ab, bc, ca, onA, onB}, 5},
		"a parameter of a link":                {[]string{"a", "b", "c"}, []batch{bc, ab, onEnd, onA}, []batch{ab, onEnd, onA, bc}, 4},
		"a parameter before the links":         {[]string{"c", "b", "a"}, []batch{below, ab, bc}, []batch{below, bc, ab}, 3},
		"a changed address":                    {[]string{"a", "b", "c"}, []batch{bc, changed, ab, onA}, []batch{changed, ab, onA, bc}, 4},
		"a changed link":                       {[]string{"a", "b", "c"}, []batch{bc, moved, ab, onA}, []batch{bc, moved, ab, onA}, 4},
		"a changed parameter":                  {[]string{"a", "b", "c"}, []batch{bc, tuned, ab, onA}, []batch{bc, tuned, ab, onA}, 4},
		"a replaced address":                   {[]string{"a", "b", "c"}, []batch{bc, onB, again, onA}, []batch{bc, onB, again, onA}, 4},
		"a bridge of a namespace to come":      {[]string{"a", "b", "c"}, []batch{bridge("b"), ab, bc, onA, onB}, []batch{bridge("b"), ab, onA, bc, onB}, 4},
		"a switch of the host":                 {[]string{"a", "b", "c"}, []batch{below, switched, sysctl("a", kind.Forwarding4)}, []batch{below, switched, sysctl("a", kind.Forwarding4)}, 3},
	} {
		a := &ahead{steps: make([]plan.Step, len(c.namespaces)), at: make(map[plan.Key]int)}
		for i, ns := range c.namespaces {
			a.at[kind.NamespaceKey(ns)] = i
		}
		got, flooded := arrange(slices.Clone(c.list), a.needed)
		if text(got) != text(c.want) || flooded != c.flooded {
			t.Errorf("%s: flooded %d, want %d\n%s\nwant\n%s", name, flooded, c.flooded, text(got), text(c.want))
		}
	}
}
