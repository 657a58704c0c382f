package link

import (
	"reflect"
	"slices"
	"strings"

	"github.com/plumbnet/plumb/pkg/file"
	"github.com/plumbnet/plumb/pkg/object"
	"github.com/plumbnet/plumb/pkg/plan"
)

// resolveAll finds the links that others are made on, and checks what each type asks for.
func resolveAll(n *object.Network) {
	for _, s := range n.Sections {
		for _, l := range s.Links {
			if _, ok := l.Form.(*typed); ok && l.Spots.Good(l.Type) {
				resolve(l)
			}
		}
	}
}

// checkAll checks links against those that they are made on, when all masters are known.
func checkAll(n *object.Network) {
	checkCircles(n)
	first, sibling := make(map[plan.Key]*object.Iface), make(map[plan.Key]*object.Iface)
	for _, s := range n.Sections {
		for _, l := range s.Links {
			if _, ok := l.Form.(*typed); ok {
				checkIP(l)
				checkMTU(l)
				checkBelow(l)
				checkClaims(l, first)
				checkSiblings(l, sibling)
				if t := typeOf(l.Type); t.CheckPorts != nil && l.Spots.Good(l.Type) {
					t.CheckPorts(l, l.Spots.In(l.Type))
				}
			}
		}
	}
}

// checkCircles reports links that are made on themselves, and cuts them loose: who follows a link down comes to an end.
func checkCircles(n *object.Network) {
	below := make(map[*object.Iface][]*object.Iface) // of a bridge, its ports
	for _, s := range n.Sections {
		for _, l := range s.Links {
			below[l] = append(below[l], l.Below...)
			if l.Master != nil {
				below[l.Master] = append(below[l.Master], l)
			}
		}
	}
	done := make(map[*object.Iface]bool) // false while the walk is below the link
	var walk func(l, made *object.Iface)
	walk = func(l, made *object.Iface) {
		if len(l.Below) > 0 {
			made = l
		}
		done[l] = false
		for _, next := range below[l] {
			if whole, seen := done[next]; !seen {
				walk(next, made)
			} else if !whole && len(made.Below) > 0 {
				made.Section.Errorf(made.Spots.At(made.Type), "%s is made on itself", made)
				made.Below = nil
			}
		}
		done[l] = true
	}
	for _, s := range n.Sections {
		for _, l := range s.Links {
			if _, seen := done[l]; !seen && len(l.Below) > 0 {
				walk(l, l)
			}
		}
	}
}

// checkClaims reports what two links of the file claim for themselves.
func checkClaims(l *object.Iface, first map[plan.Key]*object.Iface) {
	for _, k := range (Link{NS: l.Section.Name, Name: l.Name, Type: l.Type, Spec: l.Spec}).Claims() {
		if other := first[k]; k.Kind == framesOf {
			continue // see [checkSiblings]
		} else if other != nil && l.Spots.Good(l.Type) {
			l.Section.Clash(file.Error, l.Spots.At(l.Type), other.Spots.At(other.Type),
				"%s and %s both have %s %s, which is there once",
				l, other, k.Kind, k.Name)
			continue
		}
		first[k] = l
	}
}

// checkSiblings reports links on one link that can't be there together.
func checkSiblings(l *object.Iface, first map[plan.Key]*object.Iface) {
	t := typeOf(l.Type)
	if t.Handler == "" || !l.Spots.Good(l.Type) {
		return
	}
	for _, k := range t.Below(l.Spec) {
		other := first[k]
		if other == nil {
			first[k] = l
			continue
		}
		here, there := l.Spots.At(l.Type), other.Spots.At(other.Type)
		takes := func(l *object.Iface) bool { return Link{Type: l.Type, Spec: l.Spec}.takes() != "" }
		switch {
		case typeOf(other.Type).Handler != t.Handler:
			l.Section.Clash(file.Error, here, there,
				"%s is %s, and %s %s on the same link, which hands its frames to one type only", l, l.Type, other, other.Type)
		case takes(l) || takes(other):
			taker, beside := l, other
			if takes(other) {
				taker, beside = other, l
			}
			l.Section.Clash(file.Error, here, there, "%s takes all frames of %s, and %s is on the same link",
				taker, k.Place(), beside)
		case t.Shared != nil && t.Shared(l.Spec) != t.Shared(other.Spec):
			l.Section.Clash(file.Error, here, there, "%s has %s, and %s on the same link %s: they have that in common",
				l, t.Shared(l.Spec), other, t.Shared(other.Spec))
		}
	}
}

// resolve gives a link's references their final form: places as [object.Ref] has them.
func resolve(l *object.Iface) {
	t, at := typeOf(l.Type), l.Spots.In(l.Type)
	v := reflect.New(reflect.TypeOf(l.Spec)).Elem()
	v.Set(reflect.ValueOf(l.Spec))
	for _, f := range refs(v) {
		key, _, _ := strings.Cut(f.Tag.Get("file"), ",")
		if to := v.FieldByIndex(f.Index); to.String() != "" {
			to.Set(reflect.ValueOf(refer(l, object.Ref(to.String()), at.At(key))))
		}
	}
	l.Spec = v.Interface()
	if t.Check != nil {
		t.Check(l, at)
	}
	of := l.Form.(*typed) // see resolveAll
	of.remotes = resolveRemotes(l, of.list)
	l.DefaultMTU = func() uint32 { return defaultMTU(t, l) }
}

// refer finds the link that another one refers to: NAME is of its own section, host/NAME of the host.
func refer(l *object.Iface, ref object.Ref, at file.Span) object.Ref {
	ns, name, elsewhere := strings.Cut(string(ref), "/")
	s := l.Section
	if !elsewhere {
		ns, name = s.Name, string(ref)
	} else if ns == object.HostName {
		ns = ""
	}
	s, ok := s.Find(object.Place{NS: ns, Name: name}, at)
	if !ok {
		return ref
	}
	if below, ok := s.Link(name); ok {
		l.Below = append(l.Below, below)
	} else {
		s.Has(name, at) // the host has links that the file does not know
	}
	return object.Ref(object.LinkKey(ns, name).Place())
}

// checkIP reports what a link that carries no Ethernet frames cannot have.
func checkIP(l *object.Iface) {
	if !typeOf(l.Type).IP {
		return
	}
	if l.Spots.Given("mac") {
		l.Section.Errorf(l.Spots.At("mac"), "%s is of type %s, which has no MAC address", l, l.Type)
	}
	if l.Master != nil && l.Master.Type == TypeBridge {
		l.Section.Errorf(l.Spots.At("master"), "%s is of type %s, which cannot be a port of a bridge: it carries no "+
			"Ethernet frames", l, l.Type)
	}
}

// checkBelow reports what cannot be made on the links below.
func checkBelow(l *object.Iface) {
	s, at := l.Section, l.Spots.At(l.Type)
	for _, below := range l.Below {
		t, other := typeOf(l.Type), typeOf(below.Type)
		switch {
		case t.Handler != "" && t.Handler == other.Handler:
			s.Errorf(at, "%s is made on %s, %s: the kernel would put it on what that is made on",
				l, below, withArticle(below.Type))
		case t.Handler != "" && below.IsPort():
			s.Errorf(at, "%s cannot be made on %s, which is a port of %s: the kernel hands its frames to one of them only",
				l, below, below.Master)
		case t.NeedsUp != nil && t.NeedsUp(l.Spec) && !l.Down && below.Down:
			s.Clash(file.Error, at, below.Spots.At("up"), "%s cannot be up on %s, which is down", l, below)
		case l.Type == vlan.Name && other.NoVLANs:
			s.Errorf(at, "%s cannot be made on %s: no VLAN can be on a link of type %s", l, below, below.Type)
		}
	}
	if len(l.Below) == 0 || slices.ContainsFunc(l.Below, untold) {
		return
	}
	least, _ := typeOf(l.Type).mtus(l.Spec)
	switch most := defaultMTU(typeOf(l.Type), l); {
	case most < least && !l.MTU.Good():
		s.Errorf(at, "what %s is made on leaves it an MTU of %d, and the least is %d", l, most, least)
	case l.MTU.Good() && l.MTU.V > most && !typeOf(l.Type).Outlives:
		s.Errorf(l.MTU.At, "the MTU of %s is %d, and what it is made on leaves %d", l, l.MTU.V, most)
	}
}

// checkMTU reports an MTU that the kernel does not give a link of the type.
func checkMTU(l *object.Iface) {
	least, most := typeOf(l.Type).mtus(l.Spec)
	if mtu := l.EffectiveMTU(); l.MTU.Good() && (mtu < least || mtu > most) {
		l.Section.Errorf(l.MTU.At, "the MTU of %s is %d, and that of %s is from %d to %d",
			l, mtu, withArticle(l.Type), least, most)
	}
}

// defaultMTU is what the links below leave.
func defaultMTU(t *Type, l *object.Iface) uint32 {
	if t.MTU == nil {
		return object.DefaultMTU
	}
	least := uint32(0)
	for _, below := range l.Below {
		if mtu := below.EffectiveMTU(); !untold(below) && (least == 0 || mtu < least) {
			least = mtu
		}
	}
	return t.MTU(l.Spec, least)
}

// untold says whether only the live host tells the MTU of a link.
func untold(l *object.Iface) bool { return l.Given && !l.MTU.Given() }

// withArticle is a type as it is spoken of.
func withArticle(name string) string {
	if strings.ContainsRune("aeiou", rune(name[0])) {
		return "an " + name
	}
	return "a " + name
}

// joinSegments unites the segments of links between which frames pass without a cable.
func joinSegments(n *object.Network) {
	wires := make(map[string]*object.Iface)
	for _, s := range n.Sections {
		for _, l := range s.Links {
			t := typeOf(l.Type)
			if t.Handler != "" {
				for _, below := range l.Below {
					object.Unite(below, l)
				}
			}
			if t.Wire == nil || l.Spec == nil {
				continue
			}
			wire := t.Wire(l.Spec)
			switch first := wires[wire]; {
			case wire == "":
			case first != nil:
				object.Unite(first, l)
			default:
				wires[wire] = l
			}
		}
	}
}
