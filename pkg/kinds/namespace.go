package kind

import (
	"github.com/plumbnet/plumb/pkg/plan"
)

// KindNamespace is a network namespace with a name in /run/netns. It is created with its lo up.
const KindNamespace = "namespace"

// Namespace is the wanted or live state of a named network namespace.
type Namespace struct {
	Name string
	// Leftover is a file without a namespace, as a crash between two steps of making one leaves it.
	Leftover bool `plan:"leftover of a crash,fixed"`
	// Stamp is the alias of lo that marks the namespace: see [NamespaceAlias]. It is known once the host is.
	Stamp string `plan:"stamp,quiet"`
	// LoUp says that lo is up, and so has 127.0.0.1/8 and ::1.
	LoUp bool `plan:"lo up"`
	// Forwarding4 and Forwarding6 are net.ipv4.ip_forward and net.ipv6.conf.all.forwarding, where no sysctl or nat of
	// the namespace asks for a value: a new namespace takes IPv4's from the initial namespace.
	Forwarding4 plan.Opt[bool] `plan:"ipv4 forwarding"`
	Forwarding6 plan.Opt[bool] `plan:"ipv6 forwarding"`
}

// NamespaceKey is the key of a namespace; that of the host's own, named "", is of no object.
func NamespaceKey(name string) plan.Key { return plan.Key{Kind: KindNamespace, Name: name} }

// Key implements [plan.Object].
func (n Namespace) Key() plan.Key { return NamespaceKey(n.Name) }

// Needs implements [plan.Object].
func (n Namespace) Needs() []plan.Key { return nil }

// Describe implements [plan.Object].
func (n Namespace) Describe() string { return "" }
