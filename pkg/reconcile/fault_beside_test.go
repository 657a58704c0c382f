package reconcile_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/plumbnet/plumb/pkg/kernel"
	"github.com/plumbnet/plumb/pkg/plan"
	"github.com/plumbnet/plumb/pkg/reconcile"
	"github.com/plumbnet/plumb/pkg/topology"
)

// besideWorkers is how many threads make a network in the tests of what is made beside other things: namespaces.
const besideWorkers = 2

func beside(o *reconcile.Options) { o.Workers = besideWorkers }

const besideHosts = 12

// besideNet is a network whose namespaces take longer to make than the cables of the first of them, and half
// of which have a cable to the next.
func besideNet() string {
	var b strings.Builder
	b.WriteString("name: beside\nbridges: {br0: {addresses: [10.0.0.1/24]}}\nnamespaces:\n")
	for i := range besideHosts {
		fmt.Fprintf(&b, "  h%d:\n    interfaces:\n      eth0: {bridge: br0, addresses: [10.0.0.%d/24]}\n", i, i+10)
		if next := i + 1; i%2 == 0 {
			fmt.Fprintf(&b, "      eth1: {peer: h%d/eth1, addresses: [10.1.%d.1/24]}\n", next, i)
		}
		fmt.Fprintf(&b, "    sysctls: {net.ipv4.ip_forward: 1, "+
			"net.ipv4.conf.default.rp_filter: 1, net.ipv4.conf.eth0.rp_filter: 2}\n")
		fmt.Fprintf(&b, "    routes: [{to: default, via: 10.0.0.1}]\n    nat: [{masquerade: 10.1.%d.0/24, out: eth0}]\n", i)
	}
	return b.String()
}

// With several threads the steps end in another order, and are told in that of the plan; what the run is at is told as
// it is.
func TestBesideOrder(t *testing.T) {
	l := newLab(t)
	topo := l.load(besideNet())
	var told []plan.Key
	var last reconcile.Working
	early := 0
	report, err := l.tryApply(topo, beside, func(o *reconcile.Options) {
		o.Progress = func(o plan.Outcome) { told = append(told, o.Step.Key()) }
		o.Working = func(w reconcile.Working) {
			if w.At.Changes == nil {
				return // it reads the kernel
			}
			if w.Done < last.Done || w.Done < len(told) || w.Done >= w.Total || w.Undoing {
				t.Errorf("the run is at %+v after %+v, and %d steps were told", w, last, len(told))
			}
			last = w
			early = max(early, w.Done-len(told))
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	for i, s := range report.Plan.Steps {
		if i >= len(told) || told[i] != s.Key() || report.Outcomes[i].Step.Key() != s.Key() {
			t.Fatalf("step %d is %s; told was %v", i, s.Key().Label(), told)
		}
	}
	if last.Total != len(told) || early == 0 {
		t.Errorf("of %d steps the run was last at %+v, and at most %d had ended before their turn", len(told), last, early)
	}
	l.converged(topo)
	l.destroy(topo.Name)
}

// What is in the first namespace is made before the last is: that one is held until then.
func TestBesideWaitsForLittle(t *testing.T) {
	l := newLab(t)
	topo := l.load(besideNet())
	var namespaces atomic.Int64
	made := make(chan struct{})
	first := sync.OnceFunc(func() { close(made) })
	hold := &kernel.Seam{Around: func(w kernel.Write, write func() error) error {
		switch {
		case w.What == "create namespace" && namespaces.Add(1) == besideHosts:
			select {
			case <-made:
			case <-time.After(time.Minute):
				t.Error("no route was made before the last namespace")
			}
		case strings.HasPrefix(w.What, "add route"):
			first()
		}
		return write()
	}}
	if report, err := l.tryApply(topo, beside, through(hold)); err != nil {
		t.Fatalf("%v\n%s", err, outcomes(report))
	}
	l.converged(topo)
	l.destroy(topo.Name)
}

// besideWrites counts the writes that make a network, and takes it away again.
func (l *lab) besideWrites(topo *topology.Topology) int64 {
	l.Helper()
	count := l.seam.Count()
	if report, err := l.tryApply(topo, beside); err != nil {
		l.Fatalf("%v\n%s", err, outcomes(report))
	}
	writes := l.seam.Count() - count
	l.destroy(topo.Name)
	return writes
}

// What is interrupted in several threads at once says so once, in one line.
func TestBesideInterrupted(t *testing.T) {
	l := newLab(t)
	topo := l.load(besideNet())
	before := l.settle()
	back, seen := 0, 0
	for n := range int64(3 * besideHosts) {
		ctx, interrupt := context.WithCancel(context.Background())
		var writes atomic.Int64
		report, err := l.applyIn(ctx, topo, beside,
			through(&kernel.Seam{Around: func(_ kernel.Write, write func() error) error {
				if writes.Add(1) == 4*n+1 {
					interrupt()
				}
				return write()
			}}),
			func(o *reconcile.Options) {
				o.Working = func(w reconcile.Working) {
					if w.Undoing && w.At.Changes != nil {
						seen++
					}
				}
			})
		interrupt()
		if err == nil {
			l.destroy(topo.Name)
			break
		}
		how := reconcile.ErrRolledBack
		if back == 0 && errors.Is(err, reconcile.ErrNotRun) {
			how = reconcile.ErrNotRun // nothing was written yet but what a run needs for itself
		} else {
			back++
		}
		if want := "apply beside: interrupted; " + how.Error(); err.Error() != want {
			t.Errorf("at write %d the error is %q, want %q\n%s", 4*n+1, err, want, outcomes(report))
		}
		l.restored(fmt.Sprintf("write %d was interrupted, and then", 4*n+1), before)
	}
	if back == 0 || seen == 0 {
		t.Errorf("%d runs were rolled back, and were seen to be on the way back %d times", back, seen)
	}
}

// A write fails while others are made beside it: all goes back.
func TestBesideFails(t *testing.T) {
	l := newLab(t)
	topo := l.load(besideNet())
	before := l.settle()
	writes := l.besideWrites(topo)
	for how, fault := range faults {
		for k := int64(1); k <= writes && !t.Failed(); k += 3 {
			hit := false
			report, err := l.tryApply(topo, beside, through(at(k, func(w kernel.Write, write func() error) error {
				hit = true
				return fault(w, write)
			})))
			if !hit && err == nil && k > writes*9/10 {
				l.destroy(topo.Name)
				break // threads share the work in another way each time, and this one took fewer writes
			}
			if !errors.Is(err, reconcile.ErrRolledBack) || !errors.Is(err, errInjected) {
				t.Errorf("%s: write %d: the error is %v, want ErrRolledBack\n%s", how, k, err, outcomes(report))
			}
			l.results(report)
			l.restored(fmt.Sprintf("%s: write %d failed, and then", how, k), before)
		}
	}
}

// The process is killed while several threads write: the next apply converges, and destroy leaves nothing.
func TestBesideKilled(t *testing.T) {
	l := newLab(t)
	text := besideNet()
	topo := l.load(text)
	before := l.settle()
	for k, writes := int64(2), l.besideWrites(topo); k <= writes; k += 7 {
		l.sacrifice(order{Name: topo.Name, File: text, Die: k, After: k%2 == 0, Workers: besideWorkers})
		if k%3 != 0 {
			l.apply(topo)
			l.converged(topo)
		}
		l.destroy(topo.Name)
		l.restored(fmt.Sprintf("killed at write %d, and then destroyed,", k), before)
	}
}

// starNet is a network of many namespaces of whose cables each has an end on the host: they go while its links do.
func starNet() string {
	const hosts = 50
	var b strings.Builder
	b.WriteString("name: star\nbridges: {br0: {addresses: [10.0.0.1/24]}}\nnamespaces:\n")
	for i := range hosts {
		fmt.Fprintf(&b, "  h%d: {interfaces: {eth0: {bridge: br0, addresses: [10.0.0.%d/24]}}}\n", i, i+10)
	}
	return b.String()
}

// Namespaces go while the links of the host do: these are held here until one has.
func TestBesideGoing(t *testing.T) {
	l := newLab(t)
	topo := l.load(starNet())
	l.apply(topo)
	gone := make(chan struct{})
	first := sync.OnceFunc(func() { close(gone) })
	held := false
	hold := &kernel.Seam{Around: func(w kernel.Write, write func() error) error {
		switch {
		case strings.Contains(w.What, "links of group"):
			held = true
			select {
			case <-gone:
			case <-time.After(time.Minute):
				t.Error("no namespace went before the links")
			}
		case strings.HasPrefix(w.What, "unmount"):
			first()
		}
		return write()
	}}
	if report, err := l.tryDestroy(topo.Name, beside, through(hold)); err != nil || !held {
		t.Errorf("the links were held: %v; %v\n%s", held, err, outcomes(report))
	}
}

// A write of a destroy fails, or its process is killed, while several threads delete: the next destroy leaves nothing.
func TestBesideDestroyed(t *testing.T) {
	for _, text := range []string{starNet(), besideNet()} {
		l := newLab(t)
		topo := l.load(text)
		before := l.settle()
		l.apply(topo, beside)
		count := l.seam.Count()
		if report, err := l.tryDestroy(topo.Name, beside); err != nil {
			t.Fatalf("%v\n%s", err, outcomes(report))
		}
		l.restored("after a destroy", before)
		// Which of two threads deletes what both could, and with how many writes, is not the same each time.
		writes := (l.seam.Count() - count) * 3 / 4
		for k := int64(1); k <= writes && !t.Failed(); k += max(1, writes/5) | 1 {
			for how, fault := range faults {
				l.apply(topo, beside)
				report, err := l.tryDestroy(topo.Name, beside, through(at(k, fault)))
				if err != nil && !errors.Is(err, reconcile.ErrPartial) {
					t.Errorf("%s: write %d: the error is %v\n%s", how, k, err, outcomes(report))
				}
				l.destroy(topo.Name)
				l.restored(fmt.Sprintf("%s: write %d failed, and then destroyed,", how, k), before)
			}
			l.apply(topo, beside)
			l.sacrifice(order{Name: topo.Name, Die: k, After: k%2 == 0, Workers: besideWorkers})
			if k%3 != 0 {
				l.apply(topo)
				l.converged(topo)
			}
			l.destroy(topo.Name)
			l.restored(fmt.Sprintf("killed at write %d, and then destroyed,", k), before)
		}
	}
}
