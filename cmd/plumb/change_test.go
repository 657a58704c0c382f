package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/plumbnet/plumb/pkg/plan"
	"github.com/plumbnet/plumb/pkg/reconcile"
	"github.com/plumbnet/plumb/pkg/topology"
)

// fakeHost answers as it is told, by the name of the topology.
type fakeHost struct {
	openErr error
	plans   map[string]plan.Plan
	errs    map[string]error
	options reconcile.Options
	asked   []string

	topologies []string
	shown      []reconcile.Shown
	applied    map[string]string // their copies
}

func (f *fakeHost) open(o reconcile.Options) (host, error) {
	f.options = o
	return f, f.openErr
}

func (f *fakeHost) Cookie() uint64 { return 1 }

func (f *fakeHost) Confirm(string) error { return reconcile.ErrNothingToConfirm }

func (f *fakeHost) Topologies() ([]string, error) { return f.topologies, nil }

func (f *fakeHost) Sections(string) ([]string, error) { return nil, nil }

func (f *fakeHost) Show(context.Context, string) ([]reconcile.Shown, error) { return f.shown, nil }

func (f *fakeHost) Inside(string, string, func() error) error { return reconcile.ErrNotRun }

func (f *fakeHost) Applied(name string) (topology.Input, error) {
	if text, ok := f.applied[name]; ok {
		return topology.Input{Name: "/etc/" + name + ".yaml", Data: []byte(text)}, nil
	}
	return topology.Input{}, fs.ErrNotExist
}

func (f *fakeHost) Begin() *reconcile.Session { return nil }

func (f *fakeHost) Close() error { return nil }

func (f *fakeHost) Diff(_ context.Context, t *topology.Topology) (plan.Plan, error) {
	f.asked = append(f.asked, "diff "+t.Name)
	return f.plans[t.Name], f.errs[t.Name]
}

func (f *fakeHost) Apply(_ context.Context, t *topology.Topology) (reconcile.Report, error) {
	return f.run("apply " + t.Name)
}

func (f *fakeHost) Destroy(_ context.Context, name string) (reconcile.Report, error) {
	return f.run("destroy " + name)
}

func (f *fakeHost) run(what string) (reconcile.Report, error) {
	f.asked = append(f.asked, what)
	_, name, _ := strings.Cut(what, " ")
	r, err := reconcile.Report{Plan: f.plans[name]}, f.errs[name]
	if errors.Is(err, reconcile.ErrRefused) || errors.Is(err, reconcile.ErrNotRun) {
		return r, err
	}
	for _, s := range r.Plan.Steps {
		o := plan.Outcome{Step: s, Result: plan.Done}
		if err != nil {
			o.Result, o.Err = plan.Failed, errors.New("busy")
		}
		r.Outcomes = append(r.Outcomes, o)
		f.options.Progress(o)
	}
	return r, err
}

// link is an object that only prints.
type link struct{ name string }

func (l link) Key() plan.Key   { return plan.Key{Kind: "link", Name: l.name} }
func (link) Needs() []plan.Key { return nil }
func (link) Describe() string  { return "bridge, mtu 1500" }
func step(a plan.Action, why string) plan.Step {
	return plan.Step{Action: a, Changes: []plan.Change{{New: link{"br0"}}}, Reason: why}
}

func planOf(s ...plan.Step) plan.Plan { return plan.Plan{Steps: s, Wanted: 9} }

// plumb runs the command line on a fake host. The words a.yaml and b.yaml stand for topologies called a and b.
func plumb(t *testing.T, h *fakeHost, stdout io.Writer, args ...string) (code int, stderr string) {
	t.Helper()
	dir := t.TempDir()
	for i, arg := range args {
		if name, ok := strings.CutSuffix(arg, ".yaml"); ok {
			args[i] = filepath.Join(dir, arg)
			if err := os.WriteFile(args[i], []byte("name: "+name+"\n"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	var b bytes.Buffer
	e := &env{stdin: strings.NewReader(""), stdout: stdout, stderr: &b, open: h.open}
	code = e.run(args)
	return code, strings.ReplaceAll(b.String(), dir+"/", "")
}

// fakeRun is a run of the command line on a fake host, and what becomes of it.
type fakeRun struct {
	name   string
	args   string
	host   fakeHost
	code   int
	asked  string
	stdout string
	stderr string
}

const both = "-f a.yaml -f b.yaml"

// ends is an error of a run that ends in a known way.
func ends(how error) error { return fmt.Errorf("apply a: link br0: busy: %w", how) }

func diffRuns() []fakeRun {
	create, refuse := step(plan.Create, ""), step(plan.Refuse, "already exists and was not made by plumb")
	return []fakeRun{
		{name: "diff in sync", args: "diff -f a.yaml", code: exitOK, asked: "diff a", stdout: "a: in sync (0 objects)\n"},
		{name: "diff", args: "diff -f a.yaml", host: fakeHost{plans: map[string]plan.Plan{"a": planOf(create)}},
			code: exitDiffers, asked: "diff a",
			stdout: "a (a.yaml)\n  + link br0  bridge, mtu 1500\nPlan: 1 to create.\n"},
		{name: "quiet diff", args: "diff -q -f a.yaml", host: fakeHost{plans: map[string]plan.Plan{"a": planOf(create)}},
			code: exitDiffers, asked: "diff a"},
		{name: "diff refused, the next is looked at too", args: "diff " + both,
			host: fakeHost{plans: map[string]plan.Plan{"a": planOf(create, refuse, refuse), "b": planOf(create)}},
			code: exitRefused, asked: "diff a, diff b",
			stdout: "a (a.yaml)\n  + link br0  bridge, mtu 1500\n" +
				"  ! link br0  already exists and was not made by plumb\n  ! link br0  already exists and was not made by plumb\n" +
				"Plan: 1 to create; 2 refused.\nb (b.yaml)\n  + link br0  bridge, mtu 1500\nPlan: 1 to create.\n",
			stderr: "plumb: a: refused: link br0: already exists and was not made by plumb (and 1 more)\n"},
		{name: "diff fails", args: "diff " + both, host: fakeHost{errs: map[string]error{"a": errors.New("EPERM")}},
			code: exitNotRun, asked: "diff a", stderr: "plumb: EPERM\nplumb: not started: b\n"},
		{name: "diff refused, then fails", args: "diff " + both,
			host: fakeHost{
				plans: map[string]plan.Plan{"a": planOf(refuse)},
				errs:  map[string]error{"b": ends(reconcile.ErrNotRun)},
			},
			code: exitRefused, asked: "diff a, diff b",
			stdout: "a (a.yaml)\n  ! link br0  already exists and was not made by plumb\nPlan: 1 refused.\n",
			stderr: "plumb: a: refused: link br0: already exists and was not made by plumb\n" +
				"plumb: apply a: link br0: busy: could not run, nothing was changed\n"},
	}
}

func applyRuns() []fakeRun {
	create, refuse := step(plan.Create, ""), step(plan.Refuse, "already exists and was not made by plumb")
	return []fakeRun{
		{name: "open fails", args: "apply -f a.yaml", host: fakeHost{openErr: reconcile.ErrNotRun},
			code: exitNotRun, stderr: "plumb: could not run, nothing was changed\n"},
		{name: "apply in sync", args: "apply -f a.yaml", host: fakeHost{plans: map[string]plan.Plan{"a": planOf()}},
			code: exitOK, asked: "apply a", stdout: "a: in sync (9 objects)\n"},
		{name: "apply", args: "apply " + both, host: fakeHost{plans: map[string]plan.Plan{"a": planOf(create)}},
			code: exitOK, asked: "apply a, apply b",
			stdout: "a (a.yaml)\n  + link br0  bridge, mtu 1500\nApplied: 1 created.\nb: in sync (0 objects)\n"},
		{name: "quiet apply", args: "apply -q -f a.yaml", host: fakeHost{plans: map[string]plan.Plan{"a": planOf(create)}},
			code: exitOK, asked: "apply a"},
		{name: "apply refused", args: "apply " + both,
			host: fakeHost{
				plans: map[string]plan.Plan{"a": planOf(refuse)},
				errs:  map[string]error{"a": ends(reconcile.ErrRefused)},
			},
			code: exitRefused, asked: "apply a",
			stdout: "a (a.yaml)\n  ! link br0  already exists and was not made by plumb\nPlan: 1 refused.\n",
			stderr: "plumb: apply a: link br0: busy: refused, nothing was changed\nplumb: not started: b\n"},
		{name: "apply rolled back", args: "apply " + both,
			host: fakeHost{
				plans: map[string]plan.Plan{"a": planOf(create)},
				errs:  map[string]error{"a": ends(reconcile.ErrRolledBack)},
			},
			code: exitRolledBack, asked: "apply a",
			stdout: "a (a.yaml)\n  + link br0  bridge, mtu 1500\n    failed: busy\nRolled back: 1 failed.\n",
			stderr: "plumb: apply a: link br0: busy: rolled back, all is as before\nplumb: not started: b\n"},
		{name: "apply keeps", args: "apply --keep -f a.yaml",
			host: fakeHost{errs: map[string]error{"a": ends(reconcile.ErrPartial)}},
			code: exitPartial, asked: "apply a", stderr: "plumb: apply a: link br0: busy: stopped part-way, changes are kept\n"},
		{name: "apply ends as nobody knows", args: "apply -f a.yaml",
			host: fakeHost{errs: map[string]error{"a": errors.New("lock: EIO")}},
			code: exitPartial, asked: "apply a", stderr: "plumb: lock: EIO\n"},
		{name: "rollback fails", args: "apply -f a.yaml",
			host: fakeHost{errs: map[string]error{"a": errors.Join(reconcile.ErrPartial, reconcile.ErrRollback)}},
			code: exitRollback, asked: "apply a", stderr: "plumb: stopped part-way, changes are kept\\nrollback failed\n"},
	}
}

func destroyRuns() []fakeRun {
	return []fakeRun{
		{name: "destroy nothing", args: "destroy lab1",
			code: exitOK, asked: "destroy lab1", stdout: "lab1: nothing to destroy\n"},
		{name: "destroy", args: "destroy lab1",
			host: fakeHost{plans: map[string]plan.Plan{"lab1": planOf(step(plan.Delete, "destroyed"))}},
			code: exitOK, asked: "destroy lab1", stdout: "lab1\n  - link br0  destroyed\nDestroyed: 1 deleted.\n"},
		{name: "destroy by file", args: "destroy -f a.yaml",
			code: exitOK, asked: "destroy a", stdout: "a: nothing to destroy\n"},
		{name: "destroy in part", args: "destroy lab1",
			host: fakeHost{errs: map[string]error{"lab1": ends(reconcile.ErrPartial)}},
			code: exitPartial, asked: "destroy lab1",
			stderr: "plumb: apply a: link br0: busy: stopped part-way, changes are kept\n"},
	}
}

func statusRuns() []fakeRun {
	there := func(plans map[string]plan.Plan) fakeHost {
		return fakeHost{topologies: []string{"a", "lost"}, applied: map[string]string{"a": "name: a\n"}, plans: plans}
	}
	drift := map[string]plan.Plan{"a": planOf(step(plan.Create, ""))}
	const lost = "lost: drift unknown: give -f\n"
	return []fakeRun{
		{name: "list", args: "list", host: there(nil), stdout: "a     /etc/a.yaml\nlost\n"},
		{name: "list nothing", args: "list", stderr: "plumb: there is no topology on this host\n"},
		{name: "list as JSON", args: "list -o json", stdout: "{\n  \"format\": \"plumb/status/v1\",\n  \"topologies\": []\n}\n"},
		{name: "status", args: "status", host: there(nil), asked: "diff a", stdout: "a: in sync (0 objects)\n" + lost},
		{name: "status with an exit code", args: "status --exit-code", host: there(nil), code: exitNotRun, asked: "diff a",
			stdout: "a: in sync (0 objects)\n" + lost},
		{name: "status of one that has drifted", args: "status a --exit-code", host: there(drift), code: exitDiffers,
			asked: "diff a", stdout: "a (/etc/a.yaml)\n  + link br0  bridge, mtu 1500\nPlan: 1 to create.\n"},
		{name: "status by a file", args: "status -f lost.yaml --exit-code", host: there(nil), asked: "diff lost",
			stdout: "lost: in sync (0 objects)\n"},
		{name: "status of none", args: "status b", host: there(nil), code: exitNotRun,
			stderr: "plumb: topology b is not on this host; there are: a, lost\n"},
		{name: "status that can't be told", args: "status a --exit-code", code: exitNotRun, asked: "diff a",
			host:   fakeHost{topologies: []string{"a"}, applied: map[string]string{"a": "name: a\n"}, errs: map[string]error{"a": errors.New("EIO")}},
			stdout: "a: EIO\n"},
		{name: "status of what can't be read", args: "status", host: fakeHost{topologies: []string{"a"}, applied: map[string]string{"a": "x: 1\n"}},
			stdout: "a: drift unknown: what was applied can't be read any longer, as after an upgrade or without its key files: give -f\n"},
	}
}

func TestRuns(t *testing.T) {
	for _, test := range slices.Concat(diffRuns(), applyRuns(), destroyRuns(), statusRuns()) {
		t.Run(test.name, func(t *testing.T) {
			var b bytes.Buffer
			code, stderr := plumb(t, &test.host, &b, strings.Fields(test.args)...)
			stdout := b.String()
			if i := strings.Index(stdout, t.Name()); i >= 0 {
				t.Fatal("the output names the test's directory")
			}
			check := func(what string, got, want any) {
				t.Helper()
				if got != want {
					t.Errorf("%s:\n%v\nwant\n%v", what, got, want)
				}
			}
			check("exit code", code, test.code)
			check("asked", strings.Join(test.host.asked, ", "), test.asked)
			check("stdout", baseNames(stdout), test.stdout)
			check("stderr", stderr, test.stderr)
		})
	}
}

// baseNames leaves out the directory of the files in the heads of plans.
func baseNames(s string) string {
	var b strings.Builder
	for line := range strings.Lines(s) {
		if head, path, ok := strings.Cut(line, " ("+os.TempDir()); ok {
			line = head + " (" + path[strings.LastIndex(path, "/")+1:]
		}
		b.WriteString(line)
	}
	return b.String()
}

func TestJSON(t *testing.T) {
	create, refuse := step(plan.Create, ""), step(plan.Refuse, "not ours")
	tests := []struct {
		name string
		args string
		host fakeHost
		want string // topology, actions and results of each document
	}{
		{"diff in sync", "diff -f a.yaml", fakeHost{}, "{a[]}"},
		{"diff", "diff -f a.yaml", fakeHost{plans: map[string]plan.Plan{"a": planOf(create)}}, "{a[create]}"},
		{"diff of two", "diff -f a.yaml -f b.yaml", fakeHost{plans: map[string]plan.Plan{"b": planOf(create)}},
			"[{a[]}{b[create]}]"},
		{"apply", "apply -q -f a.yaml", fakeHost{plans: map[string]plan.Plan{"a": planOf(create)}}, "{a[create done]}"},
		{"apply refused", "apply -f a.yaml", fakeHost{plans: map[string]plan.Plan{"a": planOf(refuse)},
			errs: map[string]error{"a": reconcile.ErrRefused}}, "{a[refuse skipped]refused, nothing was changed}"},
		{"apply fails", "apply -f a.yaml -f b.yaml", fakeHost{plans: map[string]plan.Plan{"a": planOf(create)},
			errs: map[string]error{"a": reconcile.ErrRolledBack}}, "[{a[create failed]rolled back, all is as before}]"},
		{"apply not run", "apply -f a.yaml", fakeHost{errs: map[string]error{"a": reconcile.ErrNotRun}}, ""},
		{"destroy", "destroy lab1", fakeHost{plans: map[string]plan.Plan{"lab1": planOf(step(plan.Delete, ""))}},
			"{lab1[delete done]}"},
		{"destroy nothing", "destroy lab1", fakeHost{}, "{lab1[]}"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var b bytes.Buffer
			plumb(t, &test.host, &b, strings.Fields("-o json "+test.args)...)
			if got := outline(t, b.Bytes()); got != test.want {
				t.Errorf("got %s, want %s, from\n%s", got, test.want, &b)
			}
		})
	}
}

func outline(t *testing.T, data []byte) string {
	t.Helper()
	if len(data) == 0 {
		return ""
	}
	var docs []plan.Document
	form := "%s"
	if data[0] == '[' {
		form = "[%s]"
		if err := json.Unmarshal(data, &docs); err != nil {
			t.Fatal(err)
		}
	} else {
		docs = make([]plan.Document, 1)
		if err := json.Unmarshal(data, &docs[0]); err != nil {
			t.Fatal(err)
		}
	}
	var b strings.Builder
	for _, d := range docs {
		var words []string
		for _, c := range d.Changes {
			words = append(words, string(c.Action))
			if c.Result != nil {
				words = append(words, string(*c.Result))
			}
		}
		fmt.Fprintf(&b, "{%s[%s]%s}", d.Topology, strings.Join(words, " "), d.Error)
	}
	return fmt.Sprintf(form, &b)
}

// The error of a step that failed begins with the step's place in the file.
func TestErrorNamesThePlace(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.WriteFile("lab.yml", []byte("name: lab\nbridges:\n  br0: {}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	h := fakeHost{plans: map[string]plan.Plan{"lab": planOf(step(plan.Create, ""))},
		errs: map[string]error{"lab": fmt.Errorf("apply lab: link br0: busy: %w", reconcile.ErrRolledBack)}}
	code, stderr := plumb(t, &h, io.Discard, "apply", "-f", "lab.yml")
	const want = "plumb: lab.yml:3: apply lab: link br0: busy: rolled back, all is as before\n"
	if code != exitRolledBack || stderr != want {
		t.Errorf("exit code %d, stderr %q, want %q", code, stderr, want)
	}
}

func TestFlagsReachTheHost(t *testing.T) {
	var h fakeHost
	plumb(t, &h, io.Discard, "apply", "-f", "a.yaml", "--adopt", "--keep", "--lock-timeout", "3s")
	o := h.options
	if !o.Adopt || !o.Keep || o.LockTimeout != 3*time.Second || o.Stop == nil || o.Warn == nil {
		t.Errorf("the host was opened with %+v", o)
	}
	plumb(t, &h, io.Discard, "destroy", "lab1")
	if o := h.options; o.Adopt || o.Keep || o.LockTimeout != 10*time.Second {
		t.Errorf("the host was opened with %+v", o)
	}
}

type brokenPipe struct{}

func (brokenPipe) Write([]byte) (int, error) { return 0, syscall.EPIPE }

// Output that nobody reads is no reason to say that a host was not changed, or to leave it half changed; but a diff
// that could not be printed is none.
func TestBrokenOutput(t *testing.T) {
	h := fakeHost{plans: map[string]plan.Plan{"a": planOf(step(plan.Create, ""))}}
	for args, want := range map[string]int{
		"apply -f a.yaml":         exitOK,
		"apply -f a.yaml -o json": exitOK,
		"diff -f a.yaml":          exitNotRun,
		"diff -f a.yaml -o json":  exitNotRun,
		"validate -f a.yaml":      exitNotRun,
	} {
		code, stderr := plumb(t, &h, brokenPipe{}, strings.Fields(args)...)
		if code != want || !strings.Contains(stderr, "broken pipe") {
			t.Errorf("plumb %s: exit code %d, want %d; stderr %q", args, code, want, stderr)
		}
	}
}

func TestColor(t *testing.T) {
	h := fakeHost{plans: map[string]plan.Plan{"a": planOf(step(plan.Create, ""))}}
	t.Setenv("NO_COLOR", "1")
	for mode, want := range map[string]bool{"auto": false, "never": false, "always": true} {
		var b bytes.Buffer
		plumb(t, &h, &b, "diff", "-f", "a.yaml", "--color", mode)
		if got := strings.Contains(b.String(), "\x1b[32m"); got != want {
			t.Errorf("--color %s: colored is %v", mode, got)
		}
	}
}
