package agent

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/plumbnet/plumb/pkg/file"
	"github.com/plumbnet/plumb/pkg/plan"
	"github.com/plumbnet/plumb/pkg/reconcile"
	"github.com/plumbnet/plumb/pkg/source"
	"github.com/plumbnet/plumb/pkg/topology"
	"github.com/plumbnet/plumb/pkg/watch"
)

// world is a host with sessions and a source, and an agent that keeps it.
type world struct {
	*testing.T
	*Agent
	dir    string
	config string

	mu     sync.Mutex
	says   map[string]string // what the files of each source say, by its name; "" for none
	fails  map[string]error  // documents that can't be applied
	sick   error             // why nothing can be healed
	now    string            // the document that the host matches
	cuts   string            // the one with which no probe works
	plan   plan.Plan         // of a document that is new
	host   []string          // what the host was made to match, one after the other
	events []string
	said   []string
	kept   []string
	stop   func()
	early  func() // unless nil, called when the agent can be asked, and has tried nothing yet
}

// scene is a session of the world.
type scene struct{ *world }

func (s scene) Want(*topology.Topology) {}
func (s scene) Close()                  {}

func (s scene) Change(
	ctx context.Context, t *topology.Topology, accept func(context.Context) error,
) (reconcile.Report, error) {
	s.mu.Lock()
	err, before := s.fails[t.Document()], s.now
	s.now = strings.TrimSpace(t.Document())
	s.mu.Unlock()
	if err == nil && accept != nil {
		if err = accept(ctx); err != nil {
			err = fmt.Errorf("%w; %w", err, reconcile.ErrRolledBack)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		s.now = before
		return reconcile.Report{}, err
	}
	s.host = append(s.host, s.now)
	return reconcile.Report{}, nil
}

func (s scene) Look(context.Context, reconcile.Touched) (plan.Plan, error) { return plan.Plan{}, nil }

func (s scene) Heal(context.Context, reconcile.Touched, func(plan.Key) bool) (reconcile.Report, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return reconcile.Report{}, s.sick
}

// Diff implements [Host].
func (w *world) Diff(context.Context, *topology.Topology) (plan.Plan, error) { return w.plan, nil }

// Destroy implements [Host].
func (w *world) Destroy(_ context.Context, name string) (reconcile.Report, error) {
	w.note("destroy " + name)
	return reconcile.Report{}, nil
}

// Read implements [Source] for the entry that is called so.
type told struct {
	*world
	name string
}

func (s told) Changed() <-chan struct{} { return nil }

func (s told) Read(context.Context) (r source.Revision, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	text := s.says[s.name]
	if text == "" {
		return r, errors.New("out of reach")
	}
	return source.Revision{ID: text, Inputs: []topology.Input{{Name: s.name, Data: []byte(text)}}}, nil
}

func (w *world) note(what string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.host = append(w.host, what)
}

// The audience.
func (w *world) Told(e Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.events = append(w.events, string(e.What)+" "+e.Topology.Name)
}
func (w *world) Passed(Pass)                 {}
func (w *world) Fetched(string, error)       {}
func (w *world) Suspended(string, time.Time) {}
func (w *world) Kept(names []string)         { w.kept = names }
func (w *world) Ready()                      { w.note("ready") }
func (w *world) Stalled(name, _ string)      { w.note("stalled " + name) }
func (w *world) Say(text string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.said = append(w.said, text)
}

func newWorld(t *testing.T, config string) *world {
	w := &world{T: t, dir: t.TempDir(), config: config, says: make(map[string]string), fails: make(map[string]error)}
	t.Cleanup(func() { w.stop() })
	return w
}

// boot starts an agent, after ending the one that there was.
func (w *world) boot() {
	w.Helper()
	if w.stop != nil {
		w.stop()
	}
	c, problems := LoadConfig("/etc/plumb/agent.yaml", []byte(w.config))
	if problems.HasErrors() {
		w.Fatal(problems)
	}
	w.Agent = &Agent{
		Config: c, StateDir: w.dir, Version: "1", Host: w, Audience: w,
		Open: func(e *Entry, _ source.Highwater) (Source, error) { return told{w, filepath.Base(e.Name())}, nil },
		Probe: func(context.Context, Probe) error {
			w.mu.Lock()
			defer w.mu.Unlock()
			if w.now == w.cuts {
				return errors.New("no answer")
			}
			return nil
		},
		Loop: Loop{
			Begin: func(bool) Session { return scene{w} }, Follow: func(_, _ []string) error { return nil }, Heard: make(chan watch.Event),
		},
	}
	if err := w.Begin(); err != nil {
		w.Fatal(err)
	}
	if w.early != nil {
		w.early()
	}
	ctx, cancel := context.WithCancel(w.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); w.Agent.Run(ctx) }()
	w.stop = func() { cancel(); <-ended }
}

// say has a source say something, and the agent ask it.
func (w *world) say(name, text string) {
	w.mu.Lock()
	w.says[name] = text
	w.mu.Unlock()
	time.Sleep(2 * time.Minute)
	synctest.Wait()
}

// was compares what was done to the host since.
func (w *world) was(when string, want ...string) {
	w.Helper()
	synctest.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	if !slices.Equal(w.host, want) {
		w.Errorf("%s the host was\n%q, want\n%q\nit said %q", when, w.host, want, w.said)
	}
	w.host = nil
}

// state compares how a topology is.
func (w *world) state(when string, want State, reason string) {
	w.Helper()
	for _, t := range w.Status().Topologies {
		if t.Topology == "lab" && (t.State != want || !strings.Contains(t.Reason, reason) || (t.Reason == "") != (reason == "")) {
			w.Errorf("%s it is %s because %q, want %s because %q", when, t.State, t.Reason, want, reason)
		}
	}
}

const (
	labA = "name: lab\nbridges: {a: {}}"
	labB = "name: lab\nbridges: {b: {}}"
	labC = "name: lab\nbridges: {c: {}}"
)

const oneFile = "topologies: [{file: lab.yaml}]"

func (w *world) breaks(text string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.fails[text] = fmt.Errorf("b: no room; %w", reconcile.ErrRolledBack)
}

func (w *world) mends() {
	w.mu.Lock()
	defer w.mu.Unlock()
	clear(w.fails)
}

// TestLastGood holds that a document that fails is taken back, and that a boot needs nothing but what is on the disk.
func TestLastGood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, oneFile)
		w.boot()
		w.was("with nothing", "ready")
		w.say("lab.yaml", labA)
		w.was("at first", labA)
		w.state("at first", Synced, "")
		w.breaks(labB)
		w.say("lab.yaml", labB)
		w.was("after what fails", "stalled lab", labA)
		w.state("after what fails", Stalled, "no room")
		w.say("lab.yaml", "")
		w.boot()
		w.was("after a boot out of reach", labA, "ready")
		w.say("lab.yaml", labB)
		w.was("with what has failed", []string(nil)...)
		w.state("with what has failed", Stalled, "no room")
		w.say("lab.yaml", labC)
		w.was("with what works", labC)
		w.state("with what works", Synced, "")
	})
}

// TestBadIsTriedAgain holds that what failed is tried again after an hour, and when it is forced.
func TestBadIsTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, oneFile)
		w.boot()
		w.say("lab.yaml", labA)
		w.breaks(labB)
		w.say("lab.yaml", labB)
		w.mends()
		w.was("at first", "ready", labA, "stalled lab", labA)
		time.Sleep(badFor / 2)
		w.was("half an hour later", []string(nil)...)
		if err := w.Reconcile(t.Context(), "lab", false); err != nil {
			t.Fatal(err)
		}
		w.was("when it is asked", []string(nil)...)
		time.Sleep(badFor)
		w.was("an hour later", labB)
		w.breaks(labC)
		w.say("lab.yaml", labC)
		w.mends()
		w.was("after another", "stalled lab", labB)
		if err := w.Reconcile(t.Context(), "lab", true); err != nil {
			t.Fatal(err)
		}
		w.was("when it is forced", labC)
		w.state("when it is forced", Synced, "")
		if err := w.Reconcile(t.Context(), "none", true); err == nil || !strings.Contains(err.Error(), "none") {
			t.Errorf("of a topology that is not kept: %v", err)
		}
	})
}

// TestBadAtFirst holds that a document that fails without one before is tried again as it is.
func TestBadAtFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, oneFile)
		w.breaks(labA)
		w.boot()
		w.say("lab.yaml", labA)
		w.was("at first", "ready", "stalled lab")
		w.state("at first", Stalled, "no room")
		w.mends()
		time.Sleep(2 * badFor)
		w.was("later", labA)
		w.state("later", Synced, "")
	})
}

// TestGuard holds that what would delete most of what is there has to be forced.
func TestGuard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, oneFile)
		w.boot()
		w.say("lab.yaml", labA)
		w.was("at first", "ready", labA)
		gone := plan.Step{Action: plan.Delete, Changes: make([]plan.Change, 4)}
		w.plan = plan.Plan{Wanted: 2, Steps: []plan.Step{gone}}
		w.say("lab.yaml", labB)
		w.was("at the gate", "stalled lab", labA)
		w.state("at the gate", Stalled, "delete 4 of the 6 objects")
		if err := w.Reconcile(t.Context(), "lab", true); err != nil {
			t.Fatal(err)
		}
		w.was("when it is forced", labB)
		w.say("lab.yaml", labC)
		w.was("at the gate again: once was once", "stalled lab", labB)
		w.config = "topologies: [{file: lab.yaml, allow-disruptive: true}]"
		w.say("lab.yaml", "name: lab")
		w.was("with nothing left", "stalled lab", labB)
		w.boot()
		time.Sleep(2 * badFor)
		w.was("where it may", labB, "ready", "name: lab")
	})
}

// TestProbes holds that a change after which something does not work that did is taken back, and that what did not work
// before is not asked for.
func TestProbes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "topologies: [{file: lab.yaml, probes: [{from: ns1, ping: 192.0.2.1, within: 5s}]}]")
		w.boot()
		w.say("lab.yaml", labA)
		w.was("without what worked before", "ready", labA)
		w.cuts = labB
		w.say("lab.yaml", labB)
		w.was("after a cut", "stalled lab", labA)
		w.state("after a cut", Stalled, "the probe ping 192.0.2.1 from ns1, which worked before, does not work within 5s: no answer")
		w.say("lab.yaml", labC)
		w.was("with what works", labC)
		w.cuts = labC // somebody else cuts it
		w.say("lab.yaml", labA)
		w.was("after what did not work before either", labA)
	})
}

// TestProbesAfterKill holds that a probe is measured at the last good document, also when the agent was killed while
// the host had another one, and is asked at once after its start.
func TestProbesAfterKill(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, strings.Replace(oneFile, "lab.yaml", "lab.yaml, probes: [{from: host, ping: 10.0.0.1}]", 1))
		w.cuts = strings.TrimSpace(labB)
		w.boot()
		w.say("lab.yaml", labA)
		w.was("at first", "ready", labA)
		w.stop()
		w.now, w.says["lab.yaml"] = strings.TrimSpace(labB), labB
		w.early = func() { w.ask(t.Context(), w.entries[0]) }
		w.boot()
		time.Sleep(time.Minute)
		w.was("after the kill", labA, "ready", "stalled lab", labA)
		w.state("after the kill", Stalled, "which worked before, does not work")
	})
}

// TestSuspend holds that a suspended topology is left alone until that ends, whatever comes, and over a boot.
func TestSuspend(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, oneFile)
		w.boot()
		w.say("lab.yaml", labA)
		if err := w.Suspend("lab", time.Now().Add(time.Hour), "a new switch"); err != nil {
			t.Fatal(err)
		}
		w.say("lab.yaml", labB)
		w.was("while it is suspended", "ready", labA)
		w.state("while it is suspended", Suspended, "")
		if len(w.kept) > 0 {
			t.Errorf("it keeps %q", w.kept)
		}
		w.boot()
		time.Sleep(2 * time.Minute)
		w.was("after a boot", "ready")
		w.state("after a boot", Suspended, "")
		if err := w.Resume(t.Context(), "lab"); err != nil {
			t.Fatal(err)
		}
		w.was("when it is resumed", labB)
		w.state("when it is resumed", Synced, "")
		if err := w.Suspend("lab", time.Now().Add(time.Hour), ""); err != nil {
			t.Fatal(err)
		}
		w.say("lab.yaml", labC)
		w.was("while it is suspended again", []string(nil)...)
		time.Sleep(2 * time.Hour)
		w.was("when the time is over", labC)
		for _, err := range []error{
			w.Suspend("none", time.Now().Add(time.Hour), ""), w.Resume(t.Context(), "none"), w.Suspend("lab", time.Now(), ""),
		} {
			if err == nil {
				t.Error("it takes what it can't do")
			}
		}
	})
}

// TestLeft holds that a topology whose file says another is left as it is, and destroyed where the config says so.
func TestLeft(t *testing.T) {
	for config, want := range map[string][]string{
		oneFile: {"name: other"}, "topologies: [{file: lab.yaml, prune: true}]": {"name: other", "destroy lab"},
	} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, config)
			w.boot()
			w.say("lab.yaml", labA)
			w.was("at first", "ready", labA)
			w.say("lab.yaml", "name: other")
			w.was("then", want...)
			w.say("lab.yaml", "")
			w.boot()
			w.was("after a boot", "name: other", "ready")
		})
	}
}

// TestUnusable holds that a revision that can't be used changes nothing, and that the status says why.
func TestUnusable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "topologies: [{file: lab.yaml}, {file: more.yaml, allow: []}]")
		w.boot()
		w.say("lab.yaml", labA)
		w.was("at first", "ready", labA)
		for text, want := range map[string]string{
			"name: [": "lab.yaml:1", "name: lab\nbridge: {}": `unknown key "bridge"`, "": "out of reach",
		} {
			w.say("lab.yaml", text)
			w.was(text, []string(nil)...)
			if s := w.Status().Sources[0]; !strings.Contains(s.Error, want) {
				t.Errorf("%q: %q, want %q", text, s.Error, want)
			}
			w.state(text, Synced, "")
		}
		for text, want := range map[string]string{
			labB: "topology lab comes from /etc/plumb/lab.yaml already",
			"name: more\nsysctls: {net.ipv4.ip_forward: 1}": "more.yaml:2:1: the agent's config does not let",
		} {
			w.say("more.yaml", text)
			w.was(text, []string(nil)...)
			if s := w.Status().Sources[1]; !strings.Contains(s.Error, want) {
				t.Errorf("%q: %q, want %q", text, s.Error, want)
			}
		}
	})
}

// TestNoRoom holds that a document is not applied that could not be kept as the last good one.
func TestNoRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, oneFile)
		w.boot()
		w.say("lab.yaml", labA)
		full := filepath.Join(w.dir, "good", "lab"+beside)
		if err := os.Mkdir(full, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(full, "file"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		w.say("lab.yaml", labB)
		w.was("with no room", "ready", labA)
		w.state("with no room", Synced, "keep what the agent knows")
		if err := os.RemoveAll(full); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Minute)
		w.was("with room", labB)
	})
}

// TestLastGoodFails holds that the agent stays where the last good document can't be applied either, and tries it again.
func TestLastGoodFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, oneFile)
		w.boot()
		w.say("lab.yaml", labA)
		w.says["lab.yaml"] = ""
		w.breaks(labA)
		w.boot()
		w.was("after a boot", "ready", labA, "ready")
		w.state("after a boot", Stalled, "no room")
		w.mends()
		time.Sleep(2 * longestRest)
		w.was("later", labA)
		w.state("later", Synced, "")
	})
}

// TestHealFails holds that a document is not bad because something of it can't be healed for now.
func TestHealFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, oneFile)
		w.boot()
		w.say("lab.yaml", labA)
		w.sick = fmt.Errorf("busy; %w", reconcile.ErrPartial)
		if err := w.Reconcile(t.Context(), "lab", false); err != nil {
			t.Fatal(err)
		}
		w.state("while nothing heals", Differs, "")
		w.mu.Lock()
		w.sick = nil
		w.mu.Unlock()
		time.Sleep(longestRest)
		w.state("later", Synced, "")
		w.was("all the time", "ready", labA)
	})
}

// TestGarbage holds that what can't be read of the state is as if it were not there.
func TestGarbage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, oneFile)
		w.boot()
		w.say("lab.yaml", labA)
		w.stop()
		for _, name := range []string{"bad.json", "suspend.json", "good/lab", "good/lab.new", "good/Other"} {
			if err := os.WriteFile(filepath.Join(w.dir, name), []byte(`{"document": "name: [`), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		w.says["lab.yaml"] = labB
		w.boot()
		w.was("then", "ready", labA, "ready", labB)
		if len(w.said) == 0 {
			t.Error("nothing is said of it")
		}
	})
}

// TestConfig holds what is wrong with configs, and where.
func TestConfig(t *testing.T) {
	for text, want := range map[string]string{
		"":                                                        "a config is one YAML document",
		"topologies: []":                                          "1:13: topologies is empty",
		"topologies: [{}]":                                        "1:14: an entry of topologies has one of file, directory and git, not 0",
		"topologies: [{file: a, directory: b}]":                   "not 2",
		"topologies: [{fiel: a}]":                                 `unknown key "fiel"`,
		"topologies: [{file: a, mode: off}]":                      "mode",
		"topologies: [{file: a, interval: 1s}]":                   "interval must be 5s at least",
		"topologies: [{file: a, allow: [all]}]":                   "allow",
		"topologies: [{file: a, probes: [{}]}]":                   "a probe has one of ping and tcp",
		"topologies: [{file: a, probes: [{tcp: 80}]}]":            "is no address with a port",
		"topologies: [{git: {url: -x}}]":                          "git would take it for an option",
		"topologies: [{git: {url: 'ssh://a/b', path: ../x}}]":     "leads out of the repository",
		"topologies: [{git: {}}]":                                 "url",
		"{topologies: [{file: a}], metrics: {listen: localhost}}": "is no address with a port",
	} {
		_, problems := LoadConfig("agent.yaml", []byte(text))
		if !slices.ContainsFunc(problems, func(p file.Problem) bool { return strings.Contains(p.String(), want) }) {
			t.Errorf("%s: %v, want %q", text, problems, want)
		}
	}
	c, problems := LoadConfig("/etc/plumb/agent.yaml", []byte(`topologies:
  - directory: labs/
    keys: keys
  - git: {url: "ssh://git@host/net.git", path: hosts/a.yaml, known-hosts: hosts}
    mode: warn
    probes: [{ping: 192.0.2.1}]
`))
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	a, b := c.Topologies[0], c.Topologies[1]
	if a.Directory != "/etc/plumb/labs" || a.Keys != "/etc/plumb/keys" || a.Mode != "enforce" || !a.allows("host-nat") ||
		b.Git.Ref != "main" || b.Git.KnownHosts != "/etc/plumb/hosts" || b.allows("host-nat") || b.allows("keys") ||
		b.Probes[0].From != "host" || b.Probes[0].Within == 0 {
		t.Errorf("%+v\n%+v", a, b)
	}
}

// TestExample holds that the example is a config.
func TestExample(t *testing.T) {
	const name = "../../examples/gitops/agent.yaml"
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if _, problems := LoadConfig(name, data); len(problems) > 0 {
		t.Error(problems)
	}
}

// TestHold holds that there is one agent, and that all others learn what it keeps, to its end.
func TestHold(t *testing.T) {
	dir := t.TempDir()
	if _, running := Holder(dir); running {
		t.Error("one is running before")
	}
	h, err := TakeHold(dir, 7)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(h.Tell([]string{"a", "bc"}), h.Tell([]string{"a"})); err != nil {
		t.Fatal(err)
	}
	if _, err := TakeHold(dir, 7); err == nil || !strings.Contains(err.Error(), fmt.Sprint(os.Getpid())) {
		t.Errorf("the second: %v", err)
	}
	held, running := Holder(dir)
	if !running || held.Cookie != 7 || held.PID != os.Getpid() || !slices.Equal(held.Topologies, []string{"a"}) {
		t.Errorf("%+v, %v", held, running)
	}
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
	if _, running := Holder(dir); running {
		t.Error("one is running after its end")
	}
}

// TestReconcileWithNothing holds that there is nothing to wait for where nothing is kept.
func TestReconcileWithNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, oneFile)
		w.boot()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := w.Reconcile(ctx, "", false); err != nil {
			t.Error(err)
		}
	})
}
