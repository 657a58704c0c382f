package reconcile

import (
	"errors"
	"fmt"
	"slices"

	"github.com/plumbnet/plumb/pkg/kernel"
	"github.com/plumbnet/plumb/pkg/object"
	"github.com/plumbnet/plumb/pkg/plan"
)

// rounds bounds how often apply observes, plans and applies. One round is enough, unless somebody else changes things
// meanwhile: what later rounds do was not in the plan, and is reported so.
const rounds = 3

var (
	errInterrupted = errors.New("interrupted")
	errStopped     = errors.New("stopped at once")
)

// apply makes the host match r.want.
func (r *run) apply() error {
	want, err := r.observe(r.want, nil)
	if err != nil {
		return ended(ErrNotRun, err)
	}
	start, p := r.lists, r.guard(r.diff(want))
	r.report.Plan = p
	r.warn(p, nil)
	if p.Refused() {
		return refusal(p)
	}
	if err := r.interrupted(); err != nil {
		return ended(ErrNotRun, err)
	}
	r.Planned(p)
	kernel.MakeRoom(touchedBy(p.Steps).count(len(r.env.Sections)))
	before := r.record.Clone()
	err = r.converge(p, want)
	if err == nil && r.accept != nil {
		err = r.accept(r.ctx)
	}
	if err == nil && r.ConfirmWithin > 0 && len(p.Steps) > 0 {
		err = r.awaitConfirm()
	}
	if err != nil {
		return r.fail(err, start, before)
	}
	return nil
}

// refusal is the error of a plan that must not be applied; it tells the first reason.
func refusal(p plan.Plan) error {
	for _, s := range p.Steps {
		if s.Action == plan.Refuse {
			return ended(ErrRefused, fmt.Errorf("%s: %s", s.Key().Label(), s.Reason))
		}
	}
	return ErrRefused
}

// converge executes a plan, reads again, and goes on with what is left.
func (r *run) converge(p plan.Plan, want []plan.Object) error {
	var taken []plan.Step
	for round := range rounds {
		if err := r.prepare(p, want); err != nil {
			return err
		}
		if err := r.execute(p.Steps, round > 0, false); err != nil {
			return err
		}
		taken = append(taken, p.Steps...)
		if round > 0 || len(p.Steps) > 0 {
			var err error
			if p, want, err = r.verify(touchedBy(p.Steps)); err != nil {
				return err
			}
		}
		if len(p.Steps) == 0 {
			r.done(taken)
			return r.finish(want)
		}
	}
	return fmt.Errorf("not settled after %d rounds: %s", rounds, left(p))
}

// done lets the kinds do what is to be done when all is as it is wanted.
func (r *run) done(taken []plan.Step) {
	for _, k := range r.env.Table {
		if k.Done != nil && len(taken) > 0 {
			k.Done(r.env, taken)
		}
	}
}

// verify reads what steps can have changed. If that is not as it is wanted it reads all, and plans anew.
func (r *run) verify(touched sections) (p plan.Plan, want []plan.Object, err error) {
	for ; ; touched = nil {
		if want, err = r.observe(r.want, touched); err != nil {
			return p, nil, err
		}
		if p = r.diff(want); len(p.Steps) == 0 || touched == nil {
			return r.guard(p), want, nil
		}
	}
}

// left names what a plan still has to do.
func left(p plan.Plan) string {
	var words []string
	for _, s := range p.Steps {
		word := fmt.Sprintf("%s %s", s.Action, s.Key().Label())
		if o, ok := s.Changes[0].New.(plan.Named); ok && o.Called() != o.Key().Name {
			word += fmt.Sprintf(" (%s)", o.Called())
		}
		words = append(words, word)
	}
	return plan.Listing(words)
}

// prepare writes into the host record what the plan's steps will need told, should the run not come to its end.
func (r *run) prepare(p plan.Plan, want []plan.Object) error {
	pending := r.record.Pending[r.topology]
	for _, s := range p.Steps {
		told := r.env.Of(s.Key()).Pending
		if s.Action == plan.Refuse || told == nil {
			continue
		}
		for _, c := range s.Changes {
			pending = append(pending, told(s.Action, c)...)
			if k := c.Key(); k.Kind == object.KindNamespace && s.Action == plan.Create {
				r.record.ForgetNamespace(k.Name)
			}
		}
	}
	r.record.SetPending(r.topology, pending)
	r.record.SetAttached(r.topology, object.Attachments(r.attached(nil), r.record.Attached[r.topology]))
	r.record.SetHeld(r.topology, append(r.record.Held[r.topology], r.held(want)...))
	if !r.undoing {
		r.env.RecordMoved()
	}
	for _, o := range want {
		if r.env.Sections[o.Key().NS] == nil {
			continue
		}
		if _, err := r.claim(o); err != nil {
			return err
		}
	}
	return r.record.Save(r.Seam)
}

// held lists the wanted objects that the record must tell to be ours.
func (r *run) held(want []plan.Object) []plan.Key {
	links := make(map[plan.Key]bool)
	for _, o := range want {
		if k := o.Key(); k.Kind == object.KindLink && !r.env.Given(k) {
			links[k] = true
		}
	}
	var keys []plan.Key
	for _, o := range want {
		stands := func(k plan.Key) bool { return links[k] }
		onOurs := r.env.Owns(o.Key().NS) || slices.ContainsFunc(o.Needs(), stands)
		if told := r.env.Of(o.Key()).Held; told != nil && !r.env.Returned[o.Key()] && told(o, onOurs) {
			keys = append(keys, o.Key())
		}
	}
	return keys
}

// claim notes that the topology wants to give a value to something that is not plumb's, and, when it is the first to,
// what the value was. Changed says that the record did not know.
func (r *run) claim(o plan.Object) (changed bool, err error) {
	for _, w := range r.wishes(o) {
		was, known := r.env.Record.Claim(w.Key)
		if !known {
			if was, err = w.Original(); err != nil {
				return changed, err
			}
		}
		changed = r.record.Want(w.Key, was, r.topology, w.Value) || changed
	}
	return changed, nil
}

func (r *run) wishes(o plan.Object) []object.Wish {
	if row := r.env.Of(o.Key()); row.Wishes != nil {
		return row.Wishes(r.env, o)
	}
	return nil
}

// wished says whether something that is claimed is still wanted.
func (r *run) wished(want []plan.Object) func(plan.Key) bool {
	wishes := make(map[plan.Key]bool)
	for _, o := range want {
		for _, w := range r.wishes(o) {
			wishes[w.Key] = true
		}
	}
	return func(k plan.Key) bool { return wishes[k] || r.env.Wanted(k) }
}

// finish makes the host record tell the state that was reached.
func (r *run) finish(want []plan.Object) error {
	r.record.Leave(r.topology, r.wished(want))
	r.record.SetPending(r.topology, nil)
	r.env.ForgetMoved()
	r.record.SetHeld(r.topology, r.held(want))
	r.record.SetAttached(r.topology, r.attached(r.env.Wanted))
	return r.record.Save(r.Seam)
}

// destroy removes all that is the topology's. It goes on past failures.
func (r *run) destroy() error {
	r.leaving = true
	var failed error
	for round := 0; ; round++ {
		p, err := r.plan()
		switch {
		case err != nil && round > 0:
			return ended(ErrPartial, errors.Join(failed, err))
		case err != nil:
			return ended(ErrNotRun, err)
		case round == 0 && p.Refused():
			r.report.Plan = p
			return refusal(p)
		case round == 0:
			r.report.Plan = p
			r.warnOfChanges(p)
			r.Planned(p)
		}
		switch {
		case len(p.Steps) == 0:
			return r.destroyed()
		case round == rounds || errors.Is(failed, errInterrupted) || errors.Is(failed, errStopped):
			if failed == nil {
				failed = fmt.Errorf("not settled after %d rounds", rounds)
			}
			return ended(ErrPartial, fmt.Errorf("%w; left: %s", failed, left(p)))
		}
		failed = r.prepare(p, nil)
		err = r.execute(p.Steps, round > 0, true)
		failed = errors.Join(failed, err)
	}
}

// destroyed ends a destroy that has left nothing.
func (r *run) destroyed() error {
	if err := r.finish(nil); err != nil {
		return ended(ErrPartial, err)
	}
	r.dropApplied()
	return nil
}
