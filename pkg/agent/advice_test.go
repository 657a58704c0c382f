package agent

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/plumbnet/plumb/pkg/kinds"
	"github.com/plumbnet/plumb/pkg/link"
	"github.com/plumbnet/plumb/pkg/plan"
)

// TestAdvice holds that what the host's own manager of links contests is told with the lines that end it, by the names
// of the links, and nothing else is.
func TestAdvice(t *testing.T) {
	br0, port := link.Link{Name: "br0"}, link.Link{Name: "br0.1"}
	on := func(ns string) kinds.Address {
		return kinds.Address{NS: ns, Dev: "br0", Prefix: netip.MustParsePrefix("10.0.0.1/24")}
	}
	const (
		networkd = "pid 12 (systemd-network)"
		manager  = "pid 13 (NetworkManager)"
		ofBridge = "systemd-networkd leaves br0 alone with the lines [Match], Name=br0, [Link], Unmanaged=yes in " +
			"/etc/systemd/network/00-plumb.network, after 'networkctl reload'"
	)
	for _, test := range []struct {
		name    string
		what    What
		by      []string
		objects []plan.Object
		want    []string
	}{
		{"networkd", Contested, []string{networkd}, []plan.Object{br0}, []string{ofBridge}},
		{"an address", Contested, []string{"pid 1 (ip)", networkd}, []plan.Object{on("")}, []string{ofBridge}},
		{"a rule", Contested, []string{networkd}, []plan.Object{kinds.Rule{}}, []string{
			"systemd-networkd leaves rules alone with the lines [Network], ManageForeignRoutingPolicyRules=no in " +
				"/etc/systemd/networkd.conf.d/plumb.conf, after 'systemctl restart systemd-networkd'"}},
		{"NetworkManager", Contested, []string{manager}, []plan.Object{port, br0, on(""), kinds.Rule{}}, []string{
			"NetworkManager leaves br0, br0.1 alone with the lines [keyfile], " +
				"unmanaged-devices=interface-name:br0;interface-name:br0.1 in /etc/NetworkManager/conf.d/plumb.conf, " +
				"after 'systemctl reload NetworkManager'"}},
		{"once", Healed, []string{networkd}, []plan.Object{br0}, nil},
		{"a person", Contested, []string{"pid 1 (ip)"}, []plan.Object{br0}, nil},
		{"nobody knows", Contested, nil, []plan.Object{br0}, nil},
		{"in a namespace", Contested, []string{networkd}, []plan.Object{on("ns1")}, nil},
	} {
		e := Event{What: test.what, By: test.by}
		for _, o := range test.objects {
			e.Outcomes = append(e.Outcomes, plan.Outcome{Step: plan.Step{Changes: []plan.Change{{Old: o}}}})
		}
		if got := e.Advice(); !slices.Equal(got, test.want) {
			t.Errorf("%s:\n%q, want\n%q", test.name, got, test.want)
		}
	}
}
