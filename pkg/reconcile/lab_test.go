package reconcile_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/plumbnet/plumb/pkg/kernel"
	"github.com/plumbnet/plumb/pkg/plan"
	"github.com/plumbnet/plumb/pkg/reconcile"
	"github.com/plumbnet/plumb/pkg/topology"
)

// insideMark tells the test binary that it is in the private host already.
const insideMark = "PLUMB_TEST_HOST"

// TestMain moves the whole test binary to a private host: a network namespace, mounts and a /run of its own, which end
// with the process. The process stays the same one, so exit code, signals, coverage and time limits are as ever.
func TestMain(m *testing.M) {
	switch {
	case os.Geteuid() != 0:
		fmt.Println("not root: the tests on a kernel are skipped")
	case os.Getenv(insideMark) == "":
		fmt.Fprintln(os.Stderr, "move to a private host:", enterHost())
		os.Exit(1)
	case os.Getenv(victimMark) != "":
		os.Exit(victim(os.Getenv(victimMark)))
	default:
		var err error
		if hostNS, err = os.Open("/proc/thread-self/ns/net"); err == nil {
			err = run("ip", "link", "set", "lo", "up")
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	os.Exit(m.Run())
}

// enterHost only returns when it failed. The new image has the namespaces of the thread that executes it.
func enterHost() error {
	runtime.LockOSThread()
	if err := unix.Unshare(unix.CLONE_NEWNET | unix.CLONE_NEWNS); err != nil {
		return err
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return err
	}
	if err := unix.Mount("tmpfs", "/run", "tmpfs", 0, "mode=755"); err != nil {
		return err
	}
	return unix.Exec("/proc/self/exe", os.Args, append(os.Environ(), insideMark+"=1"))
}

func run(name string, args ...string) error {
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, out)
	}
	return nil
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
	start    *state
	base     *state
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
	l.same("at the end of the test", l.base.text, l.settle())
	if left, _ := filepath.Glob("/run/plumb/*/host.json"); len(left) > 0 && len(l.names) > 0 {
		text, _ := os.ReadFile(left[0])
		l.Errorf("at the end of the test a host record is left:\n%s", text)
	}
	for _, undo := range slices.Backward(l.fixtures) {
		undo()
	}
	if now := l.settle(); now != l.start.text {
		if !l.Failed() {
			l.same("after the fixtures went", l.start.text, now)
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

// example is the text of a file of examples/.
func (l *lab) example(name string) string {
	l.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "examples", name))
	if err != nil {
		l.Fatal(err)
	}
	return string(text)
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

func (l *lab) applyIn(ctx context.Context, topo *topology.Topology, change ...func(*reconcile.Options)) (reconcile.Report, error) {
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
			l.Errorf("unplanned: %s", stepText(o.Step))
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
	for line := range strings.Lines(lines) {
		if f := strings.Fields(line); len(f) > 0 {
			l.sh(f[0], f[1:]...)
		}
	}
}

// inNS runs a command in a namespace.
func (l *lab) inNS(ns, name string, args ...string) {
	l.Helper()
	l.sh("nsenter", slices.Concat([]string{"--net=/run/netns/" + ns, name}, args)...)
}

// same compares snapshots.
func (l *lab) same(when, want, have string) {
	l.Helper()
	if d := difference(want, have); d != "" {
		l.Errorf("%s the host differs (- before, + now):\n%s", when, d)
	}
}

// restored says that the host is as it was. It only waits when it isn't.
func (l *lab) restored(when, want string) {
	l.Helper()
	if snapshot(l) != want {
		l.same(when, want, l.settle())
	}
}

func planText(p plan.Plan) string {
	var b strings.Builder
	for _, s := range p.Steps {
		fmt.Fprintln(&b, stepText(s))
	}
	return b.String()
}

func stepText(s plan.Step) string {
	text := fmt.Sprintf("%s %s: %s", s.Action, s.Key().Label(), s.Reason)
	for _, f := range s.Fields {
		text += fmt.Sprintf(" %s %s -> %s,", f.Name, f.Before, f.After)
	}
	return text
}

func outcomes(r reconcile.Report) string {
	var b strings.Builder
	for _, o := range r.Outcomes {
		fmt.Fprintf(&b, "%s: %s", o.Result, stepText(o.Step))
		if o.Unplanned {
			b.WriteString(" (unplanned)")
		}
		if o.Err != nil {
			fmt.Fprintf(&b, ": %v", o.Err)
		}
		b.WriteString("\n")
	}
	return b.String()
}
