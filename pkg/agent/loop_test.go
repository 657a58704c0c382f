package agent

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/plumbnet/plumb/pkg/plan"
	"github.com/plumbnet/plumb/pkg/reconcile"
	"github.com/plumbnet/plumb/pkg/topology"
	"github.com/plumbnet/plumb/pkg/watch"
)

// thing is an object of a host that is made of nothing else.
type thing struct{ name string }

func (t thing) Key() plan.Key     { return plan.Key{Kind: "thing", Name: t.name} }
func (t thing) Needs() []plan.Key { return nil }
func (t thing) On() []plan.Key    { return nil }
func (t thing) Bears() []plan.Key { return nil }
func (t thing) Describe() string  { return "" }
func (t thing) After(_, _ plan.Object, _ plan.World) (plan.Object, bool) {
	return t, true
}

// fake is a session with a host that has lost some things.
type fake struct {
	mu      sync.Mutex
	lost    []string
	refused []string
	fails   error
	stands  error // in the way of a change
	passes  []reconcile.Touched
	changed []string
}

func (f *fake) Want(*topology.Topology) {}
func (f *fake) Close()                  {}

func (f *fake) Change(_ context.Context, t *topology.Topology, _ func(context.Context) error) (reconcile.Report, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.changed = append(f.changed, t.Document())
	return reconcile.Report{}, cmp.Or(f.stands, f.fails)
}

func (f *fake) plan() (p plan.Plan) {
	for _, name := range f.refused {
		p.Steps = append(p.Steps, plan.Step{Action: plan.Refuse, Changes: []plan.Change{{New: thing{name}}}})
	}
	for _, name := range f.lost {
		p.Steps = append(p.Steps, plan.Step{Action: plan.Create, Changes: []plan.Change{{New: thing{name}}}})
	}
	return p
}

func (f *fake) Look(_ context.Context, touched reconcile.Touched) (plan.Plan, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.passes = append(f.passes, touched)
	return f.plan(), f.fails
}

func (f *fake) Heal(_ context.Context, touched reconcile.Touched, leave func(plan.Key) bool) (reconcile.Report, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.passes = append(f.passes, touched)
	if f.fails != nil {
		return reconcile.Report{}, f.fails
	}
	r := reconcile.Report{Plan: f.plan()}
	var left []string
	for _, s := range r.Plan.Steps {
		switch {
		case s.Action == plan.Refuse:
		case leave(s.Key()):
			left = append(left, s.Key().Name)
		default:
			r.Outcomes = append(r.Outcomes, plan.Outcome{Step: s, Result: plan.Done})
		}
	}
	f.lost = left
	return r, nil
}

// stage runs a loop with a fake session, in a bubble of time.
type stage struct {
	*testing.T
	*fake
	heard  chan watch.Event
	inputs chan []Input
	now    chan struct{}
	follow []string

	dryRun bool
	told   []string
	last   Pass
}

func newStage(t *testing.T, dryRun bool) *stage {
	s := &stage{
		T: t, fake: new(fake), heard: make(chan watch.Event), inputs: make(chan []Input),
		now: make(chan struct{}), dryRun: dryRun,
	}
	l := &Loop{
		Begin: func(bool) Session { return s.fake }, Heard: s.heard, Inputs: s.inputs, Now: s.now, Passed: func(p Pass) { s.has(func() { s.last = p }) },
		Follow: func(names, attached []string) error { s.follow = append(names, attached...); return nil }, Tell: s.tell,
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); l.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-ended })
	return s
}

func (s *stage) tell(e Event) {
	line := fmt.Sprintf("%s %s", e.What, e.Topology.Name)
	for _, o := range e.Outcomes {
		line += " " + o.Step.Key().Name
	}
	if len(e.By) > 0 {
		line += " by " + strings.Join(e.By, ",")
	}
	if e.Err != nil {
		line += ": " + e.Err.Error()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.told = append(s.told, line)
}

// silent says whether it has told nothing, when it has nothing to do.
func (s *stage) silent() bool {
	synctest.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.told) == 0
}

// has gives the fake host something else than it had.
func (s *stage) has(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
}

// lose has the host lose things, and the loop hear of it.
func (s *stage) lose(names ...string) {
	s.has(func() { s.lost = append(s.lost, names...) })
	s.heard <- watch.Event{Section: "ns1", By: "pid 1 (x)", At: time.Now()}
}

// tells waits until the loop has nothing to do, and compares what it told since.
func (s *stage) tells(when string, want ...string) {
	s.Helper()
	synctest.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	if !slices.Equal(s.told, want) {
		s.Errorf("%s it told\n%q, want\n%q", when, s.told, want)
	}
	s.told = nil
}

// takes gives the loop documents.
func (s *stage) takes(documents ...string) {
	s.Helper()
	var list []Input
	for _, d := range documents {
		list = append(list, Input{Topology: topo(s.T, d), ReportOnly: s.dryRun})
	}
	s.inputs <- list
}

func topo(t *testing.T, yaml string) *topology.Topology {
	t.Helper()
	list, problems := topology.Load(topology.Input{Name: "lab.yaml", Data: []byte(yaml)})
	if len(list) != 1 {
		t.Fatal(problems)
	}
	return list[0]
}

const lab = "name: lab\nnamespaces: {ns1: {}, ns2: {}}\n"

func TestLoop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, false)
		s.takes(lab)
		s.tells("at first", "applied lab")
		if want := []string{"ns1", "ns2"}; !slices.Equal(s.follow, want) {
			t.Errorf("it follows %v, want %v", s.follow, want)
		}

		s.lose("a")
		s.tells("before it is quiet")
		time.Sleep(quiet)
		s.tells("after a loss", "healed lab a by pid 1 (x)")
		if touched := s.passes[len(s.passes)-1]; len(touched) != 1 || !touched["ns1"] {
			t.Errorf("the pass read %v, and ns1 was touched", touched)
		}

		s.takes(lab)
		s.tells("after the same file again")
		s.takes(lab + "bridges: {br0: {}}\n")
		s.tells("after an edit", "applied lab")
		s.takes()
		s.tells("without a file", "left lab")
	})
}

// TestLoopStorm holds that what does not end does not put a pass off for ever.
func TestLoopStorm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, false)
		s.takes(lab)
		s.has(func() { s.lost = []string{"a"} })
		for begun := time.Now(); time.Since(begun) < latest; time.Sleep(quiet / 2) {
			s.heard <- watch.Event{Section: "ns1", At: time.Now()}
		}
		s.tells("after half a second of a storm", "applied lab", "healed lab a")
	})
}

// Changes that were heard of long ago, while a pass was made, are seen by one pass.
func TestLoopBacklog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, false)
		s.takes(lab)
		s.has(func() { s.passes = nil })
		heard := time.Now()
		time.Sleep(time.Minute)
		for i := range 100 {
			s.heard <- watch.Event{Section: fmt.Sprint("n", i), At: heard}
			time.Sleep(time.Millisecond)
		}
		time.Sleep(time.Second)
		s.has(func() {
			if len(s.passes) != 1 || len(s.passes[0]) != 100 {
				t.Errorf("%d passes", len(s.passes))
			}
		})
	})
}

// TestLoopRivals holds that what is changed back again and again is healed less and less often, that all else is healed
// at once meanwhile, and that who changes it back is told once.
func TestLoopRivals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, false)
		s.takes(lab)
		s.tells("at first", "applied lab")
		var waits []string
		for range many + 2 {
			begun := time.Now()
			s.lose("a")
			for s.silent() {
				time.Sleep(quiet)
			}
			waits = append(waits, time.Since(begun).Round(time.Second).String())
			want := []string{"healed lab a by pid 1 (x)"}
			if len(waits) == many {
				want = append(want, "contested lab a by pid 1 (x)")
			}
			s.tells("when it was changed back", want...)
		}
		if want := "0s 0s 1s 2s 4s 8s 16s"; strings.Join(waits, " ") != want {
			t.Errorf("it waited %v, want %v", waits, want)
		}
		s.lose("a")
		s.lose("b")
		time.Sleep(quiet)
		s.tells("beside what rests", "healed lab b by pid 1 (x)")
		time.Sleep(longestRest)
		s.tells("when it has rested", "healed lab a by pid 1 (x)")
		s.lose("a")
		time.Sleep(quiet)
		s.tells("when the last heal has held", "healed lab a by pid 1 (x)")
	})
}

// TestLoopFails holds that a pass that fails is tried again, later and later, and with a look at all.
func TestLoopFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, false)
		s.takes(lab)
		s.tells("at first", "applied lab")
		s.has(func() { s.fails = errors.New("locked") })
		s.lose("a")
		time.Sleep(quiet)
		s.tells("at once", "failed lab by pid 1 (x): locked")
		time.Sleep(30 * firstRest)
		synctest.Wait()
		s.has(func() {
			if n := len(s.told); n < 3 || n > 6 {
				t.Errorf("in %v it tried %d times", 30*firstRest, n)
			}
			s.told, s.fails = nil, nil
		})
		time.Sleep(60 * firstRest)
		s.tells("when it can", "healed lab a")
		if touched := s.passes[len(s.passes)-1]; touched != nil {
			t.Errorf("after a failure it read only %v", touched)
		}
	})
}

func TestLoopCannotApply(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, false)
		s.fails = fmt.Errorf("no veth: %w", reconcile.ErrNotRun)
		s.takes(lab)
		s.tells("at first", "failed lab: "+s.fails.Error())
		s.has(func() { s.fails = nil })
		time.Sleep(2 * firstRest)
		s.tells("when it can", "applied lab")
	})
}

// TestLoopRefusedEdit holds that an edit that something stands in the way of is applied when that has gone, and that what
// was there before is kept until then.
func TestLoopRefusedEdit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, false)
		s.takes(lab)
		s.tells("at first", "applied lab")
		refusal := fmt.Errorf("link x: not ours: %w", reconcile.ErrRefused)
		s.has(func() { s.stands = refusal })
		s.takes(lab + "bridges: {x: {}}\n")
		s.tells("after the edit", "refused lab: "+refusal.Error())
		s.lose("a")
		time.Sleep(quiet)
		s.tells("after a loss", "healed lab a by pid 1 (x)")
		time.Sleep(10 * firstRest)
		s.tells("while it stands in the way")
		s.has(func() { s.stands = nil })
		time.Sleep(20 * firstRest)
		s.tells("when nothing does", "applied lab")
	})
}

// TestLoopRefused holds that what can't be healed is told once, until it is something else.
func TestLoopRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, false)
		s.takes(lab)
		s.has(func() { s.refused = []string{"x"} })
		s.lose("a")
		time.Sleep(quiet)
		s.tells("at first", "applied lab", "healed lab a by pid 1 (x)")
		time.Sleep(moment)
		s.tells("a moment later", "refused lab x")
		s.now <- struct{}{}
		time.Sleep(quiet + moment)
		s.tells("when it is asked to look")
		s.has(func() { s.refused = append(s.refused, "y") })
		s.now <- struct{}{}
		time.Sleep(quiet + moment)
		s.tells("when there is more", "refused lab x y")
		s.has(func() { s.refused = append(s.refused, "z") })
		s.now <- struct{}{}
		time.Sleep(quiet)
		s.has(func() { s.refused = s.refused[:2] })
		time.Sleep(moment)
		s.tells("of what is in the way for less than a moment")
	})
}

func TestLoopDryRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, true)
		s.takes(lab)
		s.tells("in sync")
		s.lose("a")
		time.Sleep(quiet)
		s.tells("after a loss", "drifted lab a by pid 1 (x)")
		s.now <- struct{}{}
		time.Sleep(quiet)
		s.tells("when it is asked to look")
		s.has(func() { s.lost = nil })
		time.Sleep(whole + whole/5)
		s.tells("when somebody has mended it, by the look at all", "in-sync lab")
		if len(s.changed) > 0 {
			t.Errorf("it applied %q", s.changed)
		}
	})
}

// TestLoopGate holds that what the gate refuses changes nothing, and is tried again as another attempt alone.
func TestLoopGate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, false)
		gate := errors.New("too much")
		offer := func(attempt int) {
			s.inputs <- []Input{{
				Topology: topo(t, lab), Attempt: attempt, Gate: func(context.Context) error { return gate },
			}}
		}
		offer(0)
		s.tells("at the gate", "refused lab: too much")
		s.is("at the gate", Stalled, Changed)
		s.lose("a")
		time.Sleep(longestRest)
		s.tells("later")
		if len(s.changed) > 0 {
			t.Errorf("it applied %q", s.changed)
		}
		gate = nil
		offer(0)
		s.tells("as the same attempt")
		offer(1)
		s.tells("when the gate opens", "applied lab")
		s.is("when the gate opens", Synced, Changed)
		gate = errors.New("too much")
		offer(2)
		s.tells("at the gate again", "refused lab: too much")
		s.lose("b")
		time.Sleep(quiet)
		s.tells("of what it had", "healed lab a b by pid 1 (x)")
		s.is("then", Synced, Heard)
	})
}

// TestLoopLeave holds that whoever gave a topology is told when it is given no more.
func TestLoopLeave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, false)
		left := false
		s.inputs <- []Input{{Topology: topo(t, lab), Leave: func(context.Context) { left = true }}}
		s.tells("at first", "applied lab")
		s.takes("name: other\n")
		s.tells("then", "applied other", "left lab")
		if !left {
			t.Error("it is not told")
		}
	})
}

// TestPass holds that each pass tells why it was made, and what it has left.
func TestPass(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, false)
		s.takes(lab)
		s.is("at first", Synced, Changed)
		s.has(func() { s.refused = []string{"x"} })
		s.lose("a")
		time.Sleep(quiet + moment)
		s.is("with something in the way", Differs, Retry)
		if len(s.last.Left) != 1 {
			t.Errorf("left: %+v", s.last.Left)
		}
		s.has(func() { s.refused = nil })
		s.now <- struct{}{}
		time.Sleep(quiet)
		s.is("when it is asked", Synced, Asked)
		for range many {
			s.lose("b")
			for s.told = nil; s.silent(); {
				time.Sleep(quiet)
			}
		}
		s.is("with a rival", Disputed, Retry)
		if len(s.last.Contested) != 1 {
			t.Errorf("contested: %v", s.last.Contested)
		}
	})
}

// is compares the last pass.
func (s *stage) is(when string, state State, trigger Trigger) {
	s.Helper()
	synctest.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.last.State != state || s.last.Trigger != trigger {
		s.Errorf("%s: %s by %s, want %s by %s", when, s.last.State, s.last.Trigger, state, trigger)
	}
}

// TestLoopAway holds that a namespace of others that is not there is told of once, and looked for again and again.
func TestLoopAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, false)
		s.takes(lab)
		s.tells("at first", "applied lab")
		away := errors.New("no container web")
		s.has(func() { s.fails = fmt.Errorf("%w; %w; %w", away, reconcile.ErrAway, reconcile.ErrNotRun) })
		s.lose("a")
		time.Sleep(quiet)
		s.tells("at once", "failed lab by pid 1 (x): "+s.fails.Error())
		passes := 0
		s.has(func() { passes = len(s.passes) })
		time.Sleep(20 * awayRest)
		s.tells("while it is away")
		s.has(func() {
			if n := len(s.passes) - passes; n < 15 || n > 25 {
				t.Errorf("it was looked for %d times", n)
			}
			s.fails = nil
		})
		time.Sleep(2 * awayRest)
		s.tells("when it is there", "healed lab a")
	})
}

// TestLoopAttached holds that what is heard of in a namespace of others is for the one topology that is attached to it.
func TestLoopAttached(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, false)
		s.takes("name: lab\nnamespaces: {web: {attach: 'docker:web'}, ns1: {}}\n", "name: other\n")
		s.tells("at first", "applied lab", "applied other")
		if want := []string{"ns1", "lab/web"}; !slices.Equal(s.follow, want) {
			t.Errorf("it follows %q, want %q", s.follow, want)
		}
		passes := 0
		s.has(func() { passes = len(s.passes) })
		s.heard <- watch.Event{Section: Attached("lab", "web"), At: time.Now()}
		time.Sleep(quiet)
		synctest.Wait()
		s.has(func() {
			if later := s.passes[passes:]; len(later) != 1 || !later[0]["web"] {
				t.Errorf("the passes read %v", later)
			}
		})
	})
}
