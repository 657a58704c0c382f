package plan

// Action is what a step does, in the words of the JSON form.
type Action string

// The actions. Replace deletes and creates, because a fixed attribute differs. Adopt takes over an object that was not
// ours, in place. Refuse does nothing: the plan as a whole must not be applied.
const (
	Create  Action = "create"
	Update  Action = "update"
	Replace Action = "replace"
	Delete  Action = "delete"
	Adopt   Action = "adopt"
	Refuse  Action = "refuse"
)

// Change is what a step does to one object: Old is nil for what does not exist yet, New for what shall not exist.
type Change struct {
	Old, New Object
}

// Key is the key of the object that changes.
func (c Change) Key() Key {
	if c.New != nil {
		return c.New.Key()
	}
	return c.Old.Key()
}

// Field is one attribute that differs.
type Field struct {
	Name   string `json:"name"`
	Before string `json:"before"`
	After  string `json:"after"`
	// Quiet fields are left out of the text.
	Quiet bool `json:"-"`
	// Fixed fields cannot change in place.
	Fixed bool `json:"-"`
	// Swap marks a fixed field for which old and new are swapped in one go.
	Swap bool `json:"-"`
	// State fields are yes or no, and read as "down -> up".
	State bool `json:"-"`
}

// Step is one line of a plan. It changes one object, or a pair that the kernel only makes together.
//
// A step may be taken as soon as all steps of lower phases and all steps in After have been. Every order that keeps to
// this ends in the same state, the order of the plan among them.
type Step struct {
	Action  Action
	Changes []Change
	// Fields are the attributes of all changes that differ; a pair's are named by the object.
	Fields []Field
	// Reason says why, where the fields do not: "no longer in the file", "falls with link eth0".
	Reason string
	// Frees lists what is deleted, as a group, before the step does anything else: it holds claims that the step takes
	// ([Exclusive]). Later steps, for which Freed is set, make these objects anew.
	Frees []Object
	// Freed says that the old objects of a replace are gone already: a step before it has them in Frees.
	Freed bool
	// Phase is that of [Diff], from 1; refusals have 0. It never falls from one step of a plan to the next.
	Phase int
	// After lists steps of the same phase that come before this one, as indexes of [Plan.Steps]: sorted, without repeats,
	// each smaller than the step's own.
	After []int
}

// Key names the step: that of its first change.
func (s Step) Key() Key { return s.Changes[0].Key() }

// Source is the place in the file of the first object of the step that has one: a cable may be declared on either end.
// What is deleted has none. Find may be nil.
func (s Step) Source(find func(Key) (Source, bool)) (Source, bool) {
	if find == nil || s.Action == Delete {
		return Source{}, false
	}
	for _, c := range s.Changes {
		if src, ok := find(c.Key()); ok {
			return src, true
		}
	}
	return Source{}, false
}

// Plan is the ordered difference between want and have.
type Plan struct {
	Steps []Step
	// Wanted counts the objects that the topology declares.
	Wanted int
}

// Refused says whether a step of the plan is a refusal.
func (p Plan) Refused() bool {
	for _, s := range p.Steps {
		if s.Action == Refuse {
			return true
		}
	}
	return false
}
