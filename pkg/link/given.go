package link

import (
	"cmp"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"

	"github.com/plumbnet/plumb/pkg/file"
	"github.com/plumbnet/plumb/pkg/object"
	"github.com/plumbnet/plumb/pkg/plan"
)

// typeGiven is what a link is called in the file that is there already: only the host tells its type.
const typeGiven = "existing"

// presence is the key of a link that is there already, and that plumb did not make. Only what else the file says of it
// is wanted; all that plumb changes of it is in the host record, and becomes what it was.
type presence struct {
	Existing file.Flag `file:"existing" doc:"it is there already: only what stands beside this is changed, for a time"`
}

func newPresence() any { return new(presence) }

// given enters that a link is there already. What others put on it is theirs.
func given(l *object.Iface) {
	l.Given, l.Dynamic = true, true
}

// declareGiven is what to do about a bridge that the file does not declare, and that the host may have.
func declareGiven(s *object.Sense, bridge string) string {
	if s.Name != "" {
		return "" // the file knows what is in a namespace
	}
	return "if it is there already, declare it as existing: bridges: {" + bridge + ": {existing: true}}"
}

// ofGiven is a link as it is declared, but that of one that is there already only what the file says is wanted. A key
// stands for the attributes whose names begin with it, as arp for "arp off".
func ofGiven(l *object.Iface, o Link) Link {
	if !l.Given {
		return o
	}
	o.Given, o.Group, o.Alias, o.Idle = true, 0, "", plan.Opt[bool]{}
	var names []string
	for name := range plan.Values(Link{Spec: o.Spec}) {
		if key, _, _ := strings.Cut(name, " "); l.Spots.Good(key) {
			names = append(names, name)
		}
	}
	if l.Spots.Good("up") {
		names = append(names, neverUp)
	}
	if l.Master != nil {
		names = append(append(names, portOptions), namesOf(o.Port)...)
	}
	o.Managed = plan.NewFields(names...)
	return o
}

// Attributes that go with others: whether a link was never up with whether it is up, what its master keeps of it with
// the master, and the address that the kernel has derived from the MAC with that.
const (
	neverUp     = "never up"
	portOptions = "options of the port"
	masterName  = "master"
	macName     = "mac"

	linkLocalName = "link-local address"
)

// namesOf lists the attributes of a spec; nil has none.
func namesOf(s Spec) (names []string) {
	if s == nil {
		return nil
	}
	for name := range plan.Values(s) {
		names = append(names, name)
	}
	return names
}

// errNotThere is about a link that is declared as existing.
var errNotThere = errors.New("is not there, and plumb does not make what is declared as existing")

// settleGiven finds a link that is there already. All that the file does not say of it is wanted as it is.
func settleGiven(e *object.Env, l Link) (plan.Object, error) {
	s := e.Sections[l.NS]
	if s == nil {
		return nil, fmt.Errorf("%w: namespace %s is yet to be made", errNotThere, l.NS)
	}
	live := s.At(s.Known(l.Name))
	if live == nil {
		return nil, notThere(s, l.Name)
	}
	if _, bridge := l.Spec.(Bridge); bridge && live.Type != TypeBridge {
		return nil, fmt.Errorf("is no bridge, but %s: declare it in interfaces", cmp.Or(live.Type, "a physical interface"))
	}
	have := read(e, s, live, s.LinkLocals()[live.Index])
	o, _ := plan.Over(l, have).(Link)
	o.Port = costing(o.Port, have.Type)
	if o.Pinned = pins(e, s, o); o.Pinned {
		o.Managed = o.Managed.Plus(macName)
	}
	// One that has none will get it when it comes up.
	comes := o.CarriesIPv6() && !have.CarriesIPv6() && live.IPv6 && !o.enslaves().NoLinkLocal
	if o.Managed.Has(macName) && !o.Pinned && (have.LinkLocal.V.IsValid() || comes) {
		o.LinkLocal, o.Managed = plan.Some(o.MAC.LinkLocal()), o.Managed.Plus(linkLocalName)
	}
	return giveBack(e, s, live, o)
}

// notThere tells of a link that is there by another name.
func notThere(s *object.Section, name string) error {
	var names []string
	for _, other := range s.Links {
		if slices.Contains(other.Altnames, name) {
			return fmt.Errorf("%w: it is an altname of %s, declare that", errNotThere, other.Name)
		}
		names = append(names, other.Name)
	}
	if near := file.Suggest(name, names); near != "" {
		return fmt.Errorf("%w: %s", errNotThere, near)
	}
	return fmt.Errorf("%w: plug it in, or correct the name", errNotThere)
}

// pins says whether the MAC of a bridge must be recorded although the file does not want another: a bridge that was told
// none takes those of its ports, and has none at all when the last has left.
func pins(e *object.Env, s *object.Section, l Link) bool {
	if l.Type != TypeBridge || l.Managed.Has(macName) || !plugged(e, l) {
		return false
	}
	claim, known := e.Record.Claim(object.AttributeKey(l.NS, l.Name, macName))
	if known { // one that was told a MAC keeps it
		return claim.Wants[e.Topology] == anyValue
	}
	return !hasPorts(s, l.Name, func(*object.LiveLink) bool { return true })
}

// hasPorts says whether a bridge has ports of some sort.
func hasPorts(s *object.Section, bridge string, of func(*object.LiveLink) bool) bool {
	master := s.Known(bridge)
	return slices.ContainsFunc(s.Links, func(port object.LiveLink) bool { return port.Master == master && of(&port) })
}

// plugged says whether the topology wants ports on a bridge.
func plugged(e *object.Env, bridge Link) bool {
	return slices.ContainsFunc(e.WantedHere(bridge.NS, object.KindLink), func(o plan.Object) bool {
		port, _ := o.(Link)
		return port.Master == bridge.Name
	})
}

// anyValue is the wish for an attribute that the kernel changes by itself because of what is wanted elsewhere.
const anyValue = ""

// Wishes lists what a link that is there already is to be, attribute by attribute.
func Wishes(e *object.Env, o plan.Object) (list []object.Wish) {
	l, ok := o.(Link)
	if !ok || !l.Given {
		return nil
	}
	s, err := e.Section(l.NS) // while others may be made
	if err != nil || s.At(s.Known(l.Ifname)) == nil {
		return nil
	}
	live := s.At(s.Known(l.Ifname))
	was := stored(read(e, s, live, s.LinkLocals()[live.Index]))
	wants, back := stored(l), slices.Collect(l.Back.All())
	if !wasPort(e, l, was) {
		maps.DeleteFunc(was, func(name, _ string) bool { return slices.Contains(namesOf(l.Port), name) })
	}
	for _, name := range slices.Sorted(maps.Keys(was)) {
		value, known := wants[name]
		if !known || !l.Managed.Has(name) || slices.Contains(back, name) {
			continue
		}
		if name == macName && l.Pinned {
			value = anyValue
		}
		list = append(list, object.Wish{
			Key: object.AttributeKey(l.NS, l.Ifname, name), Value: value,
			Original: func() (object.Claim, error) {
				return object.Claim{Original: was[name], Index: live.Index, Wants: make(map[string]string)}, nil
			},
		})
	}
	return list
}

// wasPort says whether a link was the port of a master before any topology wanted it to be another's: else its options
// as a port go with the port.
func wasPort(e *object.Env, l Link, was map[string]string) bool {
	master := was[masterName]
	if claim, known := e.Record.Claim(object.AttributeKey(l.NS, l.Ifname, masterName)); known {
		master = claim.Original
	}
	return master != noMaster
}

// noMaster is how [plan.Store] writes that a link has none.
const noMaster = `""`

// stored are all attributes of a link as the record has them.
func stored(l Link) map[string]string {
	values := make(map[string]string)
	for name, value := range plan.Values(l) {
		if text, err := plan.Store(value); err == nil { // as a test says of all
			values[name] = text
		}
	}
	return values
}

// Pending lists the links that a step makes or removes, and the attributes that it changes of one that is there already:
// it cannot be seen afterwards whether that was done.
func Pending(a plan.Action, c plan.Change) (keys []plan.Key) {
	l, _ := c.New.(Link)
	switch {
	case l.Given && c.Old != nil:
		fields, _ := plan.Compare(l, c.Old)
		for _, f := range fields {
			keys = append(keys, object.AttributeKey(l.NS, l.Ifname, f.Name))
		}
		return keys
	case a == plan.Update:
		return nil
	}
	return []plan.Key{c.Key()}
}

// Returns lists the links that the topology has changed and that the file does not declare any longer, as they were.
func Returns(e *object.Env) (list []plan.Object, err error) {
	for _, ns := range slices.Sorted(maps.Keys(e.Sections)) {
		s := e.Sections[ns]
		names := make(map[string]bool)
		for _, k := range e.Record.Claimed(ns) {
			if name, _, ok := object.AttributeOf(k); ok && !e.Wanted(object.LinkKey(ns, name)) {
				names[name] = true
			}
		}
		for _, name := range slices.Sorted(maps.Keys(names)) {
			live := s.At(s.Known(name))
			if live == nil || live.Plumbs() {
				continue
			}
			l := Link{NS: ns, Name: name, Ifname: name, Dynamic: true, Given: true, Managed: plan.NewFields()}
			l, _ = plan.Over(l, read(e, s, live, s.LinkLocals()[live.Index])).(Link)
			if l, err = giveBack(e, s, live, l); err != nil {
				return nil, err
			}
			if l.Back.Len() > 0 {
				list = append(list, l)
			}
		}
	}
	return list, nil
}

// giveBack adds to what is wanted of a link what nobody wants of it any longer: it becomes what it was.
func giveBack(e *object.Env, s *object.Section, live *object.LiveLink, l Link) (Link, error) {
	have, originals := stored(l), make(map[string]string)
	former, known := e.Record.Claim(object.AttributeKey(l.NS, l.Ifname, masterName))
	moves := known && !l.Managed.Has(masterName) && former.Original != have[masterName]
	options := namesOf(l.Port)
	for _, k := range e.Record.Claimed(s.NS.Name) {
		dev, name, ok := object.AttributeOf(k)
		claim, _ := e.Record.Claim(k)
		if !ok || dev != live.Name || l.Managed.Has(name) || len(claim.Wants) > 1 {
			continue
		}
		is, wrote := have[name], claim.Reads(claim.Wants[e.Topology])
		switch {
		case moves && slices.Contains(options, name): // what its former master kept of it is lost by now
			originals[name] = claim.Original
		case is == claim.Original:
		case wrote == anyValue && hasPorts(s, l.Name, func(p *object.LiveLink) bool { return p.Class != plan.Ours }):
		case wrote != anyValue && is != wrote && !e.Record.Pending(k):
			e.Warn(fmt.Sprintf("%s of link %s is %s, which is neither what was written (%s) nor what it was before (%s): "+
				"left alone", name, l.Key().Place(), l.words(name, is), l.words(name, wrote), l.words(name, claim.Original)))
		default:
			originals[name] = claim.Original
		}
	}
	return l.with(e, s, originals)
}

// words is a value of an attribute in the words of a plan.
func (l Link) words(name, text string) string {
	o, err := plan.Restore(l, name, text)
	if err != nil {
		return text
	}
	for n, value := range plan.Values(o) {
		if n == name {
			return plan.Words(value)
		}
	}
	return text
}

// with is the link with the original values of attributes.
func (l Link) with(e *object.Env, s *object.Section, originals map[string]string) (Link, error) {
	back := slices.Sorted(maps.Keys(originals))
	if text, ok := originals[masterName]; ok {
		if err := l.freed(e, s, text); err != nil {
			return l, err
		}
	}
	for _, name := range back {
		if name == masterName {
			continue
		}
		o, err := plan.Restore(l, name, originals[name])
		if err != nil {
			return l, err
		}
		l, _ = o.(Link)
	}
	if none := !l.LinkLocal.V.IsValid(); none && slices.Contains(back, linkLocalName) && l.CarriesIPv6() {
		l.LinkLocal = plan.Some(l.MAC.LinkLocal()) // it was down then, and stays up
	}
	if len(back) > 0 {
		l.Managed, l.Back = l.Managed.Plus(back...), plan.NewList(strings.Compare, back...)
	}
	return l, nil
}

// freed gives the link the master that it had, if that is still there.
func (l *Link) freed(e *object.Env, s *object.Section, text string) error {
	o, err := plan.Restore(*l, masterName, text)
	if err != nil {
		return err
	}
	*l, _ = o.(Link)
	l.Port, l.Managed = nil, l.Managed.Plus(portOptions)
	if l.Master == "" {
		return nil
	}
	master := s.At(s.Known(l.Master))
	if master == nil {
		e.Warn(fmt.Sprintf("link %s was a port of %s, which is gone: it is freed", l.Key().Place(), l.Master))
		l.Master = ""
		return nil
	}
	if ports := typeOf(master.Type).Ports; ports != nil {
		l.Port = ports.New()
		l.Managed = l.Managed.Plus(namesOf(l.Port)...)
	}
	return nil
}

// Owner says whose links are: see [object.StampedLinks]. One that is there already is refused where another topology
// wants it otherwise, or where it would have to be made anew.
func Owner(e *object.Env, s *object.Section, live iter.Seq[object.Live]) ([]plan.Have, error) {
	have, err := object.StampedLinks(e, s, live)
	for i := range have {
		h := &have[i]
		want, _ := e.Want(h.Object.Key()).(Link)
		if !want.Given || h.Class != plan.Loose {
			continue
		}
		if why := want.refused(e, h.Object); why != "" {
			h.Class, h.Final, h.Why = plan.Foreign, true, why
		}
	}
	return have, err
}

func (l Link) refused(e *object.Env, have plan.Object) string {
	fields, _ := plan.Compare(l, have)
	for _, f := range fields {
		if f.Fixed {
			return fmt.Sprintf("%s %s -> %s cannot change in place, and plumb does not make anew what is declared as existing",
				f.Name, f.Before, f.After)
		}
	}
	for _, w := range Wishes(e, l) {
		claim, _ := e.Record.Claim(w.Key)
		for _, other := range slices.Sorted(maps.Keys(claim.Wants)) {
			if text := claim.Wants[other]; other != e.Topology && text != w.Value && text != anyValue && w.Value != anyValue {
				_, name, _ := object.AttributeOf(w.Key)
				return fmt.Sprintf("topology %s wants %s %s: the two cannot be on one host", other, name, l.words(name, text))
			}
		}
	}
	return ""
}
