package object

import (
	"errors"
	"fmt"
	"iter"

	"github.com/plumbnet/plumb/pkg/kernel"
	"github.com/plumbnet/plumb/pkg/plan"
)

// Kind is how the objects of one kind meet the kernel: a row of the table. What a row leaves nil, the kind does not
// need.
type Kind struct {
	Name string

	// Form is how the objects stand in the file. A kind that stands there in several ways has Forms, which are given
	// those that stand on links.
	Form  Form
	Forms func(onLinks []Form) []Form

	// First asks small questions of any section, in one go with the dump of its links. Done is called when they are
	// answered.
	First func(e *Env, s *Section, host *kernel.Namespace) (list []Question, done func(), err error)
	// Ask lists the dumps of a section that Read needs. A dump that several kinds ask for is made once.
	Ask func(*Env, *Section) []*Dump
	// Fetch reads what no dump tells, and is not known yet. Enter calls f on a thread that is in the section's namespace.
	// It is called when the section is read, and again before it is listed: by then more may be wanted.
	Fetch func(e *Env, s *Section, enter func(f func() error) error) error
	// Join looks for what only all sections together tell, before any is listed.
	Join func(*Env) error
	// Read streams the live objects of a section, whosever they are, from what was read of it. It asks the kernel nothing.
	Read func(*Env, *Section) iter.Seq[Live]
	// Owner says whose they are, and leaves out what no topology has to do with.
	Owner Owner

	// Put makes objects as they are wanted: creates where Old is nil, else changes in place. All changes of one call are
	// in one namespace, or the two ends of a cable.
	Put func(*Env, []plan.Change) error
	// Swap makes an object anew in place of another, in one go; nil is Del and then Put.
	Swap func(*Env, plan.Change) error
	// Del deletes objects of one namespace. What is gone already is no error.
	Del func(*Env, []plan.Object) error

	// Pending lists what the host record must tell, before a step of such an action, that the step is about.
	Pending func(plan.Action, plan.Change) []Pending
	// Held says whether the host record must tell that a wanted object is ours; onOurs says that it stands on a link of
	// ours, or in a namespace of ours.
	Held func(o plan.Object, onOurs bool) bool
	// Wishes lists the values that an object gives to what is not plumb's.
	Wishes func(e *Env, o plan.Object) []Wish
	// Returns lists what is wanted, beside what the topology wants, so that what it has claimed and does not want any
	// longer becomes what it was.
	Returns func(*Env) ([]plan.Object, error)
	// Claimed says that each object is a claim: one that the topology had not claimed before is no part of a rollback, but
	// goes back to its original with the claim.
	Claimed bool
	// Undo is what a rollback wants back of what was there before; ok is false for nothing. Nil is the object as it was.
	Undo func(plan.Have) (o plan.Object, ok bool)
	// Cuts says which lifeline of the host a change cuts, empty for none.
	Cuts func(*Lifelines, plan.Step, plan.Change) string
	// Also lists what is wanted beside a wanted object, as only the live host can tell.
	Also func(*Env, plan.Object) []plan.Object
	// Settle fills in what of a wanted object only the live host can tell; an error says that it can't be made there.
	Settle func(*Env, plan.Object) (plan.Object, error)
	// Done is called once all is as it is wanted, with the steps that led there.
	Done func(*Env, []plan.Step)
	// Warn tells what no plan can mend about a wanted object.
	Warn func(*Env, plan.Object) ([]string, error)
	// Takes tells what a change takes from others, who may need it.
	Takes func(*Env, plan.Change) ([]string, error)

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

// Warnings is a Warn that tells what several do.
func Warnings(list ...func(*Env, plan.Object) ([]string, error)) func(*Env, plan.Object) ([]string, error) {
	return func(e *Env, o plan.Object) (all []string, err error) {
		for _, warn := range list {
			some, failed := warn(e, o)
			all, err = append(all, some...), errors.Join(err, failed)
		}
		return all, err
	}
}

// WrongType is the error of an operation that was handed an object of another kind: a defect of plumb.
func WrongType(kind string, o any) error { return fmt.Errorf("%s: unexpected object %T", kind, o) }
