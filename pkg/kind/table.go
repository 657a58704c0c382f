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
	Schedule
}

// Schedule is what the planner and the executor know of a kind. All else they take from the steps themselves.
type Schedule struct {
	// Batch says that Put takes the changes of several steps in one section at once; Del always does.
	Batch bool
	// Waits says that Del does little but wait in the kernel, so that many may run at once: see [kernel.Waiters].
	Waits bool
	// Last says that a deletion can't be undone.
	Last bool
	// Sections says that each object is a section: its steps use that one, and not the host's.
	Sections bool
	// Inherited says that a new section takes a copy of what the host has.
	Inherited bool
	// Finish, if set, completes what Put has made in a section, before anything of a later kind is made there. With an
	// error comes the key of the object.
	Finish func(e *Env, ns string) (plan.Key, error)
}

// table is made once: a run asks for a step's kind many times. It does not change.
var table = []Kind{
	{KindNamespace, listNamespaces, putNamespace, delNamespaces, Schedule{Waits: true, Last: true, Sections: true}},
	// Defaults and global switches come before the links that take a copy of them; a link's own come after it, as its
	// need says.
	{KindSysctl, within(listSysctls), putSysctl, delSysctls, Schedule{Inherited: true}},
	{KindLink, listLinks, putLinks, delLinks, Schedule{Waits: true, Finish: finishLinks}},
	{KindAddress, within(listAddresses), putAddress, delAddresses, Schedule{}},
	// A gateway must be reachable when its route is made: after the addresses.
	{KindRoute, within(listRoutes), putRoute, delRoutes, Schedule{}},
	{KindNAT, within(listNAT), putNAT, delNAT, Schedule{Batch: true}},
}

// within leaves out what ends with a namespace that is about to be removed: that was not read.
func within(list func(*Env, *Section) ([]plan.Have, error)) func(*Env, *Section) ([]plan.Have, error) {
	return func(e *Env, s *Section) ([]plan.Have, error) {
		if s.Ending {
			return nil, nil
		}
		return list(e, s)
	}
}

// Table lists the kinds in the order of creation.
func Table() []Kind { return slices.Clone(table) }

// Of gives the kind of what a key names.
func (e *Env) Of(k plan.Key) *Kind {
	return &e.Table[slices.IndexFunc(e.Table, func(row Kind) bool { return row.Name == k.Kind })]
}
