package reconcile_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/plumbnet/plumb/pkg/battery"
	"github.com/plumbnet/plumb/pkg/battery/host"
	"github.com/plumbnet/plumb/pkg/battery/snapshot"
	"github.com/plumbnet/plumb/pkg/kernel"
	"github.com/plumbnet/plumb/pkg/plan"
	"github.com/plumbnet/plumb/pkg/reconcile"
	"github.com/plumbnet/plumb/pkg/topology"
)

// TestMain moves the whole test binary to a private host, where a victim carries out its order.
func TestMain(m *testing.M) {
	battery.Main()
	if os.Geteuid() == 0 {
		if err := serveContainers(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	os.Exit(m.Run())
}

// lab is the private host as one test has it. What the test leaves is removed at its end: first what plumb made, by
// destroy, which must lead back to the snapshot that [lab.mark] took last; then the fixtures.
type lab struct {
	testing.TB
	// seam counts the writes of the runs that the lab makes.
	seam *kernel.Seam
	// warnings are those of the last run.
	warnings []string

	names    []string // of topologies that were applied
	start    *snapshot.State
	base     *snapshot.State
	fixtures []func()
}

func newLab(t testing.TB) *lab {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	l := &lab{TB: t, seam: new(kernel.Seam)}
	l.start = l.settled()
	l.base = l.start
	t.Cleanup(l.end)
	return l
}

// mark takes what the host is like now, but for plumb's, for what the end of the test must lead back to.
func (l *lab) mark() { l.Helper(); l.base = l.settled() }

// fixture adds something to the host that undo removes after the end of the test.
func (l *lab) fixture(undo func()) {
	l.Helper()
	l.fixtures = append(l.fixtures, undo)
	l.mark()
}

func (l *lab) end() {
	for _, name := range slices.Backward(l.names) {
		if _, err := l.tryDestroy(name); err != nil {
			l.Errorf("at the end of the test: destroy %s: %v", name, err)
		}
	}
	l.restored("at the end of the test", l.base.Text)
	if left, _ := filepath.Glob("/run/plumb/*/host.json"); len(left) > 0 && len(l.names) > 0 {
		text, _ := os.ReadFile(left[0])
		l.Errorf("at the end of the test a host record is left:\n%s", text)
	}
	for _, undo := range slices.Backward(l.fixtures) {
		undo()
	}
	if l.look(true).Text == l.start.Text {
		return
	}
	if now := l.settle(); now != l.start.Text {
		if !l.Failed() {
			l.same("after the fixtures went", l.start.Text, now)
		}
		l.wipe()
	}
}

// load reads a topology.
func (l *lab) load(yaml string) *topology.Topology {
	l.Helper()
	all, problems := topology.Load(topology.Input{Name: "test.yaml", Data: []byte(yaml)})
	if problems.HasErrors() || len(all) != 1 {
		l.Fatalf("load: %d topologies, problems: %v, in\n%s", len(all), problems, yaml)
	}
	return all[0]
}

// ofLab makes of the interface and the addresses that a reader is to replace those of [lab.uplink].
var ofLab = strings.NewReplacer(
	"eth0:\n    existing", "up0:\n    existing", "192.0.2.10/24", uplink4+"/24", "192.0.2.1}", world4+"}",
	"192.0.2.20/24", "198.18.0.20/24",
)

// example is the text of a file of examples/.
func (l *lab) example(name string) string {
	l.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "examples", name))
	if err != nil {
		l.Fatal(err)
	}
	if name == "uplink-bridge.yaml" {
		return ofLab.Replace(string(text))
	}
	return l.withKeys(string(text))
}

// open opens the host with what change makes of the usual options.
func (l *lab) open(change ...func(*reconcile.Options)) *reconcile.Host {
	l.Helper()
	l.warnings = nil
	o := reconcile.Options{
		LockTimeout: 10 * time.Second, Seam: l.seam, AllowDisconnect: true,
		Warn: func(text string) { l.warnings = append(l.warnings, text) },
	}
	for _, f := range change {
		f(&o)
	}
	h, err := reconcile.Open(o)
	if err != nil {
		l.Fatalf("open: %v", err)
	}
	return h
}

// tryApply applies a topology, which the end of the test will destroy.
func (l *lab) tryApply(topo *topology.Topology, change ...func(*reconcile.Options)) (reconcile.Report, error) {
	l.Helper()
	return l.applyIn(context.Background(), topo, change...)
}

func (l *lab) applyIn(
	ctx context.Context, topo *topology.Topology, change ...func(*reconcile.Options),
) (reconcile.Report, error) {
	l.Helper()
	if !slices.Contains(l.names, topo.Name) {
		l.names = append(l.names, topo.Name)
	}
	h := l.open(change...)
	report, err := h.Apply(ctx, topo)
	return report, errors.Join(err, h.Close())
}

// apply applies a topology; it must succeed by what it planned alone.
func (l *lab) apply(topo *topology.Topology, change ...func(*reconcile.Options)) reconcile.Report {
	l.Helper()
	report, err := l.tryApply(topo, change...)
	if err != nil {
		l.Fatalf("apply %s: %v\n%s", topo.Name, err, outcomes(report))
	}
	l.planned(report)
	return report
}

// planned fails the test if a run had to do something that was not in its plan.
func (l *lab) planned(r reconcile.Report) {
	l.Helper()
	for _, o := range r.Outcomes {
		if o.Unplanned {
			l.Errorf("unplanned: %s", battery.StepText(o.Step))
		}
	}
	if l.Failed() {
		l.Logf("the run was:\n%s", outcomes(r))
	}
}

// converged says that diff finds nothing, apply writes nothing, and that is so at once after an apply.
func (l *lab) converged(topo *topology.Topology) {
	l.Helper()
	if p := l.diff(topo); len(p.Steps) > 0 {
		l.Errorf("%s is not in sync:\n%s", topo.Name, planText(p))
	}
	before := l.seam.Count()
	l.apply(topo)
	if n := l.seam.Count() - before; n != 0 {
		l.Errorf("the second apply of %s made %d writes", topo.Name, n)
	}
}

func (l *lab) diff(topo *topology.Topology, change ...func(*reconcile.Options)) plan.Plan {
	l.Helper()
	h := l.open(change...)
	p, err := h.Diff(context.Background(), topo)
	if err = errors.Join(err, h.Close()); err != nil {
		l.Fatalf("diff %s: %v\n%s", topo.Name, err, planText(p))
	}
	return p
}

func (l *lab) tryDestroy(name string, change ...func(*reconcile.Options)) (reconcile.Report, error) {
	l.Helper()
	h := l.open(change...)
	report, err := h.Destroy(context.Background(), name)
	return report, errors.Join(err, h.Close())
}

// destroy destroys a topology; it must succeed by what it planned alone.
func (l *lab) destroy(name string) reconcile.Report {
	l.Helper()
	report, err := l.tryDestroy(name)
	if err != nil {
		l.Fatalf("destroy %s: %v\n%s", name, err, outcomes(report))
	}
	l.planned(report)
	return report
}

// sh runs a command on the host and returns what it prints.
func (l *lab) sh(name string, args ...string) string {
	l.Helper()
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		l.Fatalf("%s %s: %v: %s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

// script runs one command a line, split at white space.
func (l *lab) script(lines string) {
	l.Helper()
	l.must(host.Script(lines))
}

// inNS runs a command in a namespace.
func (l *lab) inNS(ns, name string, args ...string) {
	l.Helper()
	l.sh("nsenter", slices.Concat([]string{"--net=/run/netns/" + ns, name}, args)...)
}

// same compares snapshots.
func (l *lab) same(when, want, have string) {
	l.Helper()
	if d := snapshot.Difference(want, have); d != "" {
		l.Errorf("%s the host differs (- before, + now):\n%s", when, d)
	}
}

// restored says that the host is as it was. It only waits when it isn't.
func (l *lab) restored(when, want string) {
	l.Helper()
	if l.look(true).Text != want {
		l.must(host.Buried())
		l.same(when, want, l.settle())
	}
}

// look takes a snapshot as the host is now, or, unless whole, one of all but what only a hand changes.
func (l *lab) look(whole bool) *snapshot.State {
	l.Helper()
	s, err := snapshot.Take(whole)
	if err != nil {
		l.Fatal(err)
	}
	return s
}

// settled waits until what the kernel does by itself after a change is done, and takes a snapshot.
func (l *lab) settled() *snapshot.State {
	l.Helper()
	s, err := snapshot.Settle()
	if err != nil {
		l.Fatal(err)
	}
	return s
}

// settle is settled as a text.
func (l *lab) settle() string { l.Helper(); return l.settled().Text }

// rest waits until the host stays as it is, be it as it should be or not.
func (l *lab) rest() string {
	l.Helper()
	s, err := snapshot.Rest()
	if err != nil {
		l.Fatal(err)
	}
	return s.Text
}

// indexes tells which link is which: a link that is re-created has another index.
func (l *lab) indexes() string { l.Helper(); return l.look(false).Indexes() }

// How tests tell of a plan, and of a run: a line a step.
var (
	planText = battery.PlanText
	outcomes = battery.Outcomes
)
