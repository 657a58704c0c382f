package reconcile_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/plumbnet/plumb/pkg/battery/host"
	"github.com/plumbnet/plumb/pkg/kernel"
	"github.com/plumbnet/plumb/pkg/plan"
	"github.com/plumbnet/plumb/pkg/reconcile"
)

// crowdPorts is more than a bridge may have before plumb takes more care of it.
const crowdPorts = 130

// crowd is a bridge with that many ports.
func crowd() string {
	var b strings.Builder
	b.WriteString("name: crowd\nbridges: {br0: {addresses: [10.1.0.1/16]}}\nnamespaces:\n")
	for i := range crowdPorts {
		fmt.Fprintf(&b, "  c%d:\n    interfaces: {eth0: {bridge: br0, addresses: [10.1.1.%d/16]}}\n", i, i)
		fmt.Fprintf(&b, "    routes: [{to: default, via: 10.1.0.1}]\n")
	}
	return b.String()
}

// noting writes down the writes of a run.
func noting(list *[]string) func(*reconcile.Options) {
	return through(&kernel.Seam{Around: func(w kernel.Write, write func() error) error {
		*list = append(*list, w.String())
		return write()
	}})
}

// failing fails the write of that name, and makes it nevertheless.
func failing(what string) func(*reconcile.Options) {
	return through(&kernel.Seam{Around: func(w kernel.Write, write func() error) error {
		if err := write(); w.What == what {
			return errors.Join(err, errInjected)
		} else {
			return err
		}
	}})
}

const (
	bridgeUp   = "bring up link br0"
	bridgeDown = "take down link br0"
	snoopAgain = "finish link br0"
	lastRoute  = "add route default"
)

// snoops says whether br0 looks into what it floods.
func (l *lab) snoops() bool {
	return strings.Contains(l.sh("ip", "-d", "link", "show", "br0"), " mcast_snooping 1 ")
}

// A bridge with a crowd of ports comes up after them, with multicast snooping off until then, and is taken down before
// they go.
func TestCrowd(t *testing.T) {
	l := newLab(t)
	topo := l.load(crowd())
	var writes []string
	l.apply(topo, noting(&writes))
	l.converged(topo)
	if !l.snoops() {
		t.Error("multicast snooping stayed off")
	}
	up := slices.Index(writes, bridgeUp)
	if up < 0 || !slices.Contains(writes[up:], snoopAgain) {
		t.Errorf("the bridge came up otherwise:\n%s", strings.Join(writes, "\n"))
	}
	for _, w := range writes[up+1:] {
		if strings.HasPrefix(w, "create link") {
			t.Errorf("%q after the bridge came up", w)
		}
	}
	l.inNS("c0", "ping", "-c1", "-W5", "10.1.1.129")
	l.inNS("c129", "ping", "-c1", "-W5", "10.1.0.1")

	writes = nil
	if _, err := l.tryDestroy(topo.Name, noting(&writes)); err != nil || !slices.Contains(writes, bridgeDown) {
		t.Errorf("%v; the bridge went otherwise:\n%s", err, strings.Join(writes, "\n"))
	}
	l.restored("after destroy", l.base.Text)
}

// What went well and is changed by somebody before it is read is found and mended.
func TestCrowdVerified(t *testing.T) {
	l := newLab(t)
	topo := l.load(crowd())
	report, err := l.tryApply(topo, through(&kernel.Seam{Around: func(w kernel.Write, write func() error) error {
		if err := write(); w.NS != "c99" || w.What != lastRoute {
			return err
		}
		return host.Run("ip", "-n", "c0", "address", "flush", "dev", "eth0", "scope", "global")
	}}))
	if err != nil || !slices.ContainsFunc(report.Outcomes, func(o plan.Outcome) bool { return o.Unplanned }) {
		t.Errorf("%v, want an address that was put back\n%s", err, outcomes(report))
	}
	l.inSync(topo)
}

// A failure or a death on the way leaves a bridge that is as it was, or is made right by the next run.
func TestCrowdInterrupted(t *testing.T) {
	l := newLab(t)
	text := crowd()
	topo := l.load(text)
	before := l.settle()
	if _, err := l.tryApply(topo, failing(snoopAgain)); !errors.Is(err, reconcile.ErrRolledBack) {
		t.Errorf("%v, want ErrRolledBack", err)
	}
	l.restored("after the rollback", before)

	var writes []string
	l.apply(topo, noting(&writes))
	l.destroy(topo.Name)
	l.sacrifice(order{Name: topo.Name, File: text, Die: int64(slices.Index(writes, snoopAgain) + 1)})
	if l.snoops() {
		t.Error("multicast snooping is on before its write")
	}
	if p := planText(l.diff(topo)); !strings.Contains(p, "mcast-snooping no -> yes") {
		t.Errorf("the plan does not turn on multicast snooping:\n%s", p)
	}
	l.apply(topo)
	l.converged(topo)

	without := l.load("{name: crowd, namespaces: {c0: {}}}")
	if _, err := l.tryApply(without, failing(bridgeDown)); !errors.Is(err, reconcile.ErrRolledBack) {
		t.Errorf("%v, want ErrRolledBack", err)
	}
	l.inSync(topo)
	if _, err := l.tryDestroy(topo.Name, failing(bridgeDown)); err != nil { // it goes on, and comes to its end
		t.Error(err)
	}
	l.restored("after destroy", before)
}
