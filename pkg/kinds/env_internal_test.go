package kind

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/plumbnet/plumb/pkg/plan"
)

// A namespace is an object of the host, and belongs to its own section.
func TestWantedIn(t *testing.T) {
	address := func(n byte) Address {
		return Address{NS: "ns1", Dev: "eth0", Prefix: netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 0, 0, n}), 24)}
	}
	ns1, ns2, bridge, end := Namespace{Name: "ns1"}, Namespace{Name: "ns2"}, Link{Name: "br0"}, Link{NS: "ns1", Name: "eth0"}
	var e Env
	e.SetWant([]plan.Object{ns1, ns2, bridge, end, address(2), address(1)}, nil)
	all := []string{"", "ns1", "ns2"}
	for _, test := range []struct {
		in   []string
		want []plan.Object
	}{
		{[]string{""}, []plan.Object{bridge}},
		{[]string{"ns1"}, []plan.Object{ns1, end, address(2), address(1)}},
		{[]string{"ns2", ""}, []plan.Object{ns2, bridge}},
		{[]string{"ns3"}, nil},
		{all, []plan.Object{ns1, ns2, bridge, end, address(2), address(1)}},
	} {
		has := func(ns string) bool { return slices.Contains(test.in, ns) }
		if got := e.WantedIn(has); !slices.Equal(got, test.want) {
			t.Errorf("in %q are wanted %v, not %v", test.in, got, test.want)
		}
		if got := e.WantedOf(test.in[0]); len(test.in) == 1 && !slices.Equal(got, test.want) {
			t.Errorf("of %q are wanted %v, not %v", test.in, got, test.want)
		}
		if got := e.WantsElsewhere(has); got == (len(test.in) == len(all)) {
			t.Errorf("beside %q something is wanted: %v", test.in, got)
		}
	}
}
