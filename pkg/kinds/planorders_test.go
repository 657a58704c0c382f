package kinds_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/plumbnet/plumb/pkg/plan"
	"github.com/plumbnet/plumb/pkg/plan/plantest"
)

// TestOrders carries random plans out in random orders, as far as [plan.Step] lets them: all end as the plan's own.
func TestOrders(t *testing.T) {
	start, cases := number("TEST_SEED", 7000), number("TEST_CASES", 500)
	const orders = 50
	t.Logf("TEST_SEED=%d TEST_CASES=%d", start, cases)
	tried, moved := 0, 0
	for seed := start; seed < start+cases; seed++ {
		c := newTrial(seed)
		c.plan = plan.Diff(c.want, c.have, c.options)
		if c.plan.Refused() || len(c.plan.Steps) < 2 {
			continue
		}
		own := make([]int, len(c.plan.Steps))
		for i := range own {
			own[i] = i
		}
		want, err := c.end(own)
		if err != nil {
			t.Fatalf("TEST_SEED=%d TEST_CASES=1: %v\n%s", seed, err, c)
		}
		r := rand.New(rand.NewPCG(seed, 2))
		for range orders {
			order := plantest.Order(r, len(c.plan.Steps), c.place)
			got, err := c.end(order)
			if err == nil {
				err = sameEnd(got, want)
			}
			if err != nil {
				t.Fatalf("TEST_SEED=%d TEST_CASES=1: in the order %v: %v\n%s", seed, order, err, c)
			}
			tried++
			if !slices.Equal(order, own) {
				moved++
			}
		}
	}
	t.Logf("%d orders, %d of them not the plan's", tried, moved)
	if moved < tried/2 {
		t.Error("hardly any order differs from the plan's")
	}
}

// end takes the steps in an order, and returns what is there then.
func (c *trial) end(order []int) (*machine, error) {
	m := &machine{objects: slices.Clone(c.machine.objects), keys: slices.Clone(c.machine.keys)}
	for _, i := range order {
		s := c.plan.Steps[i]
		if err := m.take(s); err != nil {
			return nil, fmt.Errorf("step %d, %s: %w", i, keysOf(s), err)
		}
	}
	return m, nil
}

// sameEnd says in what two machines differ: objects, or the order of those whose order matters.
func sameEnd(got, want *machine) error {
	for i, k := range want.keys {
		if o := got.find(k); o != want.objects[i] {
			return fmt.Errorf("%v is %+v, want %+v", k, o, want.objects[i])
		}
	}
	if len(got.keys) != len(want.keys) {
		return fmt.Errorf("%d objects, want %d", len(got.keys), len(want.keys))
	}
	a, b := got.sequences(), want.sequences()
	for name, keys := range b {
		if !slices.Equal(a[name], keys) {
			return fmt.Errorf("%s is %v, want %v", name, a[name], keys)
		}
	}
	return nil
}

func (m *machine) sequences() map[string][]plan.Key {
	list := make(map[string][]plan.Key)
	for i, o := range m.objects {
		if s, ok := o.(plan.Sequenced); ok {
			list[s.Sequence()] = append(list[s.Sequence()], m.keys[i])
		}
	}
	return list
}

// place is the phase of a step, and what it comes after.
func (c *trial) place(step int) (phase int, after []int) {
	return c.plan.Steps[step].Phase, c.plan.Steps[step].After
}
