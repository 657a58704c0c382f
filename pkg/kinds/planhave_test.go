package kinds_test

import (
	"math/rand/v2"
	"net/netip"
	"slices"

	"github.com/plumbnet/plumb/pkg/kinds"
	"github.com/plumbnet/plumb/pkg/link"
	"github.com/plumbnet/plumb/pkg/object"
	"github.com/plumbnet/plumb/pkg/plan"
)

// machineFor makes a kernel that is somewhere near what is wanted: nothing, the same, or another topology, and then
// some changes by hand.
func machineFor(r *rand.Rand, want []plan.Object) *machine {
	m := &machine{}
	switch r.IntN(4) {
	case 0:
		return m
	case 1:
		m = newMachine(want)
	default:
		m = newMachine(wants(r))
	}
	m.reveal()
	for range r.IntN(6) {
		if len(m.objects) > 0 {
			m.drift(r)
		}
	}
	if chance(r, 2) {
		m.shuffle(r)
	}
	m.parameters(want)
	m.fell = nil
	return m
}

// parameters adds the sysctls that are wanted, and that are there, with the kernel's default, unless they are known.
func (m *machine) parameters(want []plan.Object) {
	for _, o := range want {
		if v, ok := o.(kinds.Sysctl); ok && m.find(v.Key()) == nil && m.check(v) == nil {
			v.Value = "0"
			if n, ok := m.find(object.NamespaceKey(v.NS)).(kinds.Namespace); ok &&
				(v.Name == object.Forwarding4 && n.Forwarding4.V || v.Name == object.Forwarding6 && n.Forwarding6.V) {
				v.Value = "1"
			}
			m.add(v)
		}
	}
}

// reveal fills in what a file leaves open and a kernel never does.
func (m *machine) reveal() {
	for i, o := range m.objects {
		if n, ok := o.(kinds.Namespace); ok {
			n.Forwarding4 = plan.Some(m.find(object.SysctlKey(n.Name, object.Forwarding4)) != nil)
			n.Forwarding6 = plan.Some(m.find(object.SysctlKey(n.Name, object.Forwarding6)) != nil)
			m.objects[i] = n
		}
	}
}

// drift is one change by hand.
func (m *machine) drift(r *rand.Rand) {
	o := pick(r, m.objects)
	switch r.IntN(4) {
	case 0:
		m.remove(o.Key())
	case 1:
		m.extra(r, o)
	default:
		m.alter(r, o)
	}
}

func (m *machine) alter(r *rand.Rand, o plan.Object) {
	switch o := o.(type) {
	case kinds.Namespace:
		m.alterNamespace(r, o)
	case kinds.Sysctl:
		if o.Name != object.Forwarding4 && o.Name != object.Forwarding6 {
			o.Value = "0"
			m.put(o)
		}
	case link.Link:
		m.alterLink(r, o)
	case kinds.Address:
		m.alterAddress(r, o)
	case kinds.Route:
		m.alterRoute(r, o)
	case kinds.NAT:
		o.Rule += " log"
		m.put(o)
	case tunnel:
		m.alterTunnel(r, o)
	}
}

func (m *machine) alterNamespace(r *rand.Rand, n kinds.Namespace) {
	switch r.IntN(3) {
	case 0:
		n.LoUp = !n.LoUp
	case 1:
		n.Forwarding4.V = !n.Forwarding4.V
	case 2:
		n.Forwarding6.V = !n.Forwarding6.V
	}
	m.put(n)
	for key, on := range map[string]bool{object.Forwarding4: n.Forwarding4.V, object.Forwarding6: n.Forwarding6.V} {
		if v, ok := m.find(object.SysctlKey(n.Name, key)).(kinds.Sysctl); ok {
			v.Value = map[bool]string{true: "1", false: "0"}[on]
			m.put(v)
		}
	}
}

func (m *machine) alterLink(r *rand.Rand, l link.Link) {
	switch r.IntN(14) {
	case 0:
		l.MTU = pick(r, []uint32{1000, 1400, 1500})
	case 1:
		l.MAC[5]++
	case 2:
		l.Master = ""
	case 3:
		b, ok := m.find(object.LinkKey(l.NS, "br1")).(link.Link)
		if ok && l.Type == link.TypeVeth && b.Type == link.TypeBridge {
			l.Master = "br1"
		}
	case 4:
		l.Up = false
	case 5:
		l.Ifname = "renamed" + l.Name
	case 6:
		l.Alias = ""
	case 7:
		l.Forwarding4 = !l.Forwarding4
	case 8:
		l.Forwarding6 = !l.Forwarding6
	case 9:
		l.Promote = false
	case 10:
		if b, ok := l.Spec.(link.Bridge); ok {
			b.STP, b.Snooping = !b.STP, !b.Snooping
			l.Spec = b
		}
	case 11:
		l.LinkLocal = plan.Some(netip.MustParseAddr("fe80::1234"))
	case 12:
		m.retype(l)
		return
	case 13:
		if l.Type == link.TypeVeth { // the far end was moved to a namespace without a name
			far, _ := l.Pair()
			m.remove(far)
			m.fell = nil
			l.Peer = object.Unknown
			if m.find(l.Key()) == nil {
				m.add(l)
				return
			}
		}
	}
	m.put(l)
}

// retype puts a link of another type in a bridge's place.
func (m *machine) retype(l link.Link) {
	if l.Type == link.TypeBridge {
		m.remove(l.Key())
		l.Type, l.Spec = "dummy", nil
		m.put(l)
	}
}

func (m *machine) alterAddress(r *rand.Rand, a kinds.Address) {
	switch r.IntN(5) {
	case 0:
		a.Broadcast = netip.MustParseAddr("10.0.0.99")
	case 1:
		a.Label = a.Dev + ":1"
	case 2:
		a.Finite = true
	case 3:
		a.Metric = 5
	case 4: // deleted and added again, so that it is the last
		m.remove(a.Key())
		m.put(a)
		return
	}
	m.put(a)
}

func (m *machine) alterRoute(r *rand.Rand, o kinds.Route) {
	switch r.IntN(4) {
	case 0:
		o.Type, o.Via, o.Dev, o.NextHops, o.Src = kinds.Blackhole, netip.Addr{}, plan.Some(""), "", netip.Addr{}
	case 1:
		o.MTU = 1300
	case 2:
		o.Copies = 1
	case 3:
		o.Proto = 3
	}
	m.put(o)
}

// extra adds something that nobody wants.
func (m *machine) extra(r *rand.Rand, near plan.Object) {
	var o plan.Object
	switch l := near.(type) {
	case link.Link:
		o = kinds.NewAddress(l.NS, l.Name, prefix("172.16.0.%d/24", 1+r.IntN(3)))
		if chance(r, 2) {
			o = kinds.Route{NS: l.NS, Dst: prefix("172.20.0.0/16"), Table: kinds.MainTable,
				Type: kinds.Unicast, Dev: plan.Some(l.Name)}
		}
	case kinds.NAT:
		o = kinds.NAT{NS: l.NS, Entry: "rule by hand", Rule: "accept"}
	default:
		hand := link.Link{NS: near.Key().NS, Name: "hand0", Ifname: "hand0", Type: "dummy", Up: true, MTU: 1500}
		if hand.NS == "" || m.find(object.NamespaceKey(hand.NS)) != nil {
			o = hand
		}
	}
	if o != nil && m.find(o.Key()) == nil && m.check(o) == nil {
		m.put(o)
	}
}

// haves says whose each object is, and hides what a reader of the kernel does not show.
func haves(r *rand.Rand, m *machine, want map[plan.Key]plan.Object, adopt bool) []plan.Have {
	wanted := func(k plan.Key) bool { return want[k] != nil }
	foreign := make(map[plan.Key]bool)
	var list []plan.Have
	for i, o := range m.objects {
		h, k := plan.Have{Object: o}, m.keys[i]
		switch v := o.(type) {
		case kinds.Namespace, link.Link:
			if k.NS == "" && wanted(k) && chance(r, 25) {
				h.Class, h.Why, h.Final = plan.Foreign, "not ours", chance(r, 3)
				foreign[k] = true
			}
		case kinds.Sysctl:
			if k.NS != "" && !wanted(k) && (v.Name == object.Forwarding4 || v.Name == object.Forwarding6) {
				continue // it is the namespace's attribute then
			}
			if wanted(k) && chance(r, 30) {
				h.Class, h.Why, h.Final = plan.Foreign, "another topology's", true
			}
		case kinds.Address:
			if foreign[object.LinkKey(v.NS, v.Dev)] {
				h.Class = plan.Foreign
			} else if !wanted(k) && chance(r, 2) {
				h.Class = plan.Loose
			}
		case kinds.Route:
			if slices.ContainsFunc(hopsOf(v), func(n kinds.NextHop) bool { return foreign[object.LinkKey(v.NS, n.Dev)] }) {
				h.Class = plan.Foreign
			} else if !wanted(k) && chance(r, 2) {
				h.Class = plan.Loose
			}
		}
		held := false
		if t, ok := o.(tunnel); ok {
			if !wanted(k) && chance(r, 6) {
				h.Class = pick(r, []plan.Class{plan.Loose, plan.Foreign})
			}
			held = claimed(want, k, t.ID)
		}
		hidden := h.Class == plan.Foreign && !wanted(k) && !held || foreign[object.NamespaceKey(k.NS)] && k.NS != "" && !adopt
		if !hidden {
			list = append(list, h)
		}
	}
	return list
}
