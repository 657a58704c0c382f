package kinds_test

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/plumbnet/plumb/pkg/kinds"
	"github.com/plumbnet/plumb/pkg/link"
	"github.com/plumbnet/plumb/pkg/object"
	"github.com/plumbnet/plumb/pkg/plan"
)

// machine is a kernel as simple as can be: its objects in the order in which they were made. It shares no code with
// the planner, and knows for itself what falls with what.
type machine struct {
	objects []plan.Object
	keys    []plan.Key // of objects, which take long to make
	fell    []plan.Key // what went because something else did
}

func newMachine(objects []plan.Object) *machine {
	m := &machine{}
	for _, o := range objects {
		m.add(o)
	}
	return m
}

func (m *machine) add(o plan.Object) {
	m.objects, m.keys = append(m.objects, o), append(m.keys, o.Key())
}

func (m *machine) insert(i int, o plan.Object) {
	m.objects, m.keys = slices.Insert(m.objects, i, o), slices.Insert(m.keys, i, o.Key())
}

func (m *machine) cut(i int) {
	m.objects, m.keys = slices.Delete(m.objects, i, i+1), slices.Delete(m.keys, i, i+1)
}

func (m *machine) index(k plan.Key) int { return slices.Index(m.keys, k) }

func (m *machine) find(k plan.Key) plan.Object {
	if i := m.index(k); i >= 0 {
		return m.objects[i]
	}
	return nil
}

// take carries out a step as package reconcile does.
func (m *machine) take(s plan.Step) error {
	for _, o := range s.Frees {
		if m.find(o.Key()) != o {
			return fmt.Errorf("%v is to be freed, and is not so there", o.Key())
		}
	}
	for _, o := range s.Frees {
		m.remove(o.Key())
	}
	switch s.Action {
	case plan.Create:
		return m.create(s.Changes)
	case plan.Update, plan.Adopt:
		for _, c := range s.Changes {
			if err := m.change(c.Old, c.New); err != nil {
				return err
			}
		}
	case plan.Replace:
		for _, c := range s.Changes {
			if c.Old != nil && !s.Freed {
				m.remove(c.Key())
			}
		}
		return m.create(s.Changes)
	case plan.Delete:
		m.remove(s.Changes[len(s.Changes)-1].Key())
		for _, c := range s.Changes {
			if m.find(c.Key()) != nil {
				return fmt.Errorf("%v is still there", c.Key())
			}
		}
	default:
		return fmt.Errorf("unexpected action")
	}
	return nil
}

func (m *machine) create(changes []plan.Change) error {
	for _, c := range changes {
		if _, ok := c.New.(kinds.Sysctl); !ok && m.find(c.Key()) != nil {
			return fmt.Errorf("%v exists", c.Key())
		}
		if l, ok := c.New.(link.Link); ok && (l.Type == link.TypeVeth) != (len(changes) == 2) {
			return fmt.Errorf("%v needs both ends", c.Key())
		}
		if l, ok := c.New.(link.Link); ok && m.named(l.NS, l.Ifname) != nil {
			return fmt.Errorf("%v: the name is taken", c.Key())
		}
	}
	for _, c := range changes {
		if err := m.check(c.New); err != nil {
			return fmt.Errorf("create %v: %w", c.Key(), err)
		}
		m.put(c.New)
	}
	return nil
}

func (m *machine) named(ns, ifname string) plan.Object {
	for _, o := range m.objects {
		if l, ok := o.(link.Link); ok && l.NS == ns && l.Ifname == ifname {
			return l
		}
	}
	return nil
}

func (m *machine) change(old, now plan.Object) error {
	live := m.find(now.Key())
	if live == nil {
		return fmt.Errorf("%v is not there", now.Key())
	}
	if live != old {
		return fmt.Errorf("%v is %+v, not %+v as the plan says", now.Key(), live, old)
	}
	if _, fixed := plan.Compare(now, old); fixed {
		return fmt.Errorf("%v can't change so in place", now.Key())
	}
	if err := m.check(now); err != nil {
		return fmt.Errorf("change %v: %w", now.Key(), err)
	}
	m.put(now)
	return nil
}

// check says what is missing for an object.
func (m *machine) check(o plan.Object) error {
	if ns := o.Key().NS; ns != "" && m.find(object.NamespaceKey(ns)) == nil {
		return fmt.Errorf("no namespace %s", ns)
	}
	switch o := o.(type) {
	case link.Link:
		if b, ok := m.find(object.LinkKey(o.NS, o.Master)).(link.Link); o.Master != "" && (!ok || b.Type != link.TypeBridge) {
			return fmt.Errorf("no bridge %s", o.Master)
		}
	case kinds.Address:
		l, ok := m.find(object.LinkKey(o.NS, o.Dev)).(link.Link)
		if o.Dev != "lo" && (!ok || !o.Prefix.Addr().Is4() && l.MTU < object.MinIPv6MTU) {
			return fmt.Errorf("link %s can't have it", o.Dev)
		}
	case kinds.Route:
		return m.checkRoute(o)
	case tunnel:
		return m.checkTunnel(o)
	case kinds.Sysctl:
		if dev, ok := object.SysctlOfLink(o.Name); ok && m.find(object.LinkKey(o.NS, dev)) == nil {
			return fmt.Errorf("no link %s", dev)
		}
	}
	return nil
}

func (m *machine) checkRoute(r kinds.Route) error {
	for _, h := range hopsOf(r) {
		l, ok := m.find(object.LinkKey(r.NS, h.Dev)).(link.Link)
		if !ok || !l.Up || !r.Dst.Addr().Is4() && l.MTU < object.MinIPv6MTU {
			return fmt.Errorf("no link %s that is up", h.Dev)
		}
		near := func(a kinds.Address) bool { return a.NS == r.NS && a.Dev == h.Dev && a.Prefix.Contains(h.Via) }
		if h.Via.IsValid() && !m.has(near) {
			return fmt.Errorf("gateway %s is out of reach", h.Via)
		}
		if !h.Via.IsValid() && r.Dst.Addr().Is4() && r.Src.IsValid() && !m.hasIPv4(r.NS, h.Dev) {
			return fmt.Errorf("no address on %s", h.Dev)
		}
	}
	if r.Src.IsValid() && !m.has(func(a kinds.Address) bool { return a.NS == r.NS && a.Prefix.Addr() == r.Src }) {
		return fmt.Errorf("no address %s", r.Src)
	}
	return nil
}

func hopsOf(r kinds.Route) []kinds.NextHop {
	if hops := r.NextHops.Split(); len(hops) > 0 || r.Type != kinds.Unicast {
		return hops
	}
	return []kinds.NextHop{{Via: r.Via, Dev: r.Dev.V}}
}

func (m *machine) has(match func(kinds.Address) bool) bool {
	return slices.ContainsFunc(m.objects, func(o plan.Object) bool {
		a, ok := o.(kinds.Address)
		return ok && match(a)
	})
}

func (m *machine) hasIPv4(ns, dev string) bool {
	return m.has(func(a kinds.Address) bool { return a.NS == ns && a.Dev == dev && a.Prefix.Addr().Is4() })
}

// put enters an object, in its old place if it has one, and lets what follows from it follow.
func (m *machine) put(o plan.Object) {
	old := m.find(o.Key())
	if old == nil {
		m.insert(m.placeFor(o), o)
	} else {
		m.objects[m.index(o.Key())] = o
	}
	switch o := o.(type) {
	case kinds.Namespace:
		was, existed := old.(kinds.Namespace)
		if existed && o.Forwarding4.Set && o.Forwarding4 != was.Forwarding4 {
			m.forward(o.Name, object.Forwarding4, o.Forwarding4.V)
		}
		if existed && o.Forwarding6.Set && o.Forwarding6 != was.Forwarding6 {
			m.forward(o.Name, object.Forwarding6, o.Forwarding6.V)
		}
	case kinds.Sysctl:
		if o.Name == object.Forwarding4 || o.Name == object.Forwarding6 {
			m.forward(o.NS, o.Name, o.Value != "0")
		}
	case link.Link:
		if o.Up && o.MTU < object.MinIPv6MTU {
			m.strip(o)
		}
		if o.MTU < object.MinIPv6MTU || !o.Up {
			m.drop(func(x plan.Object) bool { return m.fallsFrom(x, o) })
		}
	}
}

// strip takes the ways over a link from the IPv6 routes that have others.
func (m *machine) strip(l link.Link) {
	for i, o := range m.objects {
		if r, ok := o.(kinds.Route); ok && over(r, l.NS, l.Name) && !r.Dst.Addr().Is4() {
			m.objects[i] = stripped(r, l.Name)
		}
	}
}

// fallsFrom says whether something goes when its link can't carry IPv6, or is down.
func (m *machine) fallsFrom(x plan.Object, l link.Link) bool {
	switch x := x.(type) {
	case kinds.Address:
		return x.NS == l.NS && x.Dev == l.Name && !x.Prefix.Addr().Is4()
	case kinds.Route:
		if !over(x, l.NS, l.Name) {
			return false
		}
		return l.Up && !x.Dst.Addr().Is4() || !l.Up && m.dead(x)
	}
	return false
}

// dead says whether none of a route's ways leads over a link that is up and, in IPv4, has an address.
func (m *machine) dead(r kinds.Route) bool {
	return !slices.ContainsFunc(hopsOf(r), func(h kinds.NextHop) bool {
		l, known := m.find(object.LinkKey(r.NS, h.Dev)).(link.Link)
		return !known || l.Up && (r.Dst.Addr().Is6() || m.hasIPv4(r.NS, h.Dev))
	})
}

func over(r kinds.Route, ns, dev string) bool {
	return r.NS == ns && slices.ContainsFunc(hopsOf(r), func(h kinds.NextHop) bool { return h.Dev == dev })
}

func (m *machine) forward(ns, key string, on bool) {
	for i, o := range m.objects {
		if l, ok := o.(link.Link); ok && l.NS == ns {
			if key == object.Forwarding4 {
				l.Forwarding4 = on
			} else {
				l.Forwarding6 = on
			}
			m.objects[i] = l
		}
	}
}

// drop removes what falls.
func (m *machine) drop(match func(plan.Object) bool) {
	for {
		i := slices.IndexFunc(m.objects, match)
		if i < 0 {
			return
		}
		k := m.keys[i]
		m.fell = append(m.fell, k)
		m.remove(k)
	}
}

// remove deletes an object, and all that goes with it.
func (m *machine) remove(k plan.Key) {
	i := m.index(k)
	if i < 0 {
		return
	}
	old := m.objects[i]
	m.promote(i)
	m.cut(m.index(k))
	switch old := old.(type) {
	case kinds.Namespace:
		m.drop(func(o plan.Object) bool { return o.Key().NS == old.Name })
	case link.Link:
		m.removedLink(old)
	case kinds.Address:
		m.removedAddress(old)
	}
}

func (m *machine) removedLink(l link.Link) {
	for i, o := range m.objects {
		if port, ok := o.(link.Link); ok && port.NS == l.NS && port.Master == l.Name {
			port.Master, port.Port = "", nil
			m.objects[i] = port
		}
	}
	m.strip(l)
	m.drop(func(o plan.Object) bool {
		switch o := o.(type) {
		case link.Link:
			return string(o.Peer) == l.Key().Place()
		case kinds.Address:
			return o.NS == l.NS && o.Dev == l.Name
		case kinds.Route:
			return over(o, l.NS, l.Name)
		case tunnel:
			return o.NS == l.NS && o.Dev == l.Name
		case kinds.Sysctl:
			return o.NS == l.NS && strings.HasPrefix(o.Name, "net.ipv4.conf."+l.Name+".")
		}
		return false
	})
}

// stripped is an IPv6 route that loses its ways over a link, unless it has no others.
func stripped(r kinds.Route, dev string) kinds.Route {
	left := slices.DeleteFunc(hopsOf(r), func(h kinds.NextHop) bool { return h.Dev == dev })
	switch len(left) {
	case 0:
		return r
	case 1:
		r.Via, r.Dev, r.NextHops = left[0].Via, plan.Some(left[0].Dev), ""
	default:
		r.NextHops = kinds.JoinNextHops(left)
	}
	return r
}

func (m *machine) removedAddress(a kinds.Address) {
	src := a.Prefix.Addr()
	last := src.Is4() && !m.hasIPv4(a.NS, a.Dev)
	lost := !m.has(func(b kinds.Address) bool { return b.NS == a.NS && b.Prefix.Addr() == src })
	for i, o := range m.objects {
		if r, ok := o.(kinds.Route); ok && r.NS == a.NS && r.Src == src && src.Is6() && lost {
			r.Src = netip.Addr{}
			m.objects[i] = r
		}
	}
	m.drop(func(o plan.Object) bool {
		r, ok := o.(kinds.Route)
		return ok && r.NS == a.NS && (r.Src == src && lost || last && over(r, a.NS, a.Dev) && m.dead(r))
	})
}
