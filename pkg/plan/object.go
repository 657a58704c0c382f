package plan

import "cmp"

// Key names an object: the namespace that it is in (empty for the host's own), its kind and its name. A cable's end,
// an address and a route are named within their namespace; a namespace is an object of the host.
type Key struct {
	NS   string `json:"namespace"`
	Kind string `json:"kind"`
	Name string `json:"name"`
}

// Compare orders keys by namespace, kind and name.
func (k Key) Compare(o Key) int {
	return cmp.Or(cmp.Compare(k.NS, o.NS), cmp.Compare(k.Kind, o.Kind), cmp.Compare(k.Name, o.Name))
}

// Place is the object's name with its namespace, as people write it: "ns1/eth0", or "eth0" on the host.
func (k Key) Place() string {
	if k.NS == "" {
		return k.Name
	}
	return k.NS + "/" + k.Name
}

// Object is one thing in the kernel that a topology declares. Its dynamic type is a comparable struct of values: no
// pointers, no slices (a [List] is a value). Two objects of the same key are equal when all their attributes are, but
// for fields of type [Opt] that the wanted one leaves unset, and attributes that its [Fields] leave out.
//
// A field with a tag is an attribute: `plan:"mtu"` gives it its name in print. Options follow the name:
//   - "fixed", as in `plan:"type,fixed"`: the kernel cannot change it in place, so that a difference forces a replace;
//   - "swap", beside "fixed": such a replace is done in one go, and prints like a change in place;
//   - "state": it is yes or no, and its text is "down -> up", after what stands before the last word of its name;
//   - "quiet": it is left out of the text of a change (JSON has it);
//   - "same", for a field of interface type: it is compared only when both objects hold the same type.
//
// The fields of an embedded struct without a tag are attributes of the object. So are those of a struct that a field of
// interface type holds; when the two objects hold different types there, that is a fixed difference of the field's own
// name. Any other field without a tag belongs to the key and is not compared. [CheckType] says whether a type keeps to
// this.
type Object interface {
	Key() Key
	// Needs lists what must exist before this object can, in any namespace. Keys that no plan creates are ignored.
	Needs() []Key
	// Describe says in a few words what a creation makes: "veth to br0, mtu 1500".
	Describe() string
}

// Restoring is an object that does not go when it is deleted, but is given back what it was before.
type Restoring interface{ Restores() bool }

// Paired is an object that the kernel only creates together with another: the two ends of a cable.
type Paired interface {
	Object
	// Pair is the key of the other half; ok is false when the object stands alone.
	Pair() (k Key, ok bool)
	// DescribePair is Describe for both halves at once.
	DescribePair(other Object) string
}

// Named is an object that the kernel may call otherwise than its key does, as a link that a rollback wants back under a
// name of before.
type Named interface {
	Object
	// Called is the kernel's name for it.
	Called() string
}

// Sequenced is an object whose place among its like matters, as that of an address on its link. The order of [Diff]'s
// want and have slices is the order wanted and found.
type Sequenced interface {
	Object
	// Sequence names the sequence that the object is a member of.
	Sequence() string
	// Join is the order of the sequence when the kernel has added the object to its members.
	Join(members []Object) []Object
	// Leave is the order when the kernel has taken it from them.
	Leave(members []Object) []Object
}

// Yielding is an object that others are made differently under, as a parameter that new links take a copy of, or one
// that forbids them addresses. When it goes, it goes before they come.
type Yielding interface {
	Object
	Yields() bool
}

// Exclusive is an object that claims what only one object can have, as a VLAN id on its parent.
type Exclusive interface {
	Object
	// Claims lists what the object claims: keys of no objects, in the section that they are unique in.
	Claims() []Key
}

// Sharing is an object that may have a claim together with some others.
type Sharing interface {
	Exclusive
	// Shares says whether it may have a claim together with another object, which holds that.
	Shares(claim Key, other Object) bool
}

// Dependent is an object that other objects' changes reach. The planner asks it what becomes of it, so that a plan
// shows everything that a step takes down, and puts back what should stay.
type Dependent interface {
	Object
	// On lists what the object stands on, as it is now.
	On() []Key
	// After returns what becomes of the object when something that it stands on, or something that [Bearer] names,
	// changes from old to new. New is nil when it is gone. ok is false when the object falls with it.
	After(old, new Object, w World) (o Object, ok bool)
}

// Bearer is an object whose removal reaches dependents of other objects than itself: the last IPv4 address of a link
// takes the link's routes with it.
type Bearer interface {
	Object
	Bears() []Key
}

// World is what an object may ask about the state of the kernel that the planner imagines.
type World interface {
	// Standing lists the objects that stand on k.
	Standing(k Key) []Object
	// Object is what is at k, nil when nothing is that the plan knows of.
	Object(k Key) Object
}

// Rigid is an object of which more than the tags say cannot change in place, depending on its values: a tunnel may get
// another remote address, but none of the other family.
type Rigid interface {
	Object
	// Fixed names the attributes that cannot change in place from have, which has the same type, to this object. Those
	// that do not differ may be among them.
	Fixed(have Object) []string
}

// Opt is a field that may be left unmanaged: not compared, not written.
type Opt[T comparable] struct {
	Set bool
	V   T
}

// Some returns a managed field.
func Some[T comparable](v T) Opt[T] { return Opt[T]{Set: true, V: v} }

func (o Opt[T]) managed() (any, bool) { return o.V, o.Set }

// opt is how the generic comparison sees any Opt[T].
type opt interface{ managed() (any, bool) }

// Class says whose a live object is, as its stamp tells.
type Class int

const (
	// Ours carries the topology's stamp: changed when it differs, deleted when it is no longer wanted.
	Ours Class = iota
	// Loose stands in what we own without being declared: put right where the file declares its key, else left alone.
	Loose
	// Foreign is somebody else's: never touched; wanting its key is refused.
	Foreign
)

// Have is a live object and whose it is.
type Have struct {
	Object Object
	Class  Class
	// Why says, of a foreign object, whose it is and how to go on: "exists and is not ours: rename it, ...".
	Why string
	// Final says that not even --adopt may take the object over.
	Final bool
	// Collides says that a foreign object bears a mark of ours, so that it could be mistaken: a plan with it there is
	// refused, whether its key is wanted or not.
	Collides bool
	// Note says what goes with the object when it is deleted: "takes with it: the network of process 41 sleep".
	Note string
}

// Source is the place in a file that an object comes from. Line and Column count from 1.
type Source struct {
	File   string `json:"file"`
	Line   int    `json:"line"`
	Column int    `json:"column"`
}
