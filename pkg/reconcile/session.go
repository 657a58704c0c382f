package reconcile

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/plumbnet/plumb/pkg/object"
	"github.com/plumbnet/plumb/pkg/plan"
	"github.com/plumbnet/plumb/pkg/topology"
)

// Session keeps a host as a topology wants it, in one pass after another. It remembers what the last pass has read, and
// a pass reads only what was touched since. Between passes it holds neither the lock nor any namespace but the host's
// own: one that somebody deletes is gone at once. One goroutine uses it at a time.
type Session struct {
	host   *Host
	want   *topology.Topology // nil before the first [Session.Change] or [Session.Want]
	last   *run               // what it has read; nil when the next pass reads all
	warned map[string]bool    // what was warned of since the last pass that read all, that included
}

// Touched are the sections, by name, that a pass reads anew; the host's own is "". Nil is all of them, and whatever else
// is there.
type Touched = map[string]bool

// Begin begins a session. [Session.Change] gives it a topology.
func (h *Host) Begin() *Session { return &Session{host: h} }

// Close forgets what the session knows. The host stays as it is.
func (s *Session) Close() {
	if s.last != nil {
		s.last.close()
	}
	s.last = nil
}

// Want says what the host should match, and changes nothing: for [Session.Look].
func (s *Session) Want(t *topology.Topology) {
	s.Close()
	s.want = t
}

// Change makes the host match t, as [Host.Apply] does, and if accept, unless that is nil, has no objection: its error
// rolls back what was done. After any error the session goes on with the topology that it had.
func (s *Session) Change(ctx context.Context, t *topology.Topology, accept func(context.Context) error) (Report, error) {
	if s.want != nil && s.want.Name != t.Name {
		return Report{}, fmt.Errorf("apply %s: %w", t.Name, ended(ErrRefused, fmt.Errorf(
			"the topology was called %s until now: destroy that first, or keep its name", s.want.Name)))
	}
	if err := seen(t.Objects()); err != nil {
		return Report{}, fmt.Errorf("apply %s: %w", t.Name, ended(ErrNotRun, err))
	}
	return s.locked(ctx, "apply", t, nil, func(r *run, _ sections) error {
		r.accept = accept
		if err := r.apply(); err != nil {
			return err
		}
		r.keepApplied(t)
		s.want = t
		return nil
	})
}

// Look says what a heal would do, and writes nothing.
func (s *Session) Look(ctx context.Context, touched Touched) (p plan.Plan, err error) {
	err = s.pass(ctx, s.want, touched, func(r *run, touched sections) error {
		want, err := r.observe(r.want, touched)
		if err != nil {
			return ended(ErrNotRun, err)
		}
		p = r.guard(r.diff(want))
		r.warn(p, touched)
		return nil
	})
	return p, err
}

// Heal brings back what the host has lost of the topology. It goes on past failures, and takes nothing back of what it
// did: going back would lead to the drift. Steps that are refused, that leave says to leave alone, or that need the
// object of such a one, are in the report's plan and have no outcome. The error is nil when nothing else is left.
func (s *Session) Heal(ctx context.Context, touched Touched, leave func(plan.Key) bool) (Report, error) {
	return s.locked(ctx, "heal", s.want, touched, func(r *run, touched sections) error { return r.heal(touched, leave) })
}

// locked makes a pass while nobody else can change the host.
func (s *Session) locked(
	ctx context.Context, verb string, t *topology.Topology, touched sections, f func(*run, sections) error,
) (report Report, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("%s %s: %w", verb, t.Name, err)
		}
	}()
	lock, err := s.host.takeLock(ctx)
	if err != nil {
		return Report{}, ended(ErrNotRun, err)
	}
	defer func() {
		if err := lock.Close(); err != nil { // how the pass ended stands
			s.host.Warn(err.Error())
		}
	}()
	err = s.pass(ctx, t, touched, func(r *run, touched sections) error {
		err := f(r, touched)
		report = r.report
		return err
	})
	return report, err
}

// pass makes a run with what the last one has read. Where that read another record, other runs were here meanwhile, and
// it reads all.
func (s *Session) pass(
	ctx context.Context, t *topology.Topology, touched sections, f func(*run, sections) error,
) error {
	rec, err := object.LoadRecord(s.host.dir)
	if err != nil {
		return ended(ErrNotRun, err)
	}
	warned := make(map[string]bool)
	host := *s.host
	host.Warn = func(text string) {
		if warned[text] = true; !s.warned[text] {
			s.host.Warn(text)
		}
	}
	r := &run{Host: &host, ctx: ctx, topology: t.Name, record: rec, source: t.Source}
	r.want = r.wanted(t)
	if last := s.last; last != nil {
		r.env, r.copies = last.env, last.copies
		if rec.Same(last.record) && s.want == t {
			r.want, r.lists, r.strangers = last.want, last.lists, last.strangers
		} else {
			touched = nil
		}
	} else {
		touched = nil
	}
	err = f(r, touched)
	if touched != nil { // of what was not touched it says nothing, and that stands
		maps.Copy(warned, s.warned)
	}
	s.warned = warned
	s.last = nil
	if r.env == nil || r.undoing || errors.Is(err, ErrNotRun) || s.want != t { // what a refused change wants is not kept
		r.close()
		return err
	}
	r.rest()
	s.last = r
	return err
}

// rest lets go of what a run should hold no longer than it works on it: the namespaces of others, which it pins, and
// what it has noted for the record, which tells of it now.
func (r *run) rest() {
	for _, name := range slices.Sorted(maps.Keys(r.env.Sections)) {
		if s := r.env.Sections[name]; s.Attached != nil {
			if r.Attached != nil {
				r.Attached(r.topology, name, s.NS)
			}
			s.NS.Close()
			delete(r.env.Sections, name)
			delete(r.lists, name)
		}
	}
	r.env.ForgetNotes()
}

// heal takes the steps to what is wanted, past failures.
func (r *run) heal(touched sections, leave func(plan.Key) bool) error {
	var taken []plan.Step
	var failed error
	for round := 0; ; round++ {
		want, err := r.observe(r.want, touched)
		if err != nil {
			return r.unhealed(taken, errors.Join(failed, err))
		}
		p := r.guard(r.diff(want))
		if round == 0 {
			r.report.Plan = p
			r.warn(p, touched)
		}
		refused := p.Refused()
		mine := r.without(want, p)
		p = p.Without(func(s plan.Step) bool { return s.Action == plan.Refuse || leave != nil && leave(s.Key()) })
		switch {
		case len(p.Steps) == 0 && len(taken) == 0:
			return nil
		case len(p.Steps) == 0 && refused:
			r.record.SetPending(r.topology, nil) // the rest of the record tells of what was ours before it was refused
			return r.record.Save(r.Seam)
		case len(p.Steps) == 0:
			r.done(taken)
			return r.finish(want)
		case round == rounds || errors.Is(failed, errInterrupted) || errors.Is(failed, errStopped):
			return r.unhealed(taken, fmt.Errorf("%w; left: %s", failed, left(p)))
		}
		if round == 0 {
			r.Planned(p)
		}
		failed = r.prepare(p, mine)
		failed = errors.Join(failed, r.execute(p.Steps, round > 0, true))
		if failed == nil {
			failed = errUnsettled
		}
		taken, touched = append(taken, p.Steps...), touchedBy(p.Steps)
	}
}

// without leaves out of what is wanted what a plan refuses: the record must not tell that somebody else's is ours.
func (r *run) without(want []plan.Object, p plan.Plan) []plan.Object {
	refused := refusals(p.Steps)
	return slices.DeleteFunc(slices.Clone(want), func(o plan.Object) bool { return refused[o.Key()] })
}

// errUnsettled is why a pass has something left though every step went well.
var errUnsettled = errors.New("somebody else changes it too")

// unhealed is the error of a heal that has left something.
func (r *run) unhealed(taken []plan.Step, err error) error {
	if len(taken) == 0 {
		return ended(ErrNotRun, err)
	}
	return ended(ErrPartial, err)
}
