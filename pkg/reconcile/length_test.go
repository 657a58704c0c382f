package reconcile_test

import (
	"strings"
	"testing"

	"github.com/plumbnet/plumb/pkg/plan"
)

// An IPv6 address that another topology or a hand has given another prefix length is taken as the one that is wanted:
// on a link that is adopted it is replaced in one step, and printed with both lengths.
func TestAdoptedLinkHasAddressOfAnotherLength(t *testing.T) {
	l := newLab(t)
	l.sh("ip", "link", "add", "br9", "type", "bridge")
	l.sh("ip", "address", "add", "fd00:9::1/64", "dev", "br9", "nodad")
	topo := l.load("name: taken\nbridges: {br9: {addresses: [\"fd00:9::1/120\"]}}")
	report, err := l.tryApply(topo, adopt)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	text := plan.Text{Name: topo.Name}
	if err := text.WritePlan(&b, report.Plan); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(b.String(), "  ~ address br9 fd00:9::1/120  prefix length /64 -> /120") {
		t.Errorf("the plan does not show both lengths:\n%s", &b)
	}
	if left := l.diff(topo); len(left.Steps) > 0 {
		t.Errorf("%d steps are left", len(left.Steps))
	}
}

// What another topology holds on the host's lo stays its own, whatever prefix length is wanted.
func TestAddressOfAnotherTopologyWithAnotherLength(t *testing.T) {
	l := newLab(t)
	l.apply(l.load("name: one\ninterfaces: {lo: {addresses: [\"fd00:255::1/128\"]}}"))
	p := l.diff(l.load("name: two\ninterfaces: {lo: {addresses: [\"fd00:255::1/64\"]}}"))
	if !p.Refused() || !strings.Contains(p.Steps[0].Reason, "belongs to topology one") {
		t.Errorf("it is not refused: %+v", p.Steps)
	}
}
