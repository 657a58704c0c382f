package plan

import "slices"

// world is the state of the kernel as the planner imagines it after the steps that it has planned so far.
type world struct {
	// under is what else is there, as it was when this one began to differ from it; nil for nothing.
	under *world
	// objects has nil for what is gone, and was in the world under this one.
	objects map[Key]Object
	// standing lists, under a key, what has stood on it; entries may be stale, and are checked when read.
	standing map[Key][]Key
	// claimed lists, under a claim, the objects that have held it; entries may be stale, as those of standing.
	claimed map[Key][]Key
	// sequences holds the keys of each sequence in the kernel's order.
	sequences map[string][]Key
	// fell lists what went because something else did, and felledBy what that was.
	fell     []Key
	felledBy map[Key]Key
	// affected are the objects that are gone, or that something which they stand on has changed.
	affected map[Key]bool
	// touched lists, as they were, the objects that fell or changed because something else did, time after time.
	touched []Object
}

// newWorld makes a world, with room for as many objects as there may come to be.
func newWorld(have []Have, room int) *world {
	room = max(room, len(have))
	w := &world{
		objects:   make(map[Key]Object, room),
		standing:  make(map[Key][]Key, room),
		claimed:   make(map[Key][]Key),
		sequences: make(map[string][]Key),
		felledBy:  make(map[Key]Key),
		affected:  make(map[Key]bool),
	}
	for _, h := range have {
		w.add(h.Object)
	}
	return w
}

// scratch is a world that things can be tried on. This one must not change as long as that is in use.
func (w *world) scratch() *world {
	s := newWorld(nil, 0)
	s.under = w
	return s
}

// Object implements [World].
func (w *world) Object(k Key) Object {
	if o, ok := w.objects[k]; ok || w.under == nil {
		return o
	}
	return w.under.Object(k)
}

// sequence lists the members of a sequence in the kernel's order.
func (w *world) sequence(name string) []Key {
	if keys, ok := w.sequences[name]; ok || w.under == nil {
		return keys
	}
	return w.under.sequence(name)
}

// stood lists what has stood on a key.
func (w *world) stood(k Key) []Key {
	if w.under == nil {
		return w.standing[k]
	}
	return slices.Concat(w.under.stood(k), w.standing[k])
}

// Standing implements [World].
func (w *world) Standing(k Key) []Object {
	var list []Object
	seen := make(map[Key]bool)
	for _, key := range w.stood(k) {
		o, ok := w.Object(key).(Dependent)
		if ok && !seen[key] && slices.Contains(o.On(), k) {
			seen[key] = true
			list = append(list, o)
		}
	}
	return list
}

func (w *world) add(o Object) {
	k := o.Key()
	if s, ok := o.(Sequenced); ok && w.Object(k) == nil {
		w.join(s.Sequence(), k)
	}
	w.objects[k] = o
	if d, ok := o.(Dependent); ok {
		for _, on := range d.On() {
			w.standing[on] = append(w.standing[on], k)
		}
	}
	for _, claim := range claims(o) {
		w.claimed[claim] = append(w.claimed[claim], k)
	}
}

// claims lists those of an object, if it has any.
func claims(o Object) []Key {
	if e, ok := o.(Exclusive); ok {
		return e.Claims()
	}
	return nil
}

// holders lists who holds a claim. A scratch world knows of none.
func (w *world) holders(claim Key) (list []Key) {
	for _, k := range w.claimed[claim] {
		if slices.Contains(claims(w.Object(k)), claim) && !slices.Contains(list, k) {
			list = append(list, k)
		}
	}
	return list
}

// join adds to a sequence as the last.
func (w *world) join(name string, k Key) {
	members, own := w.sequences[name]
	if !own {
		members = slices.Clip(w.sequence(name)) // which may be that of the world under this one
	}
	w.sequences[name] = append(members, k)
}

// put creates the object or changes it in place, and tells what stands on it.
func (w *world) put(o Object) {
	old := w.Object(o.Key())
	if s, ok := o.(Sequenced); ok && old == nil {
		members := w.members(s)
		w.add(o)
		w.sequences[s.Sequence()] = keys(s.Join(members))
	}
	w.add(o)
	if old != nil {
		w.tell(old, o)
	}
}

// members lists those of a sequence in the kernel's order.
func (w *world) members(s Sequenced) []Object {
	var list []Object
	for _, k := range w.sequence(s.Sequence()) {
		list = append(list, w.Object(k))
	}
	return list
}

func keys(objects []Object) []Key {
	list := make([]Key, len(objects))
	for i, o := range objects {
		list[i] = o.Key()
	}
	return list
}

// remove deletes the object, and what falls with it.
func (w *world) remove(k Key) {
	if old := w.Object(k); old != nil {
		w.detach(old)
		w.tell(old, nil)
	}
}

func (w *world) detach(o Object) {
	if s, ok := o.(Sequenced); ok {
		w.sequences[s.Sequence()] = keys(s.Leave(w.members(s)))
	}
	if w.under == nil {
		delete(w.objects, o.Key())
	} else {
		w.objects[o.Key()] = nil
	}
	w.affected[o.Key()] = true
}

// tell lets everything that a change reaches become what it becomes. What falls directly is gone before that is told
// in its turn, so that felledBy names the nearest cause.
func (w *world) tell(old, now Object) {
	told := []Key{old.Key()}
	if b, ok := old.(Bearer); ok && now == nil {
		told = append(told, b.Bears()...)
	}
	var fallen []Object
	var changed [][2]Object
	for _, k := range told {
		for _, o := range w.Standing(k) {
			after, ok := o.(Dependent).After(old, now, w)
			switch {
			case !ok:
				fallen = append(fallen, o)
				w.fell = append(w.fell, o.Key())
				w.touched = append(w.touched, o)
				w.felledBy[o.Key()] = old.Key()
				w.detach(o)
			case after != o:
				w.add(after)
				w.touched = append(w.touched, o)
				w.affected[o.Key()] = true
				changed = append(changed, [2]Object{o, after})
			}
		}
	}
	for _, o := range fallen {
		w.tell(o, nil)
	}
	for _, c := range changed {
		w.tell(c[0], c[1])
	}
}
