package battery

import (
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/plumbnet/plumb/pkg/kernel"
	"github.com/plumbnet/plumb/pkg/reconcile"
	"github.com/plumbnet/plumb/pkg/topology"
)

// way is a run that is disturbed at its writes: an apply from one topology, or none, to another; or a destroy.
type way struct {
	name          string
	from, to      *topology.Topology // nil for none
	text          string             // of to
	before, after string
}

// sort is a way for a write to go wrong.
type sort struct {
	name  string
	death bool // the process is killed, and else the write is reported as failed
	made  bool // after the write was made, and else before
}

var sorts = []sort{
	{"fails", false, false}, {"fails though made", false, true},
	{"killed before", true, false}, {"killed after", true, true},
}

// faults disturbs each way that the case has: each sort of fault strikes at one write, at random. TEST_FAULTS=all
// takes every write for each, -short one sort for each way, and TEST_FAULTS_SEED=N other writes.
func (r *trial) faults() {
	ways := []way{
		{"made", nil, r.from, r.c.From, r.empty, r.made},
		{"changed", r.from, r.to, r.c.To, r.made, r.changed},
		{"destroyed", r.from, nil, "", r.made, r.empty},
	}
	r.destroy()
	for _, w := range ways {
		if w.name == "changed" && r.to == nil {
			continue
		}
		r.sub(w.name, func() { r.disturb(w) })
	}
	r.apply(r.from)
}

// sub is a test of its own within the case.
func (r *trial) sub(name string, test func()) (ok bool) {
	t := r.TB.(*testing.T)
	defer func() { r.TB = t }()
	return t.Run(name, func(t *testing.T) {
		r.TB = t
		test()
	})
}

// disturb makes the way, once without a fault, and then with each. The host is empty before and after.
func (r *trial) disturb(w way) {
	var writes []string
	r.begin(w)
	_, err := r.travel(w, &kernel.Seam{Around: func(w kernel.Write, write func() error) error {
		writes = append(writes, w.String())
		return write()
	}})
	r.must(err)
	r.destroy()
	chance := random(r.Name())
	for _, s := range sorts {
		numbers := []int{1 + chance.IntN(len(writes))}
		if os.Getenv("TEST_FAULTS") == "all" {
			numbers = numbers[:0]
			for k := range writes {
				numbers = append(numbers, k+1)
			}
		}
		for _, k := range numbers {
			r.tried.Faults++
			ok := r.sub(fmt.Sprintf("%s %d", s.name, k), func() { r.strike(w, s, k, writes[k-1]) })
			if !ok {
				_, _ = r.tryDestroy(r.seam)
			}
		}
		if testing.Short() {
			return
		}
	}
}

// begin makes the host as the way finds it.
func (r *trial) begin(w way) {
	r.Helper()
	if w.from != nil {
		r.apply(w.from)
	}
}

// travel makes the way through a seam.
func (r *trial) travel(w way, seam *kernel.Seam) (reconcile.Report, error) {
	r.Helper()
	if w.to == nil {
		return r.tryDestroy(seam)
	}
	return r.tryApply(w.to, seam)
}

// strike makes the way with a fault at the k-th write. The way converges when it is made again, and a destroy then
// leaves nothing.
func (r *trial) strike(w way, s sort, k int, what string) {
	r.Logf("%q", what)
	r.begin(w)
	if s.death {
		r.must(Order{Name: r.from.Name, File: w.text, Die: int64(k), After: s.made}.Sacrifice())
	} else {
		r.fail(w, k, s.made)
	}
	if w.to != nil {
		r.apply(w.to)
		r.is("after the next apply", w.after)
	}
	r.destroy()
	r.is("after the next destroy", r.empty)
}

// fail lets the k-th write fail, after it was made or without that. An apply rolls back; a destroy goes on.
func (r *trial) fail(w way, k int, made bool) {
	r.Helper()
	var count atomic.Int64
	report, err := r.travel(w, &kernel.Seam{Around: func(_ kernel.Write, write func() error) error {
		if count.Add(1) != int64(k) {
			return write()
		}
		if made {
			return errors.Join(write(), unix.ENOMEM)
		}
		return unix.ENOMEM
	}})
	switch {
	case err == nil && w.to == nil:
		r.is("after a destroy that overcame an error", r.empty)
	case err == nil:
		r.inSync(w.to)
	case w.to != nil && errors.Is(err, reconcile.ErrRolledBack) && errors.Is(err, unix.ENOMEM):
		r.is("after the rollback", w.before)
	case w.to == nil && errors.Is(err, reconcile.ErrPartial): // the next destroy takes the rest
	default:
		r.Errorf("%v\n%s", err, Outcomes(report))
	}
}
