package reconcile_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/plumbnet/plumb/pkg/battery/host"
	"github.com/plumbnet/plumb/pkg/kernel"
	"github.com/plumbnet/plumb/pkg/reconcile"
	"github.com/plumbnet/plumb/pkg/topology"
)

// unconfirmed lets an apply end in a rollback after all that it does.
func unconfirmed(o *reconcile.Options) { o.ConfirmWithin = time.Microsecond }

// hostRecord is the text of the host record, empty for none.
func hostRecord(t testing.TB) string {
	t.Helper()
	var all []byte
	files, err := filepath.Glob("/run/plumb/*/host.json")
	for _, name := range files {
		b, fault := os.ReadFile(name)
		all, err = append(all, b...), errors.Join(err, fault)
	}
	if err != nil {
		t.Fatal(err)
	}
	return string(all)
}

// TestRollbackFromDrift holds that an apply that fails, or that nobody confirms, leads back to exactly what it found,
// whatever a hand had made of that: to the same host, and to the same host record.
func TestRollbackFromDrift(t *testing.T) {
	if host.InParts(t) {
		return
	}
	l := newLab(t)
	topo, edited := l.load(drifting), l.load(editedDrifting())
	l.apply(topo)
	pure := l.settle()
	for _, d := range host.Share(t, slices.Concat(linkDrifts, addressDrifts, routeDrifts, otherDrifts)) {
		t.Run(d.name, func(t *testing.T) {
			sub := *l
			sub.TB = t
			sub.drift(d)
			before := l.rest()
			if d.passes {
				before = pure
			}
			sub.undone("healed and unconfirmed", topo, before, unconfirmed)
			sub.undone("edited and unconfirmed", edited, before, unconfirmed)
			sub.undone("a late write of an edit failed", edited, before, through(lateFault()))
		})
		if _, err := l.tryApply(topo); err != nil || l.settle() != pure { // begin anew for those that follow
			_, _ = l.tryDestroy(topo.Name)
			l.apply(topo)
			l.settle()
		}
	}
}

// editedDrifting changes something of each kind.
func editedDrifting() string {
	return strings.NewReplacer(
		"br0: {addresses: [192.168.10.1/24, 192.168.10.2/24,",
		"br0: {stp: true, mac: \"02:00:00:00:00:01\", addresses: [10.45.0.1/24, 192.168.10.2/24, 192.168.10.1/24,",
		"  br1: {}\n", "  br1: {mtu: 1400}\n  br2: {addresses: [10.44.0.1/24]}\n",
		"        addresses: [192.168.10.11/24,", "        mtu: 1400\n        addresses: [10.46.0.1/24, 192.168.10.11/24,",
		"{peer: ns2/eth1, addresses: [10.0.0.1/30,",
		"{peer: ns2/eth1, mac: \"02:00:00:00:00:02\", addresses: [10.0.0.1/29,",
		"{to: 10.8.0.0/16, type: blackhole}", "{to: 10.8.0.0/16, type: prohibit}",
		"      - {to: 10.7.0.0/16, via: 10.0.0.2, src: 10.255.0.1}\n", "",
		"via: 192.168.10.1, metric: 7", "via: 10.0.0.2, metric: 7",
		"rp_filter: 2", "rp_filter: 1", "nat:\n", "nat:\n  - {masquerade: 10.44.0.0/24}\n",
	).Replace(drifting)
}

// undone says that an apply rolls back, and that all is as it was then.
func (l *lab) undone(when string, topo *topology.Topology, before string, how ...func(*reconcile.Options)) {
	l.Helper()
	record := hostRecord(l)
	report, err := l.tryApply(topo, how...)
	if !errors.Is(err, reconcile.ErrRolledBack) {
		l.Errorf("%s: the error is %v, want ErrRolledBack\n%s", when, err, outcomes(report))
	}
	const limit = 5 * time.Second
	for deadline := time.Now().Add(limit); l.rest() != before && time.Now().Before(deadline); { // a carrier may lag
	}
	l.same(when+", and rolled back,", before, l.rest())
	if now := hostRecord(l); now != record {
		l.Errorf("%s: the host record was\n%s\nand is\n%s", when, record, now)
	}
	if l.Failed() {
		l.Fatalf("%s: the run was\n%s", when, outcomes(report))
	}
}

// lateFault lets a write fail that comes after most others: the first to delete something, or of nftables.
func lateFault() *kernel.Seam {
	struck := false
	return &kernel.Seam{Around: func(w kernel.Write, write func() error) error {
		err := write()
		if !struck && (strings.HasPrefix(w.What, "write table") || strings.HasPrefix(w.What, "delete address")) {
			struck = true
			return errors.Join(err, errInjected)
		}
		return err
	}}
}
