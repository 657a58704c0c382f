package battery

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/plumbnet/plumb/pkg/battery/host"
	"github.com/plumbnet/plumb/pkg/battery/snapshot"
	"github.com/plumbnet/plumb/pkg/kernel"
	"github.com/plumbnet/plumb/pkg/link"
	"github.com/plumbnet/plumb/pkg/plan"
	"github.com/plumbnet/plumb/pkg/reconcile"
	"github.com/plumbnet/plumb/pkg/topology"
)

// trial is a case that is tried on the private host of this process.
type trial struct {
	testing.TB
	c        Case
	from, to *topology.Topology
	seam     *kernel.Seam

	// What the host is like without the topology, and with each.
	empty, made, changed string
	// tried counts what was tried.
	tried counts
}

// counts are numbers of things that were tried.
type counts struct{ Changes, Faults, Wrong int }

func (n counts) String() string {
	return fmt.Sprintf("%d changes by hand, %d faults, %d wrong topologies", n.Changes, n.Faults, n.Wrong)
}

// Run tries a case on the host of this process, which must be a private one without anything on it.
func (c Case) Run(t *testing.T) {
	r := &trial{TB: t, c: c, seam: new(kernel.Seam)}
	r.wrong()
	if c.From == "" {
		t.Log(r.tried)
		return
	}
	r.requires()
	t.Chdir(t.TempDir())
	for name, text := range c.Files {
		r.must(os.WriteFile(name, []byte(text), 0o600))
	}
	r.run(c.With...)
	r.from = r.load(c.From)
	if c.To != "" {
		r.to = r.load(c.To)
	}
	r.empty = r.settle()
	for _, part := range []struct {
		name string
		run  func()
	}{
		{"create", r.create}, {"change", r.change}, {"history", r.history}, {"hand", r.hand}, {"faults", r.faults},
		{"others", r.others}, {"destroy", r.destroyed},
	} {
		if !r.sub(part.name, part.run) {
			t.FailNow() // what follows begins where this should have ended
		}
	}
	t.Log(r.tried)
}

// wrong loads the topologies that are refused.
func (r *trial) wrong() {
	for _, w := range r.c.Wrong {
		r.tried.Wrong++
		_, problems := topology.Load(topology.Input{Name: "case.yaml", Data: []byte(w.File)})
		var b strings.Builder
		if err := problems.WriteText(&b, false); err != nil {
			r.Fatal(err)
		}
		if !problems.HasErrors() {
			r.Errorf("no error is seen in\n%s", w.File)
		}
		for line := range strings.Lines(w.Problem) {
			if line = strings.TrimSpace(line); !strings.Contains(b.String(), line) {
				r.Errorf("it is not said that %q, but\n%s", line, &b)
			}
		}
	}
}

// requires skips the case where the kernel lacks what it needs. Where TEST_REQUIRE_KINDS says that it has all, it may
// lack only what it is too old for.
func (r *trial) requires() {
	err := host.Apart(func() error {
		for _, c := range r.c.Requires {
			if err := host.Run(c.Argv[0], c.Argv[1:]...); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil {
		return
	}
	if part := r.c.tooNew(); part != "" {
		r.Skipf("the kernel lacks what %s needs: %s", r.c.Name, part)
	}
	if os.Getenv("TEST_REQUIRE_KINDS") == "" {
		r.Skipf("the kernel lacks what %s needs: %v", r.c.Name, err)
	}
	r.Fatal(err)
}

// tooNew is the part of the kernel that this one is too old to have, of those that the case's links are made by.
func (c Case) tooNew() string {
	for _, o := range c.objects() {
		l, ok := o.(link.Link)
		if !ok {
			continue
		}
		for _, row := range link.Types {
			if row.Name == l.Type && row.Part.Since != "" && olderThan(release(), row.Part.Since) {
				return row.Part.String()
			}
		}
	}
	return ""
}

// release is the version of the kernel.
func release() string {
	var uts unix.Utsname
	_ = unix.Uname(&uts) // it fails for a bad address alone
	return unix.ByteSliceToString(uts.Release[:])
}

// olderThan says whether a version of Linux, as "6.1" or "6.12.3-amd64", is older than another.
func olderThan(version, than string) bool {
	var a, b [2]int
	_, err := fmt.Sscanf(version, "%d.%d", &a[0], &a[1])
	_, err2 := fmt.Sscanf(than, "%d.%d", &b[0], &b[1])
	return err == nil && err2 == nil && slices.Compare(a[:], b[:]) < 0
}

// objects are what the case's topologies declare.
func (c Case) objects() (list []plan.Object) {
	for _, text := range []string{c.From, c.To} {
		all, _ := topology.Load(topology.Input{Name: "case.yaml", Data: []byte(text)})
		for _, t := range all {
			list = append(list, t.Objects()...)
		}
	}
	return list
}

// create makes what the topology says, and no more of it the second time.
func (r *trial) create() {
	r.seen(r.from, r.empty)
	r.apply(r.from)
	r.made = r.settle()
	if r.made == r.empty {
		r.Error("the snapshot does not see what was made")
	}
	r.again(r.from, r.made)
	r.passes()
}

// seen says that diff finds something to do, and leaves the host as it is.
func (r *trial) seen(t *topology.Topology, is string) plan.Plan {
	r.Helper()
	writes := r.seam.Count()
	p := r.diff(t)
	if len(p.Steps) == 0 {
		r.Error("diff finds nothing to do")
	}
	if n := r.seam.Count() - writes; n != 0 {
		r.Errorf("diff made %d writes", n)
	}
	r.is("after diff", is)
	return p
}

// again says that nothing is left to do: diff is empty, another apply writes nothing, and each link is still the same
// one.
func (r *trial) again(t *topology.Topology, want string) {
	r.Helper()
	links := r.links()
	r.inSync(t)
	writes := r.seam.Count()
	r.apply(t)
	if n := r.seam.Count() - writes; n != 0 {
		r.Errorf("the second apply made %d writes", n)
	}
	r.is("after the second apply", want)
	r.kept(links, nil)
}

// change goes to the other topology and back, in place but for what the case says.
func (r *trial) change() {
	if r.to == nil {
		return
	}
	links := r.links()
	r.seen(r.to, r.made)
	r.apply(r.to)
	r.changed = r.settle()
	if r.changed == r.made {
		r.Error("the snapshot does not see the change")
	}
	r.kept(links, r.c.Anew)
	r.again(r.to, r.changed)
	links = r.links()
	r.apply(r.from)
	r.is("there and back", r.made)
	r.kept(links, r.c.Anew)
	r.inSync(r.from)
	r.passes()
}

// history says that what was before does not show.
func (r *trial) history() {
	r.destroy()
	r.is("after destroy", r.empty)
	if r.to == nil {
		r.apply(r.from)
		r.is("made anew", r.made)
		return
	}
	r.apply(r.to)
	r.is("made anew, not changed from another,", r.changed)
	r.apply(r.from)
	r.is("changed from what was made anew", r.made)
}

// destroyed says that a destroy leaves nothing, and a second one does nothing.
func (r *trial) destroyed() {
	r.destroy()
	r.is("after destroy", r.empty)
	if p := r.destroy().Plan; len(p.Steps) > 0 {
		r.Errorf("the second destroy does something:\n%s", PlanText(p))
	}
	if left, _ := filepath.Glob("/run/plumb/*/host.json"); len(left) > 0 {
		text, _ := os.ReadFile(left[0])
		r.Errorf("a host record is left:\n%s", text)
	}
}

// passes runs the commands that succeed while the topology is applied.
func (r *trial) passes() {
	r.Helper()
	if len(r.c.Packets) > 0 {
		r.quiet()
	}
	r.run(r.c.Packets...)
}

// kept says that each link that was there is still the same one, but those that are to be made anew, which are other
// ones.
func (r *trial) kept(before map[string]identity, anew []string) {
	r.Helper()
	now := r.links()
	for name, was := range before {
		is, ok := now[name]
		switch remade := slices.Contains(anew, name); {
		case !ok && remade:
			r.Errorf("link %s is to be made anew, and is gone", name)
		case ok && remade && is == was:
			r.Errorf("link %s is to be made anew, and is the same one", name)
		case ok && !remade && is != was:
			r.Errorf("link %s was made anew", name)
		}
	}
	for _, name := range anew {
		if _, ok := before[name]; !ok {
			r.Errorf("link %s is to be made anew, and was not there", name)
		}
	}
}

// identity is what a link keeps as long as it lives.
type identity struct {
	namespace uint64
	index     int
}

// links are all links, by names as "br0" and "ns1/eth0".
func (r *trial) links() map[string]identity {
	r.Helper()
	s, err := snapshot.Take(false)
	r.must(err)
	all := make(map[string]identity)
	for _, n := range s.Sections {
		for _, l := range n.Links {
			all[strings.TrimPrefix(n.Name+"/"+l.Name, "/")] = identity{n.Cookie, l.Index}
		}
	}
	return all
}

// run runs commands, which must succeed.
func (r *trial) run(list ...Command) {
	r.Helper()
	for _, c := range list {
		r.must(c.Run())
	}
}

// Run runs the command. The error has what it says. The command "rest" waits until the kernel is done with what was
// before it, and "feature LINK NAME on|off" is ethtool(8), which not every host has.
func (c Command) Run() error {
	switch {
	case len(c.Argv) == 1 && c.Argv[0] == "rest":
		_, err := snapshot.Rest()
		return err
	case len(c.Argv) == 4 && c.Argv[0] == "feature":
		return host.Inside(c.NS, func() error { return setFeature(c.Argv[1], c.Argv[2], c.Argv[3] == "on") })
	}
	return host.Inside(c.NS, func() error {
		out, err := exec.Command(c.Argv[0], c.Argv[1:]...).CombinedOutput()
		if err != nil {
			return fmt.Errorf("%s: %w: %s", c, err, out)
		}
		return nil
	})
}

func setFeature(link, name string, on bool) error {
	n, err := kernel.Current(new(kernel.Seam))
	if err != nil {
		return err
	}
	defer n.Close()
	return n.SetFeature(link, name, on)
}

func (r *trial) must(err error) {
	r.Helper()
	if err != nil {
		r.Fatal(err)
	}
}

// settle is the host when the kernel is done with what it does by itself.
func (r *trial) settle() string {
	r.Helper()
	s, err := snapshot.Settle()
	r.must(err)
	return s.Text
}

func (r *trial) quiet() { r.Helper(); r.must(snapshot.Quiet()) }

// is says what the host must be like. It waits only where it isn't.
func (r *trial) is(when, want string) {
	r.Helper()
	s, err := snapshot.Take(true)
	r.must(err)
	if s.Text == want {
		return
	}
	r.must(host.Buried())
	if d := snapshot.Difference(want, r.settle()); d != "" {
		r.Errorf("%s the host differs (- before, + now):\n%s", when, d)
	}
}

func (r *trial) load(yaml string) *topology.Topology {
	r.Helper()
	all, problems := topology.Load(topology.Input{Name: "case.yaml", Data: []byte(yaml)})
	if problems.HasErrors() || len(all) != 1 {
		r.Fatalf("%d topologies, problems: %v, in\n%s", len(all), problems, yaml)
	}
	return all[0]
}

// Lock and the others bound what a run waits for.
const lockTime = 20 * time.Second

func (r *trial) open(seam *kernel.Seam) *reconcile.Host {
	r.Helper()
	h, err := reconcile.Open(reconcile.Options{LockTimeout: lockTime, Seam: seam, AllowDisconnect: true})
	r.must(err)
	return h
}

func (r *trial) diff(t *topology.Topology) plan.Plan {
	r.Helper()
	h := r.open(r.seam)
	p, err := h.Diff(context.Background(), t)
	if err = errors.Join(err, h.Close()); err != nil {
		r.Fatalf("diff: %v\n%s", err, PlanText(p))
	}
	return p
}

func (r *trial) inSync(t *topology.Topology) {
	r.Helper()
	if p := r.diff(t); len(p.Steps) > 0 {
		r.Errorf("it is not in sync:\n%s", PlanText(p))
	}
}

// apply applies a topology; it must succeed by what it planned alone.
func (r *trial) apply(t *topology.Topology) reconcile.Report {
	r.Helper()
	return r.planned(r.tryApply(t, r.seam))
}

func (r *trial) tryApply(t *topology.Topology, seam *kernel.Seam) (reconcile.Report, error) {
	r.Helper()
	h := r.open(seam)
	report, err := h.Apply(context.Background(), t)
	return report, errors.Join(err, h.Close())
}

// destroy destroys the topology; it must succeed by what it planned alone.
func (r *trial) destroy() reconcile.Report {
	r.Helper()
	return r.planned(r.tryDestroy(r.seam))
}

func (r *trial) tryDestroy(seam *kernel.Seam) (reconcile.Report, error) {
	r.Helper()
	h := r.open(seam)
	report, err := h.Destroy(context.Background(), r.from.Name)
	return report, errors.Join(err, h.Close())
}

func (r *trial) planned(report reconcile.Report, err error) reconcile.Report {
	r.Helper()
	if err != nil {
		r.Fatalf("%v\n%s", err, Outcomes(report))
	}
	for _, o := range report.Outcomes {
		if o.Unplanned {
			r.Errorf("unplanned: %s", StepText(o.Step))
		}
	}
	return report
}

// random is a source of chance that depends on nothing but TEST_FAULTS_SEED and a name.
func random(name string) *rand.Rand {
	h := fnv.New64a()
	h.Write([]byte(name + os.Getenv("TEST_FAULTS_SEED"))) // a hash's Write never fails
	return rand.New(rand.NewPCG(1, h.Sum64()))
}
