// Package reconcile makes a host match a topology: it reads the kernel, plans, applies, reads again, and rolls back
// when a step fails. It is the only package that joins the plan and the kernel.
package reconcile

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"github.com/plumbnet/plumb/pkg/kernel"
	"github.com/plumbnet/plumb/pkg/kinds"
	"github.com/plumbnet/plumb/pkg/object"
	"github.com/plumbnet/plumb/pkg/plan"
	"github.com/plumbnet/plumb/pkg/topology"
)

// Options say how to run.
type Options struct {
	// LockTimeout bounds the wait for another run of plumb on this host.
	LockTimeout time.Duration
	// Queued is called when another run, whose process it is told, has the lock, and is waited for.
	Queued func(holder string, timeout time.Duration)
	// Adopt takes over objects of a wanted name that are not ours.
	Adopt bool
	// Keep leaves what was done when a step fails, instead of rolling it back.
	Keep bool
	// AllowDisconnect lets a plan take the host's own way to the network.
	AllowDisconnect bool
	// Attached, if set, is called at the end of each pass of a [Session] with each namespace of others that it has looked
	// into, which is open no longer than that.
	Attached func(topology, section string, n *kernel.Namespace)
	// Lifelines are links of the host that count as its uplinks.
	Lifelines []string
	// ConfirmWithin, unless 0, is how long Apply waits for [Host.Confirm] before it rolls back what it did.
	ConfirmWithin time.Duration
	// Waiting is called when that wait begins.
	Waiting func(time.Duration)
	// Planned is called with what Apply and Destroy are about to do, before the first write that outlives the process, but
	// that of the lock.
	Planned func(plan.Plan)
	// Progress is called with what became of each step of Apply and Destroy, in their order, and again with one that fails
	// after all.
	Progress func(plan.Outcome)
	// Working is called with what Apply and Destroy are at. As Progress and Planned it is called by one thread at a time.
	Working func(Working)
	// Warn is called with each warning, without a trailing newline.
	Warn func(string)
	// Trace is called after each write to the kernel, with how long it took.
	Trace func(what string, took time.Duration, err error)
	// Stop, when closed, ends a run at once, without a rollback: the second Ctrl-C. The first cancels the context.
	Stop <-chan struct{}
	// Seam is what all writes leave through; nil for one of the run's own.
	Seam *kernel.Seam
	// Workers is how many threads may read and write the kernel at once. 0 is one for each processor, but a single one
	// when the writes are watched: they come in the order of the plan then.
	Workers int
}

// Host is the machine that plumb runs on, as seen from the namespaces that the process is in.
type Host struct {
	Options
	home
	// rank, if set, ranks calls otherwise: tests take steps in any order that the plan allows.
	rank func() int64
}

// home is where a process runs: the host's own namespace, and what belongs to that.
type home struct {
	cookie uint64
	dir    string // of the record and the lock
}

// Open looks at the host. Errors wrap [ErrNotRun].
func Open(o Options) (*Host, error) {
	h := &Host{Options: o}
	if h.Seam == nil {
		h.Seam = new(kernel.Seam)
	}
	if h.Trace != nil {
		h.Seam = traced(h.Seam, h.Trace)
	}
	if h.Workers == 0 && h.Seam.Around == nil {
		h.Workers = runtime.GOMAXPROCS(0)
	}
	h.Workers = max(h.Workers, 1)
	if h.Queued == nil {
		h.Queued = func(string, time.Duration) {}
	}
	if h.Waiting == nil {
		h.Waiting = func(time.Duration) {}
	}
	if h.Planned == nil {
		h.Planned = func(plan.Plan) {}
	}
	if h.Progress == nil {
		h.Progress = func(plan.Outcome) {}
	}
	if h.Working == nil {
		h.Working = func(Working) {}
	}
	if h.Warn == nil {
		h.Warn = func(string) {}
	}
	var err error
	if h.home, err = findHome(); err != nil {
		return nil, ended(ErrNotRun, err)
	}
	return h, nil
}

// traced is a seam that tells of each write that leaves through another.
func traced(seam *kernel.Seam, trace func(string, time.Duration, error)) *kernel.Seam {
	return &kernel.Seam{Around: func(w kernel.Write, write func() error) error {
		start := time.Now()
		err := seam.Pass(w, write)
		trace(w.String(), time.Since(start), err)
		return err
	}}
}

// findHome says where the process runs, if plumb can work there.
func findHome() (h home, err error) {
	if err := capable(); err != nil {
		return h, err
	}
	host, err := kernel.Current(nil)
	if err != nil {
		return h, err
	}
	defer host.Close()
	return home{host.Cookie(), filepath.Join(RunDir, strconv.FormatUint(host.Cookie(), 10))}, nil
}

// seen says whether the namespaces of a topology would have their names outside of this mount namespace too: if not,
// they would vanish with the process.
func seen(want []plan.Object) error {
	made := func(o plan.Object) bool { n, ok := o.(kinds.Namespace); return ok && n.Attach == "" }
	if !slices.ContainsFunc(want, made) {
		return nil
	}
	slave, err := kernel.OnSlaveMount()
	if err != nil {
		return err
	}
	if slave {
		return fmt.Errorf("%s lies on a slave mount, as inside `ip netns exec`: namespaces made here would vanish with "+
			"this process; use `nsenter --net=%s/NAME plumb ...`", kernel.NetnsDir, kernel.NetnsDir)
	}
	pid, err := kernel.Unseen()
	if err != nil || pid == 0 {
		return err
	}
	return fmt.Errorf("%s is that of process %d, which would not see what is mounted here, as below `unshare --mount` or "+
		"in a unit with PrivateMounts=: namespaces made here would vanish with this process; use "+
		"`nsenter --mount=/proc/%d/ns/mnt plumb ...`, or mount a tmpfs on /run first", kernel.NetnsDir, pid, pid)
}

// capable says which capability is missing, if one is.
func capable() error {
	for _, c := range []struct {
		bit  int
		name string
	}{{unix.CAP_NET_ADMIN, "CAP_NET_ADMIN"}, {unix.CAP_SYS_ADMIN, "CAP_SYS_ADMIN"}} {
		if has, err := kernel.Capable(c.bit); err != nil {
			return err
		} else if !has {
			return powerless{fmt.Errorf("%s is missing: run as root", c.name)}
		}
	}
	return overNetwork()
}

// overNetwork says whether the capabilities hold for the network too. Those of root in a user namespace do not, when
// the network namespace belongs to an outer one; the kernel does not even show that (ioctl_ns(2)).
func overNetwork() error {
	fd, err := unix.Open("/proc/thread-self/ns/net", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("open the current network namespace: %w", err)
	}
	defer unix.Close(fd) //nolint:errcheck // only asked
	owner, err := unix.IoctlRetInt(fd, unix.NS_GET_USERNS)
	switch {
	case errors.Is(err, unix.EPERM):
		return powerless{errors.New("CAP_NET_ADMIN is missing in the user namespace that owns this network: " +
			"run as root there, and not below `unshare --user`")}
	case err != nil:
		return fmt.Errorf("find the owner of the network namespace: %w", err)
	}
	return unix.Close(owner)
}

// Cookie is the number of the host's own namespace, which no other has had since boot.
func (h *Host) Cookie() uint64 { return h.cookie }

// Close releases what Open took.
func (h *Host) Close() error { return nil }

// Diff says what [Host.Apply] would do, and writes nothing. A plan that would be refused is no error.
func (h *Host) Diff(ctx context.Context, t *topology.Topology) (plan.Plan, error) {
	rec, err := object.LoadRecord(h.dir)
	if err != nil {
		return plan.Plan{}, ended(ErrNotRun, err)
	}
	r := &run{Host: h, ctx: ctx, topology: t.Name, record: rec, source: t.Source}
	r.want = r.wanted(t)
	if err := seen(r.want); err != nil {
		return plan.Plan{}, ended(ErrNotRun, err)
	}
	defer r.close()
	p, err := r.plan()
	if err != nil {
		return p, ended(ErrNotRun, err)
	}
	r.warn(p, nil)
	return p, nil
}

// Apply makes the host match t. The report is true even beside an error.
func (h *Host) Apply(ctx context.Context, t *topology.Topology) (Report, error) {
	if err := seen(t.Objects()); err != nil {
		return Report{}, fmt.Errorf("apply %s: %w", t.Name, ended(ErrNotRun, err))
	}
	return h.locked(ctx, "apply", t.Name, func(r *run) error {
		r.want, r.source = r.wanted(t), t.Source
		if err := r.apply(); err != nil {
			return err
		}
		r.keepApplied(t)
		return nil
	})
}

// Destroy removes what carries the stamp of the topology called name. Nothing there is success.
func (h *Host) Destroy(ctx context.Context, name string) (Report, error) {
	return h.locked(ctx, "destroy", name, (*run).destroy)
}

// locked makes a run while nobody else can.
func (h *Host) locked(ctx context.Context, verb, name string, f func(*run) error) (_ Report, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("%s %s: %w", verb, name, err)
		}
	}()
	lock, err := h.takeLock(ctx)
	if err != nil {
		return Report{}, ended(ErrNotRun, err)
	}
	defer func() {
		if err := lock.Close(); err != nil { // how the run ended stands
			h.Warn(err.Error())
		}
	}()
	rec, err := object.LoadRecord(h.dir)
	if err != nil {
		return Report{}, ended(ErrNotRun, err)
	}
	r := &run{Host: h, ctx: ctx, topology: name, record: rec}
	defer r.close()
	err = f(r)
	return r.report, err
}
