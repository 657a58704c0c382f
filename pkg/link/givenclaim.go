package link

import (
	"maps"
	"slices"

	"github.com/plumbnet/plumb/pkg/object"
	"github.com/plumbnet/plumb/pkg/plan"
)

// anyValue is wished for an attribute that the kernel changes by itself when others are changed as wanted.
const anyValue = ""

// Wishes lists the values that are wanted of an existing link's attributes. Those that get back what they were are left
// out.
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
	if formerMaster(e, s, l, was) == noMaster { // there are no former options of a port to record
		maps.DeleteFunc(was, func(name, _ string) bool { return slices.Contains(namesOf(l.Port), name) })
	}
	for _, name := range lacking(s, live) {
		delete(was, name)
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
				original := was[name]
				switch {
				case name == linkLocalName:
					original = linkLocalBefore(e, l, original)
				case name == mtuName && live.Type == TypeBridge:
					original = stored(Link{MTU: mtuWithoutOurs(s, live)})[mtuName]
				}
				claim := object.Claim{Original: original, Index: live.Index, Wants: make(map[string]string)}
				if name == masterName {
					claim.Master = live.Master
				}
				return claim, nil
			},
		})
	}
	return list
}

// lacking lists attributes of a link that its kernel does not have. They read as what is wanted: there is nothing to
// record of them.
func lacking(s *object.Section, live *object.LiveLink) (names []string) {
	if t := typeOf(live.Type); t.New != nil {
		names = absent(live.Data, t.New())
	}
	for _, l := range []*object.LiveLink{live, s.At(live.Master)} {
		if l != nil && l.Type == TypeBridge && !hasVLANs(l) {
			names = append(names, namesOf(VLANTable{})...)
		}
	}
	return names
}

// linkLocalBefore is the link-local address that a link had before it got the wanted MAC: the one of its former MAC,
// even where it came up only later.
func linkLocalBefore(e *object.Env, l Link, now string) string {
	claim, known := e.Record.Claim(object.AttributeKey(l.NS, l.Ifname, macName))
	if !known {
		return now
	}
	o, err := plan.Restore(l, macName, claim.Original)
	if before, ok := o.(Link); err == nil && ok {
		before.LinkLocal = plan.Some(before.MAC.LinkLocal())
		return stored(before)[linkLocalName]
	}
	return now
}

// formerMaster is the master that a link had before any topology changed that, as [plan.Store] writes it. Now are the
// attributes that it has.
func formerMaster(e *object.Env, s *object.Section, l Link, now map[string]string) string {
	if claim, known := claimNow(e, s, object.AttributeKey(l.NS, l.Ifname, masterName)); known {
		return claim.Original
	}
	return now[masterName]
}

// noMaster is how [plan.Store] writes that a link has no master.
const noMaster = `""`

// stored lists all attributes of a link as the host record holds them.
func stored(l Link) map[string]string {
	values := make(map[string]string)
	for name, value := range plan.Values(l) {
		if text, err := plan.Store(value); err == nil { // a test shows that all can be stored
			values[name] = text
		}
	}
	return values
}

// Pending lists what a step may have done without anybody being able to see that later: the link that it makes or
// removes, or the attributes that it changes of an existing one.
func Pending(a plan.Action, c plan.Change) (list []object.Pending) {
	l, _ := c.New.(Link)
	switch {
	case l.Given && c.Old != nil:
		fields, _ := plan.Compare(l, c.Old)
		for _, f := range fields {
			list = append(list, object.Pending{Key: object.AttributeKey(l.NS, l.Ifname, f.Name)})
		}
		return list
	case a == plan.Update:
		return nil
	case c.New != nil && l.hasOwnMAC():
		return []object.Pending{{Key: c.Key(), MAC: l.MAC}}
	}
	return []object.Pending{{Key: c.Key()}}
}

// claimNow is the recorded claim to an attribute. If the attribute is the master, the claim holds the name that the
// former master has now: it may have been renamed, and another may have its old name.
func claimNow(e *object.Env, s *object.Section, k plan.Key) (object.Claim, bool) {
	claim, known := e.Record.Claim(k)
	if master := s.At(claim.Master); master != nil && claim.Master != 0 {
		claim.Original = stored(Link{Master: master.Known})[masterName]
	}
	return claim, known
}

// inPlan writes a recorded value of an attribute as a plan shows it.
func (l Link) inPlan(name, text string) string {
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
