package main

import (
	"context"
	"errors"
	"fmt"
	"os/signal"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/plumbnet/plumb/pkg/agent"
	"github.com/plumbnet/plumb/pkg/plan"
	"github.com/plumbnet/plumb/pkg/reconcile"
	"github.com/plumbnet/plumb/pkg/topology"
)

// host is what the commands need of [reconcile.Host].
type host interface {
	Diff(context.Context, *topology.Topology) (plan.Plan, error)
	Apply(context.Context, *topology.Topology) (reconcile.Report, error)
	Destroy(context.Context, string) (reconcile.Report, error)
	Confirm(string) error
	Topologies() ([]string, error)
	Sections(topology string) ([]string, error)
	Show(ctx context.Context, topology string) ([]reconcile.Shown, error)
	Inside(topology, section string, f func() error) error
	Applied(string) (topology.Input, error)
	Begin() *reconcile.Session
	Cookie() uint64
	Close() error
}

func openHost(o reconcile.Options) (host, error) {
	h, err := reconcile.Open(o)
	if err != nil {
		return nil, err // not h: a nil *Host in an interface is not nil
	}
	return h, nil
}

// target is a topology that a command is about. Destroy may know no more than its name.
type target struct {
	name, file string
	topology   *topology.Topology
	source     func(plan.Key) (plan.Source, bool)
	gone       bool // it is in no file any longer, and is to be destroyed
}

func targets(topologies []*topology.Topology) []target {
	var all []target
	for _, t := range topologies {
		all = append(all, target{name: t.Name, file: t.File, topology: t, source: t.Source})
	}
	return all
}

// locate puts the place in the file of the step that failed before its error.
func (t target) locate(report reconcile.Report, err error) error {
	if i := slices.IndexFunc(report.Outcomes, func(o plan.Outcome) bool { return o.Result == plan.Failed }); i >= 0 {
		if src, ok := report.Outcomes[i].Step.Source(t.source); ok {
			return fmt.Errorf("%s:%d: %w", src.File, src.Line, err)
		}
	}
	return err
}

// change is a command that writes: how to do it to one topology, and how to speak of it.
type change struct {
	options reconcile.Options
	act     func(context.Context, host, target) (reconcile.Report, error)
	// takeover suspends in the agent what that keeps of the targets.
	takeover bool
	// metricsFile is where metrics are written; empty for nowhere.
	metricsFile string
	metrics     *agent.Metrics
	// done heads the sum: "Applied". Finish says what an interrupted run still does.
	done, finish string
	// idle says that there was nothing to do.
	idle func(e *env, h host, t target, p plan.Plan) error
}

// interruption says what becomes of a run that is interrupted while it does it: what nobody has confirmed must not
// stay.
func (c *change) interruption(begun *atomic.Bool) *interruption {
	return &interruption{c.finish, c.options.ConfirmWithin > 0, begun}
}

// change does it to each target in turn, until one fails.
func (e *env) change(ctx context.Context, c change, targets []target) error {
	// A reader of the output that goes away must not leave a host half changed. It stays ignored: to the process's end
	// its exit code must tell how the run went.
	signal.Ignore(syscall.SIGPIPE)
	ends := hearEndings()
	defer ends.release()
	if !e.quiet && !e.verbose {
		e.live = newLive(e.stdout, e.stderr)
		defer e.live.end()
	}
	now, begun, at := new(progress), new(atomic.Bool), new(atomic.Pointer[interruption])
	at.Store(c.interruption(begun))
	ctx, stop, end := e.watch(ctx, ends.signals, at)
	defer end()

	c.options.Stop = stop
	e.tells(&c.options, now, ends.heard.Wait, begun)
	h, err := e.open(c.options)
	if err != nil {
		return hostError(err)
	}
	defer e.closeHost(h)
	if err := e.free(ctx, h, targets, c.takeover); err != nil {
		return err
	}

	var docs []plan.Document
	var broken error // output that could not be written does not end a run
	for i, t := range targets {
		c := c
		if t.gone {
			c = destroying
		}
		start := time.Now()
		begun.Store(false)
		at.Store(c.interruption(begun))
		*now = progress{env: e, text: e.text(t)}
		var report reconcile.Report
		report, err = c.act(ctx, h, t)
		c.count(t, start, report, err)
		now.end(c, h, t, report, err)
		broken = errors.Join(broken, now.broken)
		if err == nil || len(report.Plan.Steps)+len(report.Outcomes) > 0 {
			docs = append(docs, document(t, report, err))
		}
		if err != nil {
			err = t.locate(report, err)
			e.notBegun(targets[i+1:])
			break
		}
		e.took(t.name+": "+strings.ToLower(c.done), start)
	}
	if e.json() {
		broken = errors.Join(broken, e.printDocuments(docs, len(targets)))
	}
	if broken != nil {
		e.say("warning: not all could be printed: %v", broken)
	}
	if failed := c.writeMetrics(); failed != nil {
		e.warn(fmt.Sprintf("the metrics are not written: %v", failed))
	}
	return runError(err)
}

// tells sets the options by which a run tells what it does, now of the topology at hand. Heard waits until signals are
// heard, and begun becomes true before a run changes anything.
func (e *env) tells(o *reconcile.Options, now *progress, heard func(), begun *atomic.Bool) {
	o.Warn, o.LockTimeout, o.AllowDisconnect = e.warn, e.lockTimeout, e.allowDisconnect
	o.Planned = func(p plan.Plan) {
		heard()
		begun.Store(true)
		now.begin(p)
	}
	o.Queued = func(holder string, timeout time.Duration) {
		heard()
		if !e.quiet {
			e.say("waiting up to %v for another run: %s", timeout, holder)
		}
	}
	o.Waiting = func(within time.Duration) {
		e.live.clear()
		e.say("rolling back in %v; to keep the changes: plumb confirm %s", within, now.text.Name)
	}
	if e.verbose { // which tells of one write after the other
		o.Trace = e.trace
	} else {
		o.Workers = e.workers
	}
	o.Progress = func(outcome plan.Outcome) { now.step(outcome) }
	o.Working = e.live.work
}

func (e *env) closeHost(h host) {
	if err := h.Close(); err != nil {
		e.warn(err.Error())
	}
}

// notBegun notes the targets that a failure keeps from being begun: they are named after it.
func (e *env) notBegun(rest []target) {
	for _, t := range rest {
		e.unstarted = append(e.unstarted, t.name)
	}
}

// progress prints what a command does to one target.
type progress struct {
	*env
	text   *plan.Text
	begun  bool
	broken error // the first error of the output
}

func (p *progress) note(err error) {
	if p.broken == nil {
		p.broken = err
	}
}

// begin prints the head of the steps, and makes room for those that are planned.
func (p *progress) begin(planned plan.Plan) {
	if p.silent() || p.begun || len(planned.Steps) == 0 {
		return
	}
	p.begun = true
	p.text.Fit(planned)
	p.live.over(func() { p.note(p.text.WriteHead(p.stdout)) })
}

// step prints a step as it ends.
func (p *progress) step(o plan.Outcome) {
	if !p.silent() {
		p.begin(plan.Plan{Steps: []plan.Step{o.Step}})
		p.live.over(func() { p.note(p.text.WriteLine(p.stdout, o)) })
	}
}

// end prints the sum of the steps. The error, if there is one, is printed when the command ends.
func (p *progress) end(c change, h host, t target, report reconcile.Report, err error) {
	p.live.clear()
	switch {
	case p.silent():
	case len(report.Outcomes) > 0:
		done := c.done
		if errors.Is(err, reconcile.ErrRolledBack) {
			done = "Rolled back"
		}
		p.note(p.text.WriteSum(p.stdout, done, report.Outcomes))
	case err == nil:
		p.note(c.idle(p.env, h, t, report.Plan))
	case errors.Is(err, reconcile.ErrRefused):
		p.note(p.text.WritePlan(p.stdout, report.Plan))
	}
}

func document(t target, report reconcile.Report, err error) plan.Document {
	doc := plan.NewDocument(t.name, outcomes(report), t.source)
	if err != nil {
		doc.Error = err.Error()
	}
	return doc
}

// outcomes are what became of the steps of a run. When it did not begin, all were skipped.
func outcomes(report reconcile.Report) []plan.Outcome {
	if len(report.Outcomes) == 0 {
		return report.Plan.Outcomes(plan.Skipped)
	}
	return report.Outcomes
}
