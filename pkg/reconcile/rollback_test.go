package reconcile_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/plumbnet/plumb/pkg/battery"
	"github.com/plumbnet/plumb/pkg/battery/host"
	"github.com/plumbnet/plumb/pkg/kernel"
	"github.com/plumbnet/plumb/pkg/plan"
	"github.com/plumbnet/plumb/pkg/reconcile"
	"github.com/plumbnet/plumb/pkg/topology"
)

var errInjected = battery.ErrInjected

// at is a seam that does f in place of the k-th write, counted from 1.
func at(k int64, f func(w kernel.Write, write func() error) error) *kernel.Seam {
	var count atomic.Int64
	return &kernel.Seam{Around: func(w kernel.Write, write func() error) error {
		if count.Add(1) == k {
			return f(w, write)
		}
		return write()
	}}
}

func through(s *kernel.Seam) func(*reconcile.Options) {
	return func(o *reconcile.Options) { o.Seam = s }
}

// faults are the ways for a write to fail: before it was made, and after.
var faults = map[string]func(kernel.Write, func() error) error{
	"not made": func(kernel.Write, func() error) error { return errInjected },
	"made and reported as failed": func(_ kernel.Write, write func() error) error {
		return errors.Join(write(), errInjected)
	},
}

// passage is an apply whose writes are made to fail one by one: from one topology, or none, to another.
type passage struct {
	name     string
	from, to *topology.Topology
}

func passages(l *lab) []passage {
	l.Helper()
	text := l.example("docker0-dual.yaml")
	changed := strings.NewReplacer(
		"    addresses: [192.168.10.1/24,", "    mtu: 1400\n    stp: true\n    addresses: [192.168.10.1/24, 10.7.0.1/24,",
		"    stp: false\n", "",
		"        port-name: br0.1\n", "        port-name: br0.2\n        mtu: 1400\n",
		"    routes:\n", "    routes:\n      - {to: 10.6.0.0/16, via: 192.168.10.1, metric: 5}\n",
		`  - {masquerade: "fd00:10::/64"}`, "  - {masquerade: 10.7.0.0/24}",
		"nat:\n", "  ns2:\n    bridges: {sw0: {addresses: [10.1.1.1/24]}}\n    interfaces: {up: {peer: ns1/down}}\n"+
			"    sysctls: {net.ipv4.conf.all.log_martians: 1}\nnat:\n",
	).Replace(text)
	small, big := l.load(text), l.load(changed)
	return []passage{{"from nothing", nil, small}, {"there", small, big}, {"back", big, small}}
}

// begin makes the host as the passage finds it, and counts the writes that it takes.
func (p passage) begin(l *lab) (before string, writes int64) {
	l.Helper()
	p.reset(l)
	count := l.seam.Count()
	l.apply(p.to)
	l.converged(p.to)
	writes = l.seam.Count() - count
	p.reset(l)
	return l.settle(), writes
}

func (p passage) reset(l *lab) {
	l.Helper()
	l.destroy(p.to.Name)
	if p.from != nil {
		l.apply(p.from)
	}
}

// Whichever write of an apply fails, all is as before; and nothing keeps the next apply from succeeding.
func TestRollback(t *testing.T) {
	if host.InParts(t) {
		return
	}
	type test struct {
		how string
		i   int
	}
	var tests []test
	for _, how := range slices.Sorted(maps.Keys(faults)) {
		for i := range 3 {
			tests = append(tests, test{how, i})
		}
	}
	for _, c := range host.Share(t, tests) {
		t.Run(fmt.Sprint(c.how, " ", c.i), func(t *testing.T) {
			l := newLab(t)
			l.foreign()
			l.uplink()
			passages(l)[c.i].rollsBack(t, l, faults[c.how])
		})
	}
}

func (p passage) rollsBack(t *testing.T, l *lab, fault func(kernel.Write, func() error) error) {
	before, writes := p.begin(l)
	t.Logf("%s: %d writes", p.name, writes)
	for k := int64(1); k <= writes && !t.Failed(); k++ {
		what := ""
		report, err := l.tryApply(p.to, through(at(k, func(w kernel.Write, write func() error) error {
			what = w.String()
			return fault(w, write)
		})))
		if what == "" && err == nil && k == writes { // a port that STP held back at first need not be freed any more
			break
		}
		if err == nil && onlyWarns(what) { // it only brings a warning
			p.reset(l)
			continue
		}
		if !errors.Is(err, reconcile.ErrRolledBack) || !errors.Is(err, errInjected) {
			t.Errorf("write %d (%s) fails: the error is %v, want ErrRolledBack\n%s", k, what, err, outcomes(report))
		}
		l.restored(fmt.Sprintf("%s: write %d (%s) failed, and then", p.name, k, what), before)
		l.results(report)
		if p.from != nil {
			l.converged(p.from)
		}
	}
	l.apply(p.to)
	l.converged(p.to)
}

// onlyWarns says whether a write that fails brings no more than a warning, as all is verified then: it tells the
// neighbours where an address is by now, or is the copy of what was applied.
func onlyWarns(what string) bool {
	return strings.Contains(what, "announce address ") || strings.HasSuffix(what, appliedCopy)
}

// appliedCopy ends what the writes of the copy are called.
const appliedCopy = "the copy of what was applied"

// results says that after a rollback no step is told to be done.
func (l *lab) results(r reconcile.Report) {
	l.Helper()
	for _, o := range r.Outcomes {
		if o.Result == plan.Done {
			l.Errorf("after a rollback a step is said to be done:\n%s", outcomes(r))
			return
		}
	}
}

// With --keep, what was done stays, and the next apply goes on from there.
func TestKeep(t *testing.T) {
	l := newLab(t)
	l.foreign()
	p := passages(l)[1]
	_, writes := p.begin(l)
	for k := int64(1); k <= writes; k++ {
		what := ""
		_, err := l.tryApply(p.to, through(at(k, func(w kernel.Write, write func() error) error {
			what = w.String()
			return faults["not made"](w, write)
		})), func(o *reconcile.Options) { o.Keep = true })
		spared := what == "" && err == nil // the kernel had done one of them by itself
		if !errors.Is(err, reconcile.ErrPartial) && !onlyWarns(what) && !spared {
			t.Errorf("write %d (%s): the error is %v, want ErrPartial", k, what, err)
		}
		l.apply(p.to)
		l.converged(p.to)
		p.reset(l)
	}
}

// The first Ctrl-C rolls back; one that comes too late changes nothing.
func TestInterrupt(t *testing.T) {
	l := newLab(t)
	l.foreign()
	for _, p := range passages(l)[:2] {
		before, writes := p.begin(l)
		rolledBack := 0
		for k := int64(1); k <= writes; k++ {
			ctx, cancel := context.WithCancel(context.Background())
			report, err := l.applyIn(ctx, p.to, through(at(k, func(_ kernel.Write, write func() error) error {
				defer cancel()
				return write()
			})))
			cancel()
			switch {
			case errors.Is(err, reconcile.ErrRolledBack):
				rolledBack++
				l.restored(fmt.Sprintf("%s: interrupted at write %d, and then", p.name, k), before)
			case err == nil:
				l.converged(p.to)
				p.reset(l)
			default:
				t.Fatalf("%s: interrupted at write %d: %v\n%s", p.name, k, err, outcomes(report))
			}
		}
		if rolledBack < int(writes)/2 {
			t.Errorf("%s: of %d interrupts %d rolled back", p.name, writes, rolledBack)
		}
	}
}

// The second Ctrl-C stops at once, also in a rollback. The next apply converges, and destroy leaves nothing.
func TestStop(t *testing.T) {
	l := newLab(t)
	l.foreign()
	empty := l.settle()
	p := passages(l)[0]
	_, writes := p.begin(l)
	for k := int64(1); k <= writes; k++ {
		for _, next := range []string{"apply", "destroy"} {
			stop := make(chan struct{})
			seam := at(k, func(_ kernel.Write, write func() error) error {
				defer close(stop)
				return write()
			})
			_, err := l.tryApply(p.to, through(seam), func(o *reconcile.Options) { o.Stop = stop })
			if err != nil && !errors.Is(err, reconcile.ErrPartial) {
				t.Fatalf("stopped at write %d: %v, want ErrPartial", k, err)
			}
			if next == "apply" {
				l.apply(p.to)
				l.converged(p.to)
			}
			l.destroy(p.to.Name)
			l.restored(fmt.Sprintf("stopped at write %d, and after %s", k, next), empty)
		}
	}
}

func TestStopInRollback(t *testing.T) {
	l := newLab(t)
	p := passages(l)[1]
	_, writes := p.begin(l)
	for k := int64(2); k <= writes; k++ {
		stop, count, what := make(chan struct{}), int64(0), ""
		seam := &kernel.Seam{Around: func(w kernel.Write, write func() error) error {
			switch count++; count {
			case k:
				what = w.String()
				return errInjected
			case k + 1: // the first of the rollback
				close(stop)
			}
			return write()
		}}
		report, err := l.tryApply(p.to, through(seam), func(o *reconcile.Options) { o.Stop = stop })
		if !errors.Is(err, reconcile.ErrPartial) && !errors.Is(err, reconcile.ErrRolledBack) && !onlyWarns(what) {
			t.Fatalf("stopped in the rollback of write %d (%s): %v\n%s", k, what, err, outcomes(report))
		}
		l.apply(p.to)
		l.converged(p.to)
		p.reset(l)
	}
}

// A rollback that fails too says so, and what is left; nothing keeps the next apply from succeeding.
func TestRollbackFails(t *testing.T) {
	l := newLab(t)
	p := passages(l)[1]
	_, writes := p.begin(l)
	for k := int64(2); k < writes; k += 3 { // the last is the copy of what was applied
		count := int64(0)
		seam := &kernel.Seam{Around: func(_ kernel.Write, write func() error) error {
			if count++; count >= k {
				return errInjected
			}
			return write()
		}}
		report, err := l.tryApply(p.to, through(seam))
		if !errors.Is(err, reconcile.ErrRollback) && !errors.Is(err, reconcile.ErrRolledBack) {
			t.Errorf("all fails from write %d on: the error is %v, want ErrRollback\n%s", k, err, outcomes(report))
		}
		if errors.Is(err, reconcile.ErrRollback) && !strings.Contains(err.Error(), "left: ") &&
			!strings.Contains(err.Error(), "then write host record: ") {
			t.Errorf("the error does not say what is left: %v", err)
		}
		l.apply(p.to)
		l.converged(p.to)
		p.reset(l)
	}
}

// A rollback that can't even look at the host names what the run had done.
func TestRollbackBlind(t *testing.T) {
	l := newLab(t)
	topo := l.load(l.example("docker0.yaml"))
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	_, err := l.tryApply(topo, through(&kernel.Seam{Around: func(w kernel.Write, write func() error) error {
		if strings.HasPrefix(w.What, "write table") { // the last
			return errors.Join(errInjected, unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 3, Max: limit.Max}))
		}
		return write()
	}}))
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	if !errors.Is(err, reconcile.ErrRollback) || !errors.Is(err, unix.EMFILE) {
		t.Errorf("the error is %v, want ErrRollback because no file can be opened", err)
	}
	const want = "left: delete nat masquerade 192.168.10.0/24, delete route ns1 default, " +
		"delete address ns1/eth0 192.168.10.11/24, "
	if err != nil && !strings.Contains(err.Error(), want) {
		t.Errorf("the error does not say what was done: %v", err)
	}
}

// Destroy goes on past a failure, says what is left, and the next one finishes.
func TestDestroyFails(t *testing.T) {
	l := newLab(t)
	l.foreign()
	empty := l.settle()
	topo := passages(l)[1].to
	l.apply(topo)
	var all []string
	_, err := l.tryDestroy(topo.Name, through(&kernel.Seam{Around: func(w kernel.Write, write func() error) error {
		all = append(all, w.String())
		return write()
	}}))
	if err != nil {
		t.Fatal(err)
	}
	for _, what := range all {
		if what == "write host record" {
			continue
		}
		l.apply(topo)
		other := 0
		report, err := l.tryDestroy(topo.Name, through(&kernel.Seam{Around: func(w kernel.Write, write func() error) error {
			if w.String() == what {
				return errInjected
			}
			other++
			return write()
		}}))
		if err != nil && (!errors.Is(err, reconcile.ErrPartial) || !strings.Contains(err.Error(), "left: ")) {
			t.Errorf("%s fails: %v, want ErrPartial and what is left\n%s", what, err, outcomes(report))
		}
		if other < 5 {
			t.Errorf("%s fails: only %d other writes were made", what, other)
		}
		l.destroy(topo.Name)
		l.restored(what+" failed once, and after the next destroy", empty)
	}
}
