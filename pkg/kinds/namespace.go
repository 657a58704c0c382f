package kinds

import (
	"fmt"

	"github.com/plumbnet/plumb/pkg/kernel"
	"github.com/plumbnet/plumb/pkg/object"
	"github.com/plumbnet/plumb/pkg/plan"
)

// Namespace is the wanted or live state of a network namespace with a name in /run/netns. It is created with its lo up.
type Namespace struct {
	Name string
	// Attach says whose namespace it is, where plumb does not make it; it is never made, changed or removed then, and all
	// below is as it is.
	Attach object.Attach `plan:"attach,fixed"`
	// Dynamic says that what others add to lo is left alone. Of a live namespace it is as wanted.
	Dynamic bool
	// Leftover is a file without a namespace, as a crash between two steps of making one leaves it, and somebody who
	// unmounts it.
	Leftover bool `plan:"file without a namespace,fixed"`
	// Stamp is the alias of lo that marks the namespace: see [object.NamespaceAlias]. It is known once the host is.
	Stamp string `plan:"stamp,quiet"`
	// LoUp says that lo is up, and so has 127.0.0.1/8 and ::1.
	LoUp bool `plan:"lo up,state"`
	// object.Forwarding4 and object.Forwarding6 are net.ipv4.ip_forward and net.ipv6.conf.all.forwarding, where no sysctl
	// or nat of the namespace asks for a value: a new namespace takes IPv4's from the initial namespace.
	Forwarding4 plan.Opt[bool] `plan:"ipv4 forwarding"`
	Forwarding6 plan.Opt[bool] `plan:"ipv6 forwarding"`
	// Lo is what lo was before plumb stamped it, where it is not as a stamp leaves it. No file wants it, but a rollback
	// does.
	Lo plan.Opt[Loopback] `plan:"lo,quiet"`
}

// Loopback is the lo of a namespace that plumb has not stamped.
type Loopback struct {
	Group   uint32
	Alias   string
	Promote bool // net.ipv4.conf.lo.promote_secondaries
	Fresh   bool // lo was never up, and so has no 127.0.0.1
	Idle    bool // see [object.MakeIdle]
}

// Key implements [plan.Object].
func (n Namespace) Key() plan.Key { return object.NamespaceKey(n.Name) }

// Needs implements [plan.Object].
func (n Namespace) Needs() []plan.Key { return nil }

// Describe implements [plan.Object].
func (n Namespace) Describe() string { return "" }

// Shared implements [object.Shared]: lo comes with its namespace.
func (n Namespace) Shared() (plan.Key, bool) { return object.LinkKey(n.Name, object.Lo), n.Dynamic }

// Switches implements [object.Switcher].
func (n Namespace) Switches(ns, name string) (value string, ok bool) {
	on := plan.Opt[bool]{}
	switch name {
	case object.Forwarding4:
		on = n.Forwarding4
	case object.Forwarding6:
		on = n.Forwarding6
	}
	return fmt.Sprint(kernel.Bit(on.V)), on.Set && n.Name == ns
}
