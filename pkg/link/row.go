package link

import (
	"reflect"

	"github.com/plumbnet/plumb/pkg/object"
)

// masterOf is what the type of a wanted link's master is to its ports, and says nothing where the master keeps nothing
// of them.
func masterOf(l Link) Master {
	if l.Port == nil {
		return Master{}
	}
	for i := range Types {
		if p := Types[i].Ports; p != nil && reflect.TypeOf(p.New()) == reflect.TypeOf(l.Port) {
			return Types[i].Master
		}
	}
	return Master{}
}

// portsOf is how the master of a wanted link keeps its ports, nil where it keeps nothing of them.
func portsOf(l Link) *Ports { return masterOf(l).Ports }

// typeOf finds the row of a type; one that plumb does not make has a row that says nothing.
func typeOf(name string) *Type {
	for i := range Types {
		if Types[i].Name == name {
			return &Types[i]
		}
	}
	return &Type{Name: name}
}

// sectionOf is the section of a link that is referred to, as [Stack.Underlay] has it.
func sectionOf(r object.Ref) object.SectionRef {
	k, ok := r.Key()
	switch {
	case !ok:
		return ""
	case k.NS == "":
		return object.HostName
	}
	return object.SectionRef(k.NS)
}

// HasStations says whether a link leads to stations that have a MAC each. For the others the kernel keeps no
// neighbours: it enters those of IPv4 as 0.0.0.0 (net/ipv4/arp.c: arp_constructor).
func HasStations(l *object.Iface) bool {
	return l.Type != "" && l.Type != "tun" && !typeOf(l.Type).IP
}

// hasOwnMAC says whether a link has a MAC of its own.
func (l Link) hasOwnMAC() bool {
	if p, ok := l.Port.(BondPort); ok && p.Roams {
		return false
	}
	return l.madeWithMAC()
}

// madeWithMAC says whether the message that makes a link says its MAC.
func (l Link) madeWithMAC() bool {
	t := typeOf(l.Type)
	return !t.IP && (t.OwnMAC == nil || l.Spec == nil || t.OwnMAC(l.Spec))
}

// asks says whether the kernel makes a link with arp on.
func (t *Type) asks(s Spec) bool {
	return !t.NoARP && !t.IP && (t.NoARPWhile == nil || s == nil || !t.NoARPWhile(s))
}

// IsPair says whether links of a type are ends of cables.
func IsPair(name string) bool { return typeOf(name).Pair }

// mtus are the least and the most MTU of a link of the type.
func (t *Type) mtus(s Spec) (least, most uint32) {
	if t.MTUs == nil || s == nil {
		return object.MinMTU, object.MaxMTU
	}
	return t.MTUs(s)
}

// unset is what a live link of the type has of which the kernel tells nothing.
func (t *Type) unset() Spec { return reflect.Zero(reflect.TypeOf(t.New())).Interface() }
