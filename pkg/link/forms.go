package link

import (
	"iter"
	"sync"

	"github.com/plumbnet/plumb/pkg/file"
	"github.com/plumbnet/plumb/pkg/object"
)

// Forms are how links stand in the file: bridges and interfaces by their names, with the forms on links in each.
func Forms(onLinks []object.Form) []object.Form {
	return []object.Form{bridges(onLinks), interfaces(onLinks), objects()}
}

// linksPart is the part of a section where links stand by their names, of type K. A link has the forms on links, and
// the keys of what own makes.
func linksPart[K ~string](key, item, doc string, onLinks []object.Form, own ...func() any) file.Part {
	var parts []file.Part
	for _, f := range onLinks {
		parts = append(parts, f.Part)
	}
	for _, keys := range append(own, newPresence, newLinkBase) {
		parts = append(parts, file.Part{New: keys})
	}
	return file.Part{
		Key: key, Item: item, Doc: doc,
		New:   func() any { return new(file.Map[K, file.Parts]) },
		Fresh: func(v any) { *v.(*file.Parts) = file.NewParts(parts) },
	}
}

// declaredLinks gives the links of a [linksPart], each with what own made for it. They are still to be added.
func declaredLinks[K ~string](at *object.At, onLinks []object.Form) iter.Seq2[*object.Iface, []any] {
	return func(yield func(*object.Iface, []any) bool) {
		entries := *at.Form.(*file.Map[K, file.Parts])
		for i, spots := range at.Spots.Items() {
			values := entries[i].Value.Values()
			own := values[len(onLinks):]
			base := own[len(own)-1].(*linkBase)
			l := &object.Iface{
				Section: at.Sense, Name: string(entries[i].Key), At: spots.Key(), Form: own[0], Spots: spots,
				MTU: file.ValueAt(base.MTU, spots.In("mtu")), MAC: file.ValueAt(base.MAC, spots.In("mac")),
				Down: !base.Up, Base: base, Dynamic: base.Dynamic, Forms: make([]object.At, len(onLinks)),
			}
			for i := range onLinks {
				f := &onLinks[i]
				l.Forms[i] = object.At{Sense: at.Sense, Link: l, Form: values[i], Spots: spots.In(f.Key)}
				if f.Enter != nil {
					f.Enter(&l.Forms[i])
				}
			}
			if spots.Given("existing") {
				markGiven(l)
				at.Reach(object.BeyondExisting, spots.In("existing").Key())
			}
			if !yield(l, own) {
				return
			}
		}
	}
}

// bridges are a section's switches.
func bridges(onLinks []object.Form) object.Form {
	return object.Form{
		On: object.OnSection,
		Part: linksPart[object.OwnIfname]("bridges", TypeBridge, "switches in the kernel, by name", onLinks,
			func() any { return &bridgeForm{Bridge: NewBridge()} }, func() any { return new(enslaved) }),
		Links: true,
		Enter: func(at *object.At) {
			for l, own := range declaredLinks[object.OwnIfname](at, onLinks) {
				b := own[0].(*bridgeForm)
				l.Type, l.STP, l.Spec = TypeBridge, b.STP, b.spec(l.Spots)
				l.MasterName = string(own[1].(*enslaved).Master)
				at.Add(l)
			}
		},
		Check: checkPorts,
	}
}

// checkPorts reports a bridge with more ports than the kernel gives it.
func checkPorts(at *object.At) any {
	for _, l := range at.Links {
		if l.Type == TypeBridge && l.Ports > MaxBridgePorts {
			at.Errorf(l.At, "bridge %s has %d ports, more than the %d that a bridge can have", l, l.Ports, MaxBridgePorts)
		}
	}
	return nil
}

// enslaved has the key of a bridge that is in a VRF.
type enslaved struct {
	Master object.OwnIfname `file:"master" doc:"vrf of the section that the bridge is in"`
}

// member has the keys of a link that can be a port.
type member struct {
	Master object.OwnIfname `file:"master" doc:"bridge, bond or vrf of the section that this end is a port of"`
	Port   portKeys         `file:"port" doc:"what the bridge keeps of this port, or of the one at its end"`
}

func newMember() any { return &member{Port: portKeys{PortOptions: newPortOptions()}} }

// typed has the keys of the types of link that stand alone: one of them at most.
type typed struct {
	file.OneOf[Spec] `file:",inline"`
	// list is what stands beside a vxlan, and remotes is what can be of it.
	list    []remote
	remotes []Remote
}

func newTyped() any { return &typed{OneOf: file.NewOneOf(alternatives())} }

// alternatives are the types of link that stand alone.
var alternatives = sync.OnceValue(func() (of []file.Alternative[Spec]) {
	for _, t := range Types {
		if t.Doc != "" {
			of = append(of, file.Alternative[Spec]{Key: t.Name, Doc: t.Doc, New: t.New})
		}
	}
	return of
})

// interfaces are the links that are no bridges: ends of cables, links of other types, and lo.
func interfaces(onLinks []object.Form) object.Form {
	part := linksPart[object.Ifname]("interfaces", "interface", "ends of cables, links of other types, and lo, by name",
		onLinks, func() any { return &cable{Netkit: newNetkit()} }, newMember, newTyped,
		func() any { return new(remotes) })
	part.Also = "interface|devices|ethernets; links=interfaces: {eth0: {peer: ns2/eth0}} in a namespace, for a cable"
	part.Only = func(name string) (keys []string) {
		if name == object.Lo { // the kernel makes it
			for _, f := range onLinks {
				keys = append(keys, f.Key)
			}
			keys = append(keys, "dynamic")
		}
		return keys
	}
	return object.Form{
		On: object.OnSection, Part: part, Links: true,
		Enter:  func(at *object.At) { enterInterfaces(at, onLinks) },
		Join:   func(n *object.Network) { joinCables(n); resolveAll(n); enslave(n); joinPorts(n); checkAll(n) },
		Across: func(n *object.Network) { cableSegments(n); joinSegments(n); checkBridges(n) },
	}
}

func enterInterfaces(at *object.At, onLinks []object.Form) {
	for l, own := range declaredLinks[object.Ifname](at, onLinks) {
		of := own[1].(*member)
		l.MasterName, l.Port = string(of.Master), &of.Port
		switch of := own[2].(*typed); {
		case l.Name == object.Lo:
		case l.Given && (of.Key == TypeBond || of.Key == TypeVRF): // what ports have of it must be known
			l.Type, l.Form, l.Spec = of.Key, new(presence), of.Value
			contradicted(l, "existing")
			givenMaster(l, l.Spots.In(of.Key))
			resolveRemotes(l, nil)
		case l.Given:
			l.Type, l.Form = typeGiven, new(presence)
			contradicted(l, "existing")
			if of.Key != "" {
				l.Section.Clash(file.Error, l.Spots.At(of.Key), l.Spots.At("existing"),
					"interface %s has both %s and existing", l, of.Key)
			}
			resolveRemotes(l, nil)
		case of.Key != "":
			l.Type, l.Form, l.Spec = of.Key, of, of.Value
			of.list = own[3].(*remotes).FDB
			contradicted(l, l.Type)
		case l.Spots.Given(TypeNetkit):
			l.Type, l.Spec = TypeNetkit, own[0].(*cable).Netkit
			resolveRemotes(l, nil)
		default:
			l.Type, l.Spec = TypeVeth, Veth{}
			resolveRemotes(l, nil)
		}
		if had, ok := at.Add(l); !ok {
			at.Clash(file.Error, l.At, had.At, "%s is both a bridge and an interface", l)
		}
	}
}

// contradicted reports a link that a key says to be something else, and that is said to be the end of a cable too.
func contradicted(l *object.Iface, by string) {
	for _, key := range []string{"bridge", "peer", "port-name", TypeNetkit} {
		if l.Spots.Given(key) {
			l.Section.Clash(file.Error, l.Spots.At(key), l.Spots.At(by), "interface %s has both %s and %s", l, key, by)
		}
	}
}
