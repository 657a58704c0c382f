package kind

import (
	"maps"
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
	for ns, want := range map[string][]plan.Object{
		"": {bridge}, "ns1": {ns1, end, address(2), address(1)}, "ns2": {ns2}, "ns3": nil,
	} {
		got := e.WantedIn(func(name string) bool { return name == ns })
		if !maps.Equal(count(got), count(want)) {
			t.Errorf("in %q are wanted %v, not %v", ns, got, want)
		}
		if first := slices.Index(got, plan.Object(address(2))); ns == "ns1" && got[first+1] != plan.Object(address(1)) {
			t.Errorf("the order of addresses is lost: %v", got)
		}
	}
}

func count(list []plan.Object) map[plan.Object]int {
	n := make(map[plan.Object]int)
	for _, o := range list {
		n[o]++
	}
	return n
}
