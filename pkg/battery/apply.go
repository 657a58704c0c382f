package battery

import (
	"context"
	"errors"
	"time"

	"github.com/plumbnet/plumb/pkg/kernel"
	"github.com/plumbnet/plumb/pkg/plan"
	"github.com/plumbnet/plumb/pkg/reconcile"
	"github.com/plumbnet/plumb/pkg/topology"
)

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
