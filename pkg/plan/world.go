package plan

import "slices"

// world is the state of the kernel as the planner imagines it after the steps that it has planned so far.
type world struct {
	objects map[Key]Object
	// standing lists, under a key, what has stood on it; entries may be stale, and are checked when read.
	standing map[Key][]Key
	// sequences holds the keys of each sequence in the kernel's order.
	sequences map[string][]Key
	// fell lists what went because something else did, and felledBy what that was.
	fell     []Key
	felledBy map[Key]Key
	// swayed are the objects that are gone, or that something which they stand on has changed.
	swayed map[Key]bool
}

func newWorld(have []Have) *world {
	w := emptyWorld(len(have))
	for _, h := range have {
		w.add(h.Object)
	}
	return w
}

func emptyWorld(size int) *world {
	return &world{
		objects:   make(map[Key]Object, size),
		standing:  make(map[Key][]Key, size),
		sequences: make(map[string][]Key),
		felledBy:  make(map[Key]Key),
		swayed:    make(map[Key]bool),
	}
}

func (w *world) clone() *world {
	c := emptyWorld(len(w.objects))
	for _, o := range w.objects {
		c.add(o)
	}
	return c
}

// Standing implements [World].
func (w *world) Standing(k Key) []Object {
	var list []Object
	seen := make(map[Key]bool)
	for _, key := range w.standing[k] {
		o, ok := w.objects[key].(Dependent)
		if ok && !seen[key] && slices.Contains(o.On(), k) {
			seen[key] = true
			list = append(list, o)
		}
	}
	return list
}

func (w *world) add(o Object) {
	k := o.Key()
	if s, ok := o.(Sequenced); ok && w.objects[k] == nil {
		w.sequences[s.Sequence()] = append(w.sequences[s.Sequence()], k)
	}
	w.objects[k] = o
	if d, ok := o.(Dependent); ok {
		for _, on := range d.On() {
			w.standing[on] = append(w.standing[on], k)
		}
	}
}

// put creates the object or changes it in place, and tells what stands on it.
func (w *world) put(o Object) {
	old := w.objects[o.Key()]
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
	for _, k := range w.sequences[s.Sequence()] {
		list = append(list, w.objects[k])
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
	if old := w.objects[k]; old != nil {
		w.detach(old)
		w.tell(old, nil)
	}
}

func (w *world) detach(o Object) {
	if s, ok := o.(Sequenced); ok {
		w.sequences[s.Sequence()] = keys(s.Leave(w.members(s)))
	}
	delete(w.objects, o.Key())
	w.swayed[o.Key()] = true
}

// tell lets everything that hears of a change become what it becomes. What falls directly is gone before that is told
// in its turn, so that felledBy names the nearest cause.
func (w *world) tell(old, now Object) {
	hear := []Key{old.Key()}
	if b, ok := old.(Bearer); ok && now == nil {
		hear = append(hear, b.Bears()...)
	}
	var fallen []Object
	for _, k := range hear {
		for _, o := range w.Standing(k) {
			after, ok := o.(Dependent).After(old, now, w)
			switch {
			case !ok:
				fallen = append(fallen, o)
				w.fell = append(w.fell, o.Key())
				w.felledBy[o.Key()] = old.Key()
				w.detach(o)
			case after != o:
				w.add(after)
				w.swayed[o.Key()] = true
			}
		}
	}
	for _, o := range fallen {
		w.tell(o, nil)
	}
}
