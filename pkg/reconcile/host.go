// Package reconcile makes a host match a topology: it reads the kernel, plans, applies, reads again, and rolls back
// when a step fails. It is the only package that joins the plan and the kernel.
package reconcile

import (
	"context"
	"time"

	"github.com/plumbnet/plumb/pkg/plan"
	"github.com/plumbnet/plumb/pkg/topology"
)

// Options say how to run.
type Options struct {
	// LockTimeout bounds the wait for another run of plumb on this host.
	LockTimeout time.Duration
	// Adopt takes over objects of a wanted name that are not ours.
	Adopt bool
	// Keep leaves what was done when a step fails, instead of rolling it back.
	Keep bool
	// Progress is called with each step of Apply and Destroy as it ends.
	Progress func(Outcome)
	// Warn is called with each warning, without a trailing newline.
	Warn func(string)
	// Stop, when closed, ends a run at once, without a rollback: the second Ctrl-C. The first cancels the context.
	Stop <-chan struct{}
}

// Host is the machine that plumb runs on, as seen from the namespaces that the process is in.
type Host struct{}

// Open looks at the host. Errors wrap [ErrNotRun].
func Open(o Options) (*Host, error) { panic("todo") }

// Close releases what Open took.
func (h *Host) Close() error { panic("todo") }

// Diff says what [Host.Apply] would do, and writes nothing.
func (h *Host) Diff(ctx context.Context, t *topology.Topology) (plan.Plan, error) { panic("todo") }

// Apply makes the host match t. The report is true even beside an error.
func (h *Host) Apply(ctx context.Context, t *topology.Topology) (Report, error) { panic("todo") }

// Destroy removes what carries the stamp of the topology called name. Nothing there is success.
func (h *Host) Destroy(ctx context.Context, name string) (Report, error) { panic("todo") }
