package kinds_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"

	"github.com/plumbnet/plumb/pkg/object"
	"github.com/plumbnet/plumb/pkg/plan"
)

// tunnel is a kind that only these tests know: on a link, with a number that no other tunnel of the host has.
type tunnel struct {
	NS, Name string
	Dev      string `plan:"dev,fixed"`
	ID       int    `plan:"id,fixed"`
	TTL      int    `plan:"ttl"`
}

const kindTunnel = "tunnel"

func tunnelKey(ns, name string) plan.Key { return plan.Key{NS: ns, Kind: kindTunnel, Name: name} }

func (t tunnel) Key() plan.Key      { return tunnelKey(t.NS, t.Name) }
func (t tunnel) Needs() []plan.Key  { return []plan.Key{object.LinkKey(t.NS, t.Dev)} }
func (t tunnel) On() []plan.Key     { return t.Needs() }
func (t tunnel) Describe() string   { return "id " + strconv.Itoa(t.ID) }
func (t tunnel) Claims() []plan.Key { return []plan.Key{{Kind: "id", Name: strconv.Itoa(t.ID)}} }

func (t tunnel) After(old, now plan.Object, _ plan.World) (plan.Object, bool) {
	return t, now != nil || old.Key() != object.LinkKey(t.NS, t.Dev)
}

// tunnels adds some on links of any sections.
func (w *wanter) tunnels() {
	ids := w.Perm(5)
	for range w.IntN(5) {
		p := pick(w.Rand, w.sections)
		name := fmt.Sprintf("t%d", w.IntN(4))
		same := func(o plan.Object) bool { return o.Key() == tunnelKey(p.ns, name) }
		if len(p.links) == 0 || slices.ContainsFunc(p.tunnels, same) {
			continue
		}
		dev := pick(w.Rand, p.links).Name
		p.tunnels = append(p.tunnels, tunnel{NS: p.ns, Name: name, Dev: dev, ID: ids[0], TTL: w.IntN(2)})
		ids = ids[1:]
	}
}

// holder is the tunnel that has an ID.
func (m *machine) holder(id int) plan.Object {
	i := slices.IndexFunc(m.objects, func(o plan.Object) bool { t, ok := o.(tunnel); return ok && t.ID == id })
	if i < 0 {
		return nil
	}
	return m.objects[i]
}

func (m *machine) checkTunnel(t tunnel) error {
	if m.find(object.LinkKey(t.NS, t.Dev)) == nil {
		return fmt.Errorf("no link %s", t.Dev)
	}
	if h := m.holder(t.ID); h != nil && h.Key() != t.Key() {
		return fmt.Errorf("id %d is taken by %v", t.ID, h.Key())
	}
	return nil
}

func (m *machine) alterTunnel(r *rand.Rand, t tunnel) {
	t.TTL = 7
	if id := r.IntN(5); chance(r, 2) && m.holder(id) == nil {
		t.ID = id
	}
	m.put(t)
}

// shuffle gives the tunnels each other's numbers.
func (m *machine) shuffle(r *rand.Rand) {
	var at, ids []int
	for i, o := range m.objects {
		if t, ok := o.(tunnel); ok {
			at, ids = append(at, i), append(ids, t.ID)
		}
	}
	for i, j := range r.Perm(len(at)) {
		t := m.objects[at[i]].(tunnel)
		t.ID = ids[j]
		m.objects[at[i]] = t
	}
}

// claimed says whether another tunnel than that of a key is wanted to have an ID.
func claimed(want map[plan.Key]plan.Object, k plan.Key, id int) bool {
	for other, o := range want {
		if t, ok := o.(tunnel); ok && other != k && t.ID == id {
			return true
		}
	}
	return false
}

// contends says whether an object was to have an ID that another had.
func (c *trial) contends(o plan.Object) bool {
	t, ok := o.(tunnel)
	return ok && slices.ContainsFunc(c.have, func(h plan.Have) bool {
		held, ok := h.Object.(tunnel)
		return ok && held.ID == t.ID && held.Key() != t.Key()
	})
}
