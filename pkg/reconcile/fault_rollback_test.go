package reconcile_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/plumbnet/plumb/pkg/battery/host"
	"github.com/plumbnet/plumb/pkg/kernel"
	"github.com/plumbnet/plumb/pkg/reconcile"
)

// rollbacks lets the last write of an apply fail, and then the writes of its rollback: once, which the rollback
// overcomes, or each time, so that something is left, which the error names. The next apply or destroy heals it.
func (f *faultRun) rollbacks(t *testing.T) {
	for _, j := range host.Share(t, journeys(t)) {
		if j.to == nil {
			continue
		}
		t.Run(j.name, func(t *testing.T) {
			d := f.field(t, j)
			back := d.wayBack()
			for _, k := range f.pick(t.Name(), len(back), some(false, 5)) {
				i, what := int(k-1), back[k-1]
				how := f.pickFailures(fmt.Sprint(t.Name(), i))[i%2]
				d.disturb("a write of a rollback, once", fmt.Sprintf("write %d, once: %v", i+1, how), func() {
					d.Logf("%q", what)
					d.failBack(i+1, "", how)
				})
				d.disturb("a write of a rollback, each time", fmt.Sprintf("write %d, each time", i+1), func() {
					d.Logf("%q", what)
					d.failBack(i+1, what, failure{unix.EBUSY, false})
				})
			}
		})
	}
}

// ofLinkLocal says whether a write is about an address that the kernel derives.
func ofLinkLocal(what string) bool { return strings.Contains(what, " address fe80:") }

// wayBack lists the writes of a rollback from the journey's end.
func (d *field) wayBack() []string {
	d.Helper()
	var back []string
	_, err := d.undone(func(_ int, w kernel.Write, write func() error) error {
		back = append(back, w.What)
		d.run.Writes[unnamed(w.What)] = true
		return write()
	})
	if !errors.Is(err, reconcile.ErrRolledBack) {
		d.Fatal(err)
	}
	return back
}

// undone makes the journey, whose last write fails. Back makes the writes of the rollback, which are counted from 1.
// When the kernel has spared the run a write, the one that fails is but the copy at its end, or none: it is made anew.
func (d *field) undone(back func(j int, w kernel.Write, write func() error) error) (reconcile.Report, error) {
	d.Helper()
	const tries = 10
	for range tries {
		n, spared := 0, true
		report, err := d.travel(&kernel.Seam{Around: func(w kernel.Write, write func() error) error {
			switch n++; {
			case n < len(d.writes):
				return write()
			case n > len(d.writes):
				return back(n-len(d.writes), w, write)
			}
			spared = strings.HasSuffix(w.What, appliedCopy)
			return errInjected
		}})
		if err != nil || !spared {
			return report, err
		}
		d.reset()
	}
	d.Fatalf("in each of %d tries there were fewer writes than at first:\n%s", tries, strings.Join(d.writes, "\n"))
	return reconcile.Report{}, nil
}

// failBack lets the last write of the journey fail, and the j-th write of the rollback, or all called what.
func (d *field) failBack(j int, what string, how failure) {
	d.Helper()
	report, err := d.undone(func(i int, w kernel.Write, write func() error) error {
		if what == "" && i == j || what != "" && w.What == what {
			return how.at(write)
		}
		return write()
	})
	switch {
	case errors.Is(err, reconcile.ErrRolledBack):
		d.restored("after the rollback", d.before)
		d.results(report)
	case errors.Is(err, reconcile.ErrRollback):
		d.exact(err, d.before)
	default:
		d.Errorf("%v\n%s", err, outcomes(report))
	}
	if j%2 == 0 {
		d.gone()
	} else {
		d.arrived(d.to, d.after)
	}
}
