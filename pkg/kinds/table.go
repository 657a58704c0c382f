package kind

import (
	"slices"

	"github.com/plumbnet/plumb/pkg/plan"
)

// Kind is how the objects of one kind meet the kernel.
type Kind struct {
	Name string
	// List reads the live objects of a section: those that are ours, and those that stand at a wanted key.
	List func(*Env, *Section) ([]plan.Have, error)
	// Put makes objects as they are wanted: creates where Old is nil, else changes in place. All changes of one call are
	// in one namespace, or the two ends of a cable.
	Put func(*Env, []plan.Change) error
	// Del deletes objects of one namespace. What is gone already is no error.
	Del func(*Env, []plan.Object) error
	// Apart says that Del may run in several namespaces at once.
	Apart bool
	// Begin, if set, creates objects in their order, beside what comes after them in a plan, until stop returns an error.
	// Next waits for one of them after another, and makes it known to the Env.
	Begin func(e *Env, objects []plan.Object, stop func() error) (next func() error)
	// BeginDel, if set, begins what Del does, beside deletions of links, and is one step in hand; the caller goes on when wait has given
	// Del's error.
	BeginDel func(*Env, []plan.Object) (wait func() error)
	// Beside, if set, says of an object whether Put may run while what it does not need is being created.
	Beside func(plan.Object) bool
	// AfterLinks says that Put wants the links of its section to be finished: see [Env.FinishLinks].
	AfterLinks bool
	// Batch says that Put takes the changes of several steps at once; Del always does.
	Batch bool
	// Last says that a deletion can't be undone.
	Last bool
	// Within says that objects in a namespace end with it, and that nothing outside of its section hears of it when one of them, or of
	// the host's, changes or ends.
	Within bool
}

// table is made once: a run asks for a step's kind many times. It does not change.
var table = []Kind{
	{Name: KindNamespace, List: listNamespaces, Put: putNamespace, Del: delNamespaces, BeginDel: beginDelNamespaces,
		Begin: beginNamespaces, Last: true},
	// Defaults and global switches come before the links that take a copy of them; a link's own come after it, as its
	// need says.
	{Name: KindSysctl, List: listSysctls, Put: putSysctl, Del: delSysctls, Beside: insideNamespace, Within: true},
	{Name: KindLink, List: listLinks, Put: putLinks, Del: delLinks, Apart: true, Beside: always},
	{Name: KindAddress, List: listAddresses, Put: putAddress, Del: delAddresses, Beside: always, AfterLinks: true, Within: true},
	// A gateway must be reachable when its route is made: after the addresses.
	{Name: KindRoute, List: listRoutes, Put: putRoute, Del: delRoutes, Beside: always, AfterLinks: true, Within: true},
	{Name: KindNAT, List: listNAT, Put: putNAT, Del: delNAT, Batch: true, AfterLinks: true, Within: true},
}

// Table lists the kinds in the order of creation.
func Table() []Kind { return slices.Clone(table) }

// Of gives the kind of what a key names.
func Of(k plan.Key) *Kind {
	return &table[slices.IndexFunc(table, func(row Kind) bool { return row.Name == k.Kind })]
}

func always(plan.Object) bool { return true }

// insideNamespace says whether an object is in a namespace: those that are being made take a copy of what the host has.
func insideNamespace(o plan.Object) bool { return o.Key().NS != "" }
