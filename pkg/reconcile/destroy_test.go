package reconcile_test

import (
	"fmt"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/plumbnet/plumb/pkg/kernel"
	"github.com/plumbnet/plumb/pkg/plan"
	"github.com/plumbnet/plumb/pkg/reconcile"
)

// TestDestroyNames only what does not go with something else that it names.
func TestDestroyNames(t *testing.T) {
	l := newLab(t)
	l.apply(l.load(l.example("docker0.yaml")))
	var lines []string
	for _, s := range l.destroy("docker0").Plan.Steps {
		lines = append(lines, fmt.Sprintf("%s %s", s.Action, s.Key().Label()))
	}
	const want = `delete nat masquerade 192.168.10.0/24
delete link ns1/eth0
delete link br0
delete sysctl net.ipv4.ip_forward
delete namespace ns1`
	if got := strings.Join(lines, "\n"); got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
}

// However often a deletion fails before it succeeds, a destroy that leaves nothing ends well.
func TestDestroyInTheLastRound(t *testing.T) {
	l := newLab(t)
	topo := l.load(oneBridge)
	succeeded := 0
	for n := range 8 {
		l.apply(topo)
		failing, round := n, 0
		_, err := l.tryDestroy(topo.Name, through(&kernel.Seam{Around: func(w kernel.Write, write func() error) error {
			if strings.Contains(w.What, "link br0") && failing > 0 {
				failing--
				return unix.EBUSY
			}
			return write()
		}}), func(o *reconcile.Options) {
			o.Progress = func(o plan.Outcome) { round++ }
		})
		if err == nil && round == 3 {
			succeeded++
		}
		if err != nil && !strings.Contains(err.Error(), "left: delete link br0") {
			t.Errorf("after %d failures, and %d rounds: %v", n, round, err)
		}
		l.destroy(topo.Name)
	}
	if succeeded == 0 {
		t.Error("no destroy ended well in the third round")
	}
}

// TestGroupWithoutAlias: our group alone, on a link that nobody declares, is no stamp; destroy leaves the link, and
// says so.
func TestGroupWithoutAlias(t *testing.T) {
	l := newLab(t)
	l.apply(l.load(l.example("docker0.yaml")))
	l.sh("ip", "link", "set", "br0", "alias", "")
	if _, err := l.tryDestroy("docker0", func(o *reconcile.Options) {}); err != nil {
		t.Error(err)
	}
	l.warned("link br0 has the group of topology docker0, and no alias")
	l.sh("ip", "link", "delete", "br0")
}
