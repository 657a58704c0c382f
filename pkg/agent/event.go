package agent

import (
	"time"

	"github.com/plumbnet/plumb/pkg/plan"
	"github.com/plumbnet/plumb/pkg/topology"
)

// What is the kind of an [Event].
type What string

// The kinds of events.
const (
	// Applied: the host matches what a file says now. Without outcomes it did before.
	Applied What = "applied"
	// Healed: what had changed is as the topology wants it again.
	Healed What = "healed"
	// Drifted: something has changed, and it is not for the loop to heal it.
	Drifted What = "drifted"
	// InSync: what had drifted is as it should be again.
	InSync What = "in-sync"
	// Refused: something of somebody else's stands in the way, or healing it would cut the host off.
	Refused What = "refused"
	// Contested: somebody changes it back again and again. It is healed less and less often, up to every five minutes.
	Contested What = "contested"
	// Failed: a pass did not do all that it should, and is tried again.
	Failed What = "failed"
	// Left: no file declares the topology any longer. The host keeps it as it is.
	Left What = "left"
)

// Event is something that whoever watches should know.
type Event struct {
	At       time.Time
	What     What
	Topology *topology.Topology
	// Outcomes are the steps that it is about, with what became of them; without a result they were not taken.
	Outcomes []plan.Outcome
	// By lists who changed something, where the kernel tells, as "pid 123 (ip)". It is a hint.
	By []string
	// Took is the time from when the first change was heard of, or from the pass's begin, to its end.
	Took time.Duration
	// Err is why a pass failed.
	Err error
}
