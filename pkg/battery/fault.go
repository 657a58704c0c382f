package battery

import (
	"errors"
	"fmt"
	"os"
	"slices"
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

// faults disturbs each way that the case has, at a sample of its writes: a write fails, or the process is killed at it.
// TEST_FAULTS=all takes every write, and -short one of each way.
func (r *trial) faults() {
	ways := []way{
		{"made", nil, r.from, r.c.From, r.empty, r.made},
		{"changed", r.from, r.to, r.c.To, r.made, r.changed},
		{"destroyed", r.from, nil, "", r.made, r.empty},
	}
	t := r.TB.(*testing.T)
	for _, w := range ways {
		if w.name == "changed" && r.to == nil {
			continue
		}
		t.Run(w.name, func(t *testing.T) {
			r.TB = t
			r.disturb(w)
		})
		r.TB = t
	}
	r.reset(way{from: r.from})
}

// reset makes the host as the way finds it.
func (r *trial) reset(w way) {
	r.Helper()
	r.destroy()
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

func (r *trial) disturb(w way) {
	var writes []string
	r.reset(w)
	_, err := r.travel(w, &kernel.Seam{Around: func(w kernel.Write, write func() error) error {
		writes = append(writes, w.String())
		return write()
	}})
	r.must(err)
	t := r.TB.(*testing.T)
	for i, k := range sample(t.Name(), len(writes)) {
		for _, after := range []bool{i%2 == 0, i%2 != 0}[:1+all()] {
			what := fmt.Sprintf("%s write %d", map[bool]string{false: "before", true: "after"}[after], k)
			for kind, try := range map[string]func(way, int, bool){"error": r.fail, "death": r.die} {
				r.tried.Faults++
				t.Run(kind+" "+what, func(t *testing.T) {
					r.TB = t
					t.Log(writes[k-1])
					r.reset(w)
					try(w, k, after)
				})
				r.TB = t
			}
		}
	}
}

// all is 1 where every fault is tried, and 0 for a sample.
func all() int {
	if os.Getenv("TEST_FAULTS") == "all" {
		return 1
	}
	return 0
}

// sample takes some of the numbers from 1 to n.
func sample(name string, n int) []int {
	some := 3
	if testing.Short() {
		some = 1
	}
	list := make([]int, n)
	for i := range list {
		list[i] = i + 1
	}
	if all() == 1 || n <= some {
		return list
	}
	random(name).Shuffle(n, func(i, j int) { list[i], list[j] = list[j], list[i] })
	return slices.Sorted(slices.Values(list[:some]))
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
		r.same("after a destroy that overcame an error", r.empty, r.look())
	case err == nil:
		r.inSync(w.to)
	case w.to != nil && errors.Is(err, reconcile.ErrRolledBack) && errors.Is(err, unix.ENOMEM):
		r.same("after the rollback", w.before, r.look())
	case w.to == nil && errors.Is(err, reconcile.ErrPartial): // the next destroy takes the rest
	default:
		r.Errorf("%v\n%s", err, Outcomes(report))
	}
	r.arrives(w)
}

// die kills the process at the k-th write, before it or after.
func (r *trial) die(w way, k int, after bool) {
	r.Helper()
	r.must(Order{Name: r.from.Name, File: w.text, Die: int64(k), After: after}.Sacrifice())
	r.arrives(w)
}

// arrives says that the run converges when it is made again, and that a destroy then leaves nothing.
func (r *trial) arrives(w way) {
	r.Helper()
	if w.to != nil {
		r.apply(w.to)
		r.same("after the next apply", w.after, r.settle())
	}
	r.destroy()
	r.same("after the next destroy", r.empty, r.settle())
}
