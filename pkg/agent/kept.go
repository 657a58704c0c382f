package agent

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/plumbnet/plumb/pkg/plan"
	"github.com/plumbnet/plumb/pkg/reconcile"
	"github.com/plumbnet/plumb/pkg/topology"
	"github.com/plumbnet/plumb/pkg/watch"
)

// kept is a topology that the loop keeps.
type kept struct {
	session Session
	input   Input
	wanted  *topology.Topology // what its file says
	has     *topology.Topology // what the session keeps; nil when nothing could be applied yet
	blocked bool               // what the file says could not be begun, and so can be tried again
	barred  bool               // the gate has refused what the file says
	rivals  rivals

	touched     reconcile.Touched // since the last pass; nil is all
	since       time.Time         // when the first change since the last pass was heard of; zero for none
	first, last time.Time         // when the first and the last were taken: later, where a pass was made meanwhile
	by          []string
	again       time.Time // when a pass is to be made, whatever is heard; zero for none
	failures    int       // passes in a row
	told        string    // what was refused, or has drifted, when that was told last
	doubt       string    // what was refused in the last pass alone
	why         string    // why what the file says could not be applied, when that was told last
	away        string    // what is waited for, when that was told last
	trigger     Trigger   // of the next pass
	objects     int       // that were wanted in the last pass
	left        []plan.Step
}

// hear notes what is to be read anew.
func (k *kept) hear(e watch.Event, t Trigger) {
	k.trigger = t
	switch {
	case e.All:
		k.touched = nil
	case k.touched != nil:
		k.touched[e.Section] = true
	}
	k.last = time.Now()
	if k.since.IsZero() {
		k.since, k.first = e.At, k.last
	}
	const most = 4
	if e.By != "" && !slices.Contains(k.by, e.By) && len(k.by) < most {
		k.by = append(k.by, e.By)
	}
}

// due is when the next pass is to begin, if one is.
func (k *kept) due() (at time.Time, ok bool) {
	if !k.since.IsZero() {
		at = k.last.Add(quiet)
		if end := k.first.Add(latest); end.Before(at) {
			at = end
		}
	}
	if !k.again.IsZero() && (at.IsZero() || k.again.Before(at)) {
		at = k.again
	}
	return at, !at.IsZero()
}

// take begins a pass: it gives what was touched since the last one, and who did that.
func (k *kept) take() (touched reconcile.Touched, since time.Time, by []string) {
	touched, since, by = k.touched, k.since, k.by
	if since.IsZero() {
		since = time.Now()
	}
	k.touched, k.since, k.by = reconcile.Touched{}, time.Time{}, nil
	if !k.blocked {
		k.again = time.Time{}
	}
	return touched, since, by
}

// change makes the host match what the file says now.
func (k *kept) change(ctx context.Context, l *Loop) error {
	begun := time.Now()
	k.take()
	k.again, k.rivals = time.Time{}, make(rivals)
	if k.input.ReportOnly {
		k.session.Want(k.wanted)
		k.has, k.touched = k.wanted, nil
		return k.look(ctx, l)
	}
	r, err := reconcile.Report{}, error(nil)
	if k.input.Gate != nil {
		err = k.input.Gate(ctx)
	}
	if k.barred = err != nil; !k.barred {
		r, err = k.session.Change(ctx, k.wanted, k.input.Accept)
	}
	e := Event{At: time.Now(), What: Applied, Topology: k.wanted, Outcomes: r.Outcomes, Took: time.Since(begun), Err: err}
	k.blocked = !k.barred && (errors.Is(err, reconcile.ErrRefused) || errors.Is(err, reconcile.ErrNotRun))
	if !k.barred && !errors.Is(err, reconcile.ErrRolledBack) { // else the host is as it was
		k.objects, k.left = r.Plan.Wanted, leftOf(r)
	}
	switch {
	case err == nil:
		k.has, k.told, k.why, k.failures = k.wanted, "", "", 0
		l.Tell(e)
		return nil
	case k.barred, errors.Is(err, reconcile.ErrRefused):
		e.What, e.Outcomes = Refused, refused(r.Plan)
	default:
		e.What = Failed
	}
	if k.why != err.Error() && ctx.Err() == nil {
		k.why = err.Error()
		l.Tell(e)
	}
	k.touched = nil // what it has instead is to be as it should be
	k.retry(err)
	return err
}

// pass makes a pass.
func (k *kept) pass(ctx context.Context, l *Loop) {
	retried := !k.again.IsZero() && !k.again.After(time.Now())
	if k.since.IsZero() {
		k.trigger = Retry
	}
	k.passed(l, func() error {
		switch {
		case k.input.ReportOnly:
			return k.look(ctx, l)
		case k.has == nil && k.barred: // and there is nothing that could be healed instead
			k.take()
			return nil
		case k.has == nil || k.blocked && retried:
			return k.change(ctx, l)
		}
		return k.heal(ctx, l)
	})
}

// look reports what has drifted, when that is something else than it was.
func (k *kept) look(ctx context.Context, l *Loop) error {
	touched, since, by := k.take()
	p, err := k.session.Look(ctx, touched)
	if err != nil {
		k.failed(ctx, l, Event{Err: err}, since)
		return err
	}
	k.failures, k.objects, k.left = 0, p.Wanted, p.Steps
	was := k.told
	if k.told = labels(p.Steps); k.told == was {
		return nil
	}
	e := Event{At: time.Now(), What: Drifted, Topology: k.has, Outcomes: p.Outcomes(""), By: by, Took: time.Since(since)}
	if len(p.Steps) == 0 {
		e.What = InSync
	}
	l.Tell(e)
	return nil
}

// heal brings back what was changed.
func (k *kept) heal(ctx context.Context, l *Loop) error {
	touched, since, by := k.take()
	begun := time.Now()
	r, err := k.session.Heal(ctx, touched, func(key plan.Key) bool { return k.rivals.rests(key, begun) })
	e := Event{What: Healed, Topology: k.has, Outcomes: r.Outcomes, By: by, Err: err}
	k.objects, k.left = r.Plan.Wanted, leftOf(r)
	if err != nil {
		k.failed(ctx, l, e, since)
		return err
	}
	k.failures = 0
	if e.At, e.Took = time.Now(), time.Since(since); len(r.Outcomes) > 0 {
		l.Tell(e)
	}
	k.tellRefused(l, r.Plan)
	k.noteRivals(l, e)
	if at := k.rivals.next(keys(r.Plan.Steps), begun); !at.IsZero() {
		k.by = by
		k.passAt(at)
	}
	return nil
}

// noteRivals notes what was healed, and tells what has become contested by that.
func (k *kept) noteRivals(l *Loop, e Event) {
	k.rivals.forget(e.At)
	e.What, e.Outcomes = Contested, slices.DeleteFunc(slices.Clone(e.Outcomes), func(o plan.Outcome) bool {
		return !k.rivals.heal(o.Step.Key(), e.At)
	})
	if len(e.Outcomes) > 0 {
		l.Tell(e)
	}
}

// tellRefused tells what can't be healed, when that is something else than it was, and still so a moment later: while
// somebody deletes a namespace, its name is there already for nothing.
func (k *kept) tellRefused(l *Loop, p plan.Plan) {
	list := refused(p)
	var steps []plan.Step
	for _, o := range list {
		steps = append(steps, o.Step)
	}
	now := labels(steps)
	switch {
	case now == k.told:
		k.doubt = ""
	case now != "" && now != k.doubt:
		k.doubt, k.touched = now, nil
		k.passAt(time.Now().Add(moment))
	default:
		k.told, k.doubt = now, ""
		if now != "" {
			l.Tell(Event{At: time.Now(), What: Refused, Topology: k.has, Outcomes: list})
		}
	}
}

// passAt has a pass made at a time, or before.
func (k *kept) passAt(at time.Time) {
	if k.again.IsZero() || at.Before(k.again) {
		k.again = at
	}
}

// failed tells of a pass that failed, unless it was told to end, and has all looked at again later.
func (k *kept) failed(ctx context.Context, l *Loop, e Event, since time.Time) {
	if ctx.Err() != nil && len(e.Outcomes) == 0 {
		return
	}
	e.At, e.What, e.Topology, e.Took = time.Now(), Failed, k.has, time.Since(since)
	k.touched = nil
	k.retry(e.Err)
	if away := e.Err.Error(); errors.Is(e.Err, reconcile.ErrAway) {
		if k.away == away {
			return // it was told, and is waited for
		}
		k.away = away
	}
	l.Tell(e)
}

// retry puts the next pass off, the longer the more passes have failed. What is only waited for is looked for often.
func (k *kept) retry(err error) {
	rest := longestRest
	switch {
	case errors.Is(err, reconcile.ErrAway):
		rest = awayRest
	case k.failures < 16:
		rest = min(firstRest<<k.failures, longestRest)
	}
	k.failures++
	k.again = time.Now().Add(about(rest))
}

func refused(p plan.Plan) []plan.Outcome {
	return slices.DeleteFunc(p.Outcomes(""), func(o plan.Outcome) bool { return o.Step.Action != plan.Refuse })
}

func keys(steps []plan.Step) (list []plan.Key) {
	for _, s := range steps {
		list = append(list, s.Key())
	}
	return list
}

// labels tells steps apart from others.
func labels(steps []plan.Step) (text string) {
	for _, s := range steps {
		text += string(s.Action) + " " + s.Key().Label() + " " + s.Reason + "\n"
	}
	return text
}
