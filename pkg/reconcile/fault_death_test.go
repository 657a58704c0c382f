package reconcile_test

import (
	"fmt"
	"testing"

	"github.com/plumbnet/plumb/pkg/battery/host"
)

// deaths kills the process at a write. The next apply converges, the topology works then, and destroy leaves nothing.
func (f *faultRun) deaths(t *testing.T) {
	for _, j := range host.Share(t, journeys(t)) {
		t.Run(j.name, func(t *testing.T) {
			d := f.field(t, j)
			for _, k := range f.pick(t.Name(), len(d.writes), some(j.whole, 4)) {
				d.die(k, false)
				d.die(k, true)
			}
			if j.to != nil {
				d.dieInRollback(6)
			}
		})
	}
}

// die kills the process at the k-th write of the journey.
func (d *field) die(k int64, after bool) {
	when := "before"
	if after {
		when = "after"
	}
	sort := fmt.Sprintf("killed %s a write of %s", when, d.verb())
	name := fmt.Sprintf("%s write %d", when, k)
	d.disturb(sort, name, func() {
		d.Logf("killed %s %q", when, d.writes[k-1])
		o := d.order()
		o.Die, o.After = k, after
		d.sacrifice(o)
		switch { // before a write all is as after the last one: once is enough for the snapshot
		case d.to == nil && after:
			d.arrived(d.from, d.before)
		case d.to == nil:
			d.arrived(d.from, "")
		case after:
			d.arrived(d.to, d.after)
		default:
			d.arrived(d.to, "")
		}
	})
	if !after || k%2 == 0 && some(false, 0) == 0 {
		return
	}
	d.disturb(sort+", then destroyed", name+", then destroyed", func() {
		d.Logf("killed %s %q", when, d.writes[k-1])
		o := d.order()
		o.Die, o.After = k, after
		d.sacrifice(o)
		d.gone()
	})
}

// dieInRollback lets the last write fail, and kills the process at each write of the rollback, or at some.
func (d *field) dieInRollback(sample int) {
	fail, back := int64(len(d.writes)), d.wayBack()
	for _, j := range d.run.pick(d.Name()+" rollback", len(back), some(d.from == nil && len(d.writes) < 25, sample)) {
		d.disturb("killed after a write of a rollback", fmt.Sprintf("after write %d of the rollback", j), func() {
			o := d.order()
			o.Fail, o.Die, o.After = fail, fail+j, true
			d.sacrifice(o)
			d.arrived(d.to, d.after)
		})
	}
}
