package plan

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/plumbnet/plumb/pkg/plan/plantest"
)

// TestRandom plans from random worlds to random wishes, tries the plans on an imagined kernel in their own order and in
// others that they allow, and goes back from where one of them stops. A failure names the case's seed: TEST_SEED=N
// TEST_CASES=1 runs it alone.
func TestRandom(t *testing.T) {
	start, cases := seeds()
	const orders = 50
	var refused, steps, frees, moved int
	for seed := start; seed < start+cases; seed++ {
		c := newRandomCase(seed)
		err := c.check()
		for n := 0; n < orders && err == nil && !c.plan.Refused(); n++ {
			err = c.checkOrder()
		}
		if err == nil {
			err = c.checkReturn()
		}
		if err != nil {
			t.Fatalf("TEST_SEED=%d TEST_CASES=1: %v\n%s", seed, err, c)
		}
		if c.plan.Refused() {
			refused++
			continue
		}
		steps += len(c.plan.Steps)
		moved += c.moved
		for _, s := range c.plan.Steps {
			frees += len(s.Frees)
		}
	}
	t.Logf("%d of %d refused, %d steps, %d objects freed, %d orders that are not the plan's",
		refused, cases, steps, frees, moved)
	if cases > 100 && (frees == 0 || moved == 0 || refused > int(cases/2)) {
		t.Error("the cases are too much alike")
	}
}

func seeds() (start, cases uint64) {
	start, cases = 1, 800
	if n, err := strconv.ParseUint(os.Getenv("TEST_SEED"), 10, 64); err == nil {
		start = n
	}
	if n, err := strconv.ParseUint(os.Getenv("TEST_CASES"), 10, 64); err == nil {
		cases = n
	}
	return start, cases
}

// randomCase is a random world, and what is wanted of it.
type randomCase struct {
	*rand.Rand
	want    []Object
	have    []Have
	options Options
	plan    Plan
	end     *world
	moved   int // orders that were tried, and are not the plan's
}

func newRandomCase(seed uint64) *randomCase {
	c := &randomCase{Rand: rand.New(rand.NewPCG(seed, 3)), options: toyOptions()}
	c.options.Adopt = c.IntN(2) == 0
	c.want = c.toys()
	list := c.toys()
	if c.IntN(3) == 0 {
		list = slices.Clone(c.want)
	}
	foreign := c.IntN(3) == 0
	for _, o := range list {
		h := Have{Object: o}
		if foreign && c.IntN(8) == 0 {
			h.Class = Class(1 + c.IntN(2))
		}
		if c.IntN(12) > 0 || h.Class != Ours {
			c.have = append(c.have, h)
		}
	}
	for n := -1; n != len(c.have); {
		n = len(c.have)
		w := newWorld(c.have, 0)
		c.have = slices.DeleteFunc(c.have, func(h Have) bool { return !stands(w, h.Object) })
	}
	c.plan = Diff(c.want, c.have, c.options)
	return c
}

// stands says whether all is there that an object needs.
func stands(w *world, o Object) bool {
	return !slices.ContainsFunc(o.Needs(), func(k Key) bool { return w.Object(k) == nil })
}

// toys makes objects that need nothing but each other, and hold no claim twice.
func (c *randomCase) toys() (list []Object) {
	claims := c.Perm(6)
	for _, name := range []string{
		"/section/n", "/inherited/i", "n/inherited/i", "/k0/a", "n/k0/b", "/k0/t1", "n/k0/t2", "/k1/t3", "n/k1/p1", "/k1/p2",
		"n/k2/c", "/k2/d",
	} {
		o := toy{At: name, Value: c.IntN(2), Shape: c.IntN(6) / 5}
		if strings.HasPrefix(name, "n/") {
			if !slices.ContainsFunc(list, func(o Object) bool { return o.Key().Kind == "section" }) {
				continue
			}
			o.Needing, o.Standing = "/section/n", "/section/n"
		}
		if c.IntN(4) == 0 {
			continue
		}
		if len(list) > 0 && c.IntN(3) == 0 {
			c.relate(&o, list[c.IntN(len(list))].Key())
		}
		list = append(list, c.claiming(o, &claims))
	}
	return append(list, c.boxes()...)
}

// relate makes an object need another, and perhaps stand on it. What it is related to is an attribute of it, fixed in
// some. Only objects in a section stand on what is there.
func (c *randomCase) relate(o *toy, below Key) {
	if o.Key().NS == "" && (below.NS != "" || below.Kind == "section") {
		return
	}
	key := below.NS + "/" + below.Kind + "/" + below.Name
	number := 10 * int(key[len(key)-1])
	o.Needing += " " + key
	if c.IntN(4) > 0 {
		o.Standing += " " + key
		number += 2
		if c.IntN(4) == 0 && o.Key().NS == "" {
			o.Weak, number = true, number+4
		}
	}
	if c.IntN(2) == 0 {
		o.Value += number
	} else {
		o.Shape += number
	}
}

// claiming makes an exclusive object of some.
func (c *randomCase) claiming(o toy, claims *[]int) Object {
	name := o.Key().Name
	if name[0] != 't' && name[0] != 'p' {
		return o
	}
	var holds []string
	for range c.IntN(3) {
		if len(*claims) > 0 {
			holds, *claims = append(holds, strconv.Itoa((*claims)[0])), (*claims)[1:]
		}
	}
	if name[0] == 'p' {
		return port{o, numbered(holds)}
	}
	return tunnel{o, numbered(holds)}
}

// boxes are some with things in them, in some order.
func (c *randomCase) boxes() []Object {
	list := []Object{box{Name: "box", Size: c.IntN(2), Shape: strings.Repeat("o", c.IntN(5)/4)}}
	for _, i := range c.Perm(4)[:c.IntN(4)] {
		list = append(list, thing{Box: "box", Name: fmt.Sprint(i), Weight: c.IntN(5) / 4})
	}
	return list
}

func (c *randomCase) String() string {
	var b strings.Builder
	for _, o := range c.want {
		fmt.Fprintf(&b, "want %+v\n", o)
	}
	for _, h := range c.have {
		fmt.Fprintf(&b, "have class %d %+v\n", h.Class, h.Object)
	}
	for i, s := range c.plan.Steps {
		fmt.Fprintf(&b, "step %d phase %d after %v: %s %s %s freed %v frees %v\n",
			i, s.Phase, s.After, s.Action, s.Key().Place(), s.Reason, s.Freed, keys(s.Frees))
	}
	return b.String()
}

// check takes the steps in the plan's order, and sees that what is wanted is reached.
func (c *randomCase) check() (err error) {
	if c.plan.Refused() {
		return nil
	}
	if c.end, err = c.try(newWorld(c.have, 0), c.plan, len(c.plan.Steps), nil); err != nil {
		return err
	}
	return reached(c.end, c.want, c.have)
}

// checkOrder takes them in another order.
func (c *randomCase) checkOrder() error {
	order := plantest.Order(c.Rand, len(c.plan.Steps), c.place)
	if slices.IsSorted(order) {
		return nil
	}
	c.moved++
	w, err := c.try(newWorld(c.have, 0), c.plan, len(order), order)
	if err != nil {
		return fmt.Errorf("in the order %v: %w", order, err)
	}
	return sameWorld(w, c.end)
}

// checkReturn stops the plan somewhere, be it in the middle of a step, and plans the way back.
func (c *randomCase) checkReturn() error {
	others := slices.ContainsFunc(c.have, func(h Have) bool { return h.Class != Ours })
	if len(c.plan.Steps) == 0 || c.plan.Refused() || others {
		return nil
	}
	n := c.IntN(len(c.plan.Steps))
	w, err := c.try(newWorld(c.have, 0), c.plan, n, nil)
	if err != nil {
		return err
	}
	s := c.plan.Steps[n]
	for _, o := range s.Frees {
		w.remove(o.Key())
	}
	if s.Action == Replace && c.IntN(2) == 0 {
		w.remove(s.Key())
	}
	var want []Object
	var live []Have
	for _, h := range c.have {
		want = append(want, h.Object)
	}
	for _, o := range w.objects {
		live = append(live, Have{Object: o})
	}
	slices.SortFunc(live, func(a, b Have) int { return a.Object.Key().Compare(b.Object.Key()) })
	live = inSequence(w, live)
	back := Diff(want, live, c.options)
	if w, err = c.try(newWorld(live, 0), back, len(back.Steps), nil); err == nil {
		err = reached(w, want, live)
	}
	if err != nil {
		return fmt.Errorf("back from step %d by %s: %w", n, edges(back), err)
	}
	return nil
}

// inSequence puts members of sequences into the world's order.
func inSequence(w *world, live []Have) []Have {
	place := func(h Have) int {
		if s, ok := h.Object.(Sequenced); ok {
			return slices.Index(w.sequence(s.Sequence()), h.Object.Key())
		}
		return -1
	}
	slices.SortStableFunc(live, func(a, b Have) int { return place(a) - place(b) })
	return live
}

// try takes the first n steps of a plan in an order; nil is the plan's.
func (c *randomCase) try(w *world, p Plan, n int, order []int) (*world, error) {
	for i := range n {
		if order != nil {
			i = order[i]
		}
		if err := take(w, p.Steps[i]); err != nil {
			return nil, fmt.Errorf("step %d, %s %s: %w", i, p.Steps[i].Action, p.Steps[i].Key().Place(), err)
		}
	}
	return w, nil
}

// take does to a world what a step says, and nothing that a kernel would not do.
func take(w *world, s Step) error {
	for _, o := range s.Frees {
		if w.Object(o.Key()) != o {
			return fmt.Errorf("%v to be freed is %v", o.Key(), w.Object(o.Key()))
		}
	}
	for _, o := range s.Frees {
		w.remove(o.Key())
	}
	for _, c := range s.Changes {
		live := w.Object(c.Key())
		if old := c.Old; s.Freed && live != nil || !s.Freed && live != old {
			return fmt.Errorf("%v is %+v", c.Key(), live)
		}
		if s.Action == Delete || s.Action == Replace {
			w.remove(c.Key())
		} else if _, fixed := Compare(c.New, either(live, c.New)); fixed {
			return fmt.Errorf("%v cannot change so in place", c.Key())
		}
	}
	for _, c := range s.Changes {
		if c.New == nil {
			continue
		}
		for _, k := range append(c.New.Needs(), on(c.New)...) {
			if w.Object(k) == nil {
				return fmt.Errorf("%v is missing", k)
			}
		}
		for _, claim := range claims(c.New) {
			if h := w.holders(claim); len(h) > 0 && h[0] != c.Key() {
				return fmt.Errorf("%v is taken by %v", claim, h)
			}
		}
		w.put(c.New)
	}
	return nil
}

// either is the first that is not nil.
func either(a, b Object) Object {
	if a != nil {
		return a
	}
	return b
}

// reached checks that all that is wanted is there, in its order, and nothing else of ours.
func reached(w *world, want []Object, have []Have) error {
	wanted := make(map[Key]bool)
	sequence := make(map[string][]Key)
	for _, o := range want {
		wanted[o.Key()] = true
		live := w.Object(o.Key())
		if live == nil {
			return fmt.Errorf("%v is missing at the end", o.Key())
		}
		if fields, _ := Compare(o, live); len(fields) > 0 {
			return fmt.Errorf("%v differs at the end: %s", o.Key(), fieldsText(fields))
		}
		if s, ok := o.(Sequenced); ok {
			sequence[s.Sequence()] = append(sequence[s.Sequence()], o.Key())
		}
	}
	for _, h := range have {
		if k := h.Object.Key(); h.Class == Ours && !wanted[k] && w.Object(k) != nil {
			return fmt.Errorf("%v is left", k)
		}
	}
	for name, keys := range sequence {
		got := slices.DeleteFunc(slices.Clone(w.sequence(name)), func(k Key) bool { return !wanted[k] })
		if !slices.Equal(got, keys) {
			return fmt.Errorf("%s is in the order %v", name, got)
		}
	}
	return nil
}

func sameWorld(a, b *world) error {
	if len(a.objects) != len(b.objects) {
		return fmt.Errorf("%d objects, not %d", len(a.objects), len(b.objects))
	}
	for k, o := range b.objects {
		if a.objects[k] != o {
			return fmt.Errorf("%v is %+v, not %+v", k, a.objects[k], o)
		}
	}
	for name, keys := range b.sequences {
		if !slices.Equal(a.sequences[name], keys) {
			return fmt.Errorf("%s is %v, not %v", name, a.sequences[name], keys)
		}
	}
	return nil
}

// place is the phase of a step, and what it comes after.
func (c *randomCase) place(step int) (phase int, after []int) {
	return c.plan.Steps[step].Phase, c.plan.Steps[step].After
}
