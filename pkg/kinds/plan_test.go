package kinds_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/plumbnet/plumb/pkg/kinds"
	"github.com/plumbnet/plumb/pkg/link"
	"github.com/plumbnet/plumb/pkg/object"
	"github.com/plumbnet/plumb/pkg/plan"
)

// TestPlanner plans from random kernels to random topologies, and carries the plans out on a simple model. A failure
// names the case's seed: TEST_SEED=N TEST_CASES=1 runs it alone.
func TestPlanner(t *testing.T) {
	start := number("TEST_SEED", 7000)
	cases := uint64(20_000)
	if testing.Short() { // as in an emulated machine, whose kernel it does not meet
		cases = 500
	}
	cases = number("TEST_CASES", cases)
	t.Logf("TEST_SEED=%d TEST_CASES=%d", start, cases)
	refused, steps, freed := 0, 0, 0
	for seed := start; seed < start+cases; seed++ {
		c := newTrial(seed)
		if err := c.run(); err != nil {
			t.Fatalf("TEST_SEED=%d TEST_CASES=1: %v\n%s", seed, err, c)
		}
		if c.plan.Refused() {
			refused++
		}
		steps += len(c.plan.Steps)
		for _, s := range c.plan.Steps {
			freed += len(s.Frees)
		}
	}
	t.Logf("%d refused, %d steps, %d objects freed", refused, steps, freed)
	if freed == 0 && cases > 1000 {
		t.Error("no claim ever changed hands between two that stay")
	}
}

func number(env string, otherwise uint64) uint64 {
	if n, err := strconv.ParseUint(os.Getenv(env), 10, 64); err == nil {
		return n
	}
	return otherwise
}

// trial is one random case.
type trial struct {
	want    []plan.Object
	wanted  map[plan.Key]plan.Object
	have    []plan.Have
	class   map[plan.Key]plan.Class
	machine *machine
	options plan.Options
	plan    plan.Plan
}

func newTrial(seed uint64) *trial {
	r := rand.New(rand.NewPCG(seed, 1))
	c := &trial{
		want: wants(r), wanted: make(map[plan.Key]plan.Object),
		class: make(map[plan.Key]plan.Class), options: options(chance(r, 2)),
	}
	for _, o := range c.want {
		c.wanted[o.Key()] = o
	}
	c.machine = machineFor(r, c.want)
	c.have = haves(r, c.machine, c.wanted, c.options.Adopt)
	for _, h := range c.have {
		c.class[h.Object.Key()] = h.Class
	}
	return c
}

func options(adopt bool) plan.Options {
	o := plan.Options{
		Gone: "no longer in the file", Adopt: adopt,
		Namespaces: object.KindNamespace, Inherited: []string{object.KindSysctl},
	}
	for _, k := range kinds.Table() {
		o.Kinds = append(o.Kinds, k.Name)
		if k.Name == object.KindLink {
			o.Kinds = append(o.Kinds, kindTunnel)
		}
		if k.Last {
			o.Last = append(o.Last, k.Name)
		}
	}
	return o
}

// String shows all that the trial is about.
func (c *trial) String() string {
	var b strings.Builder
	for _, o := range c.want {
		fmt.Fprintf(&b, "want %v %+v\n", o.Key(), o)
	}
	for _, h := range c.have {
		fmt.Fprintf(&b, "have %v class %d final %v %+v\n", h.Object.Key(), h.Class, h.Final, h.Object)
	}
	for _, s := range c.plan.Steps {
		fmt.Fprintf(&b, "step %s %s\n", keysOf(s), s.Reason)
		for _, f := range s.Fields {
			fmt.Fprintf(&b, "     %s %s -> %s\n", f.Name, f.Before, f.After)
		}
	}
	return b.String()
}

func keysOf(s plan.Step) string {
	text := string(s.Action)
	for _, c := range s.Changes {
		text += " " + c.Key().Kind + " " + c.Key().Place()
	}
	return text
}

func (c *trial) run() error {
	c.plan = plan.Diff(c.want, c.have, c.options)
	if refuse := c.mustRefuse(); refuse != c.plan.Refused() {
		return fmt.Errorf("refused: %v, want %v", c.plan.Refused(), refuse)
	} else if refuse {
		return nil
	}
	for _, s := range c.plan.Steps {
		if err := c.machine.take(s); err != nil {
			return fmt.Errorf("%s: %w", keysOf(s), err)
		}
	}
	for _, check := range []func() error{c.reached, c.spared, c.ordered, c.settled} {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

func (c *trial) mustRefuse() bool {
	for _, h := range c.have {
		w := c.wanted[h.Object.Key()]
		if t, ok := h.Object.(tunnel); ok && h.Class != plan.Ours && w == nil && claimed(c.wanted, t.Key(), t.ID) {
			return true
		}
		if h.Class != plan.Foreign || w == nil {
			continue
		}
		if _, fixed := plan.Compare(w, h.Object); fixed || h.Final || !c.options.Adopt {
			return true
		}
	}
	return false
}

// reached checks that what is wanted is there, in its order, and that nothing else of ours is.
func (c *trial) reached() error {
	order := make(map[string][]plan.Key)
	for _, w := range c.want {
		k := w.Key()
		live := c.machine.find(k)
		if live == nil {
			return fmt.Errorf("%v is missing", k)
		}
		if fields, _ := plan.Compare(w, live); len(fields) > 0 {
			return fmt.Errorf("%v differs: %v", k, fields)
		}
		if s, ok := w.(plan.Sequenced); ok {
			order[s.Sequence()] = append(order[s.Sequence()], k)
		}
	}
	for i, o := range c.machine.objects {
		k := c.machine.keys[i]
		s, ok := o.(plan.Sequenced)
		if ok && len(order[s.Sequence()]) > 0 && order[s.Sequence()][0] == k {
			order[s.Sequence()] = order[s.Sequence()][1:]
		}
		if c.classOf(k) == plan.Ours && c.wanted[k] == nil {
			return fmt.Errorf("%v is left", k)
		}
	}
	for name, rest := range order {
		if len(rest) > 0 && !c.crowded(name) {
			return fmt.Errorf("%s: %v is out of order", name, rest[0])
		}
	}
	return nil
}

// crowded says that somebody else's address is in a sequence: it may be the first of a subnet, which no order of ours
// changes.
func (c *trial) crowded(name string) bool {
	return slices.ContainsFunc(c.machine.objects, func(o plan.Object) bool {
		s, ok := o.(plan.Sequenced)
		return ok && c.wanted[o.Key()] == nil && s.Sequence() == name
	})
}

// classOf tells whose an object was; what was hidden is foreign.
func (c *trial) classOf(k plan.Key) plan.Class {
	if class, ok := c.class[k]; ok || c.wanted[k] != nil {
		return class
	}
	return plan.Foreign
}

// spared checks that what is not ours is only changed where it is declared, and never deleted by a step of its own.
func (c *trial) spared() error {
	for _, s := range c.plan.Steps {
		for _, ch := range s.Changes {
			k := ch.Key()
			switch class := c.classOf(k); {
			case strings.HasPrefix(s.Reason, "out of order"): // it is declared, and stands in a wrong place
			case s.Action == plan.Delete && class != plan.Ours && s.Key() == k:
				return fmt.Errorf("%v is deleted and not ours", k)
			case s.Action == plan.Replace && class == plan.Foreign:
				return fmt.Errorf("%v is replaced and not ours", k)
			case s.Action == plan.Update && class == plan.Foreign && !slices.ContainsFunc(c.plan.Steps, func(a plan.Step) bool {
				return a.Action == plan.Adopt && a.Key() == k
			}):
				return fmt.Errorf("%v is changed and not ours", k)
			}
		}
	}
	return nil
}

// ordered checks that what can be done before anything is taken away is, and that namespaces go last.
func (c *trial) ordered() error {
	touched := c.touched()
	deleted, last := false, false
	for _, s := range c.plan.Steps {
		final := s.Action == plan.Delete && s.Key().Kind == object.KindNamespace
		if last && !final {
			return fmt.Errorf("%s comes after the removal of a namespace", keysOf(s))
		}
		last = last || final
		y, ok := s.Changes[0].Old.(plan.Yielding)
		yields := s.Action == plan.Delete && ok && y.Yields()
		deleted = deleted || s.Action == plan.Delete && !yields || s.Action == plan.Replace
		makes := s.Action == plan.Create || s.Action == plan.Update || s.Action == plan.Adopt
		if deleted && makes && !slices.ContainsFunc(s.Changes, func(ch plan.Change) bool { return touched[ch.Key()] }) {
			return fmt.Errorf("%s could come before what is taken away", keysOf(s))
		}
	}
	return nil
}

// touched lists what has to wait for something that is taken away: what falls, what is replaced, and what needs them.
func (c *trial) touched() map[plan.Key]bool {
	touched := make(map[plan.Key]bool)
	sequences := make(map[string]bool)
	for _, k := range c.machine.fell {
		touched[k] = true
	}
	for _, o := range c.want {
		touched[o.Key()] = touched[o.Key()] || c.contends(o)
	}
	for _, s := range c.plan.Steps {
		for _, ch := range s.Changes {
			if s.Action == plan.Replace || s.Reason == "out of order" {
				touched[ch.Key()] = true
				if a, ok := ch.Old.(plan.Sequenced); ok {
					sequences[a.Sequence()] = true
				}
			}
		}
	}
	for more := len(touched) > 0; more; {
		more = false
		for k, w := range c.wanted {
			s, ok := w.(plan.Sequenced)
			waits := ok && sequences[s.Sequence()] ||
				slices.ContainsFunc(c.needs(w), func(k plan.Key) bool { return touched[k] })
			if !touched[k] && waits {
				touched[k], more = true, true
			}
		}
	}
	return touched
}

// needs lists what an object cannot be made without: the other half of a cable and a source address too.
func (c *trial) needs(o plan.Object) []plan.Key {
	needs := o.Needs()
	switch o := o.(type) {
	case link.Link:
		if pair, ok := o.Pair(); ok {
			needs = append(needs, pair)
		}
	case kinds.Route:
		for k, w := range c.wanted {
			if a, ok := w.(kinds.Address); ok && a.NS == o.NS && a.Prefix.Addr() == o.Src {
				needs = append(needs, k)
			}
		}
	}
	return needs
}

// settled checks that a second plan is empty.
func (c *trial) settled() error {
	var have []plan.Have
	for _, o := range c.machine.objects {
		class := c.classOf(o.Key())
		if c.wanted[o.Key()] != nil {
			class = plan.Ours
		}
		have = append(have, plan.Have{Object: o, Class: class})
	}
	if again := plan.Diff(c.want, have, c.options); len(again.Steps) > 0 {
		return fmt.Errorf("a second plan begins with %s", keysOf(again.Steps[0]))
	}
	return nil
}
