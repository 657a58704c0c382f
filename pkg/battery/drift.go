package battery

import (
	"context"
	"errors"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/plumbnet/plumb/pkg/battery/host"
	"github.com/plumbnet/plumb/pkg/battery/snapshot"
	"github.com/plumbnet/plumb/pkg/plan"
	"github.com/plumbnet/plumb/pkg/reconcile"
)

// hand makes each change by hand. Diff sees it, and apply undoes it by just the steps that diff showed, without
// making a link anew that need not be.
func (r *trial) hand() {
	r.each(r.c.Hand, func(d Drift, before map[string]identity, drifted string) {
		if drifted == r.made {
			r.Error("the snapshot does not see the change")
		}
		p := r.seen(r.from, drifted)
		if !d.Passes {
			r.undone(drifted)
		}
		for _, want := range d.Plan {
			if !strings.Contains("\n"+PlanText(p), "\n"+want) {
				r.Errorf("the plan lacks %q", want)
			}
		}
		var done plan.Plan
		for _, o := range r.apply(r.from).Outcomes {
			done.Steps = append(done.Steps, o.Step)
		}
		if shown, did := PlanText(p), PlanText(done); shown != did {
			r.Errorf("diff showed\n%sapply did\n%s", shown, did)
		}
		r.is("after the change was undone", r.made)
		r.kept(before, d.Anew)
		if r.Failed() {
			r.Logf("the plan was\n%s", PlanText(p))
		}
	})
}

// undone says that an apply which nobody confirms leads back to what it found.
func (r *trial) undone(before string) {
	r.Helper()
	h, err := reconcile.Open(reconcile.Options{
		LockTimeout: lockTime, Seam: r.seam, AllowDisconnect: true, ConfirmWithin: time.Microsecond,
	})
	r.must(err)
	report, err := h.Apply(context.Background(), r.from)
	if err = errors.Join(err, h.Close()); !errors.Is(err, reconcile.ErrRolledBack) {
		r.Errorf("from what the hand has made: %v\n%s", err, Outcomes(report))
	}
	const limit = 5 * time.Second
	for deadline := time.Now().Add(limit); ; {
		s, err := snapshot.Rest()
		r.must(err)
		if s.Text == before || time.Now().After(deadline) { // a carrier may lag
			if d := snapshot.Difference(before, s.Text); d != "" {
				r.Errorf("after a rollback the host differs (- before, + now):\n%s\n%s", d, Outcomes(report))
			}
			return
		}
	}
}

// others makes each thing of another program. Diff sees nothing, and apply changes nothing.
func (r *trial) others() {
	r.each(r.c.Others, func(_ Drift, _ map[string]identity, drifted string) {
		if drifted == r.made {
			r.Error("the snapshot does not see it")
		}
		r.again(r.from, drifted)
	})
	if len(r.c.Others) > 0 { // some of it goes with the topology, and some does not
		r.destroy()
		var names []string
		for _, end := range widowed.FindAllStringSubmatch(r.settle(), -1) {
			names = append(names, end[1])
		}
		r.gone(names)
		r.empty = r.settle()
	}
}

// widowed are ends of cables on the host that the kernel deletes a moment after the namespace of the other end.
var widowed = regexp.MustCompile(`(?m)^host: link (\S+) peer in a namespace without a name$`)

// each makes each change, and begins anew after one that fails.
func (r *trial) each(list []Drift, test func(d Drift, before map[string]identity, drifted string)) {
	for _, d := range list {
		r.tried.Changes++
		ok := r.sub(d.Name, func() {
			before := r.links()
			r.run(d.Do...)
			r.gone(d.Gone)
			s, err := snapshot.Rest()
			r.must(err)
			test(d, before, s.Text)
		})
		if !ok {
			_, _ = r.tryDestroy(r.seam)
			_, _ = r.tryApply(r.from, r.seam)
			r.made = r.settle()
		}
	}
}

// gone waits until the kernel has deleted links.
func (r *trial) gone(names []string) {
	r.Helper()
	if len(names) == 0 {
		return
	}
	watch, err := host.NewWatch()
	r.must(err)
	defer watch.Close()
	const limit = 30 * time.Second
	for deadline := time.Now().Add(limit); ; {
		left := r.links()
		if !slices.ContainsFunc(names, func(name string) bool { _, ok := left[name]; return ok }) {
			return
		}
		if time.Now().After(deadline) {
			r.Fatalf("after %s the kernel has not deleted all of %v", limit, names)
		}
		r.must(watch.Wait(time.Second))
	}
}
