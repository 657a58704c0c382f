package link

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/plumbnet/plumb/pkg/object"
	"github.com/plumbnet/plumb/pkg/plan"
)

// Returns lists the existing links that the topology has changed and that the file no longer declares, as they were.
func Returns(e *object.Env) (list []plan.Object, err error) {
	for _, ns := range slices.Sorted(maps.Keys(e.Sections)) {
		s := e.Sections[ns]
		for _, live := range abandoned(e, s) {
			l, err := asItWas(e, s, live)
			if err != nil {
				return nil, err
			}
			if l.Back.Len() > 0 {
				list = append(list, l)
			}
		}
	}
	return list, nil
}

// abandoned lists the existing links of a section that the topology has changed and no longer declares.
func abandoned(e *object.Env, s *object.Section) (list []*object.LiveLink) {
	names := make(map[string]bool)
	for _, k := range e.Record.Claimed(s.NS.Name) {
		if name, _, ok := object.AttributeOf(k); ok && !e.Wanted(object.LinkKey(s.NS.Name, name)) {
			names[name] = true
		}
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if live := s.At(s.Known(name)); live != nil && !live.Plumbs() {
			list = append(list, live)
		}
	}
	return list
}

// asItWas is such a link with all that the topology has changed of it given back.
func asItWas(e *object.Env, s *object.Section, live *object.LiveLink) (Link, error) {
	l := Link{
		NS: s.NS.Name, Name: live.Name, Ifname: live.Name, Dynamic: true, Given: true, Managed: plan.NewFields(),
	}
	l, _ = plan.Over(l, read(e, s, live, s.LinkLocals()[live.Index])).(Link)
	return giveBack(e, s, live, l)
}

// giveBack adds to a wanted link the attributes that the topology has changed and no longer wants otherwise than they
// were: they get their original values. An attribute that others have changed since then is left alone, with a warning.
func giveBack(e *object.Env, s *object.Section, live *object.LiveLink, l Link) (Link, error) {
	have, originals := stored(l), make(map[string]string)
	moves := !l.Managed.Has(masterName) && formerMaster(e, s, l, have) != have[masterName]
	options := namesOf(l.Port)
	for _, k := range e.Record.Claimed(s.NS.Name) {
		dev, name, ok := object.AttributeOf(k)
		claim, _ := claimNow(e, s, k)
		if !ok || dev != live.Name || l.Managed.Has(name) || len(claim.Wants) > 1 {
			continue
		}
		is, wrote := have[name], claim.Reads(claim.Wants[e.Topology])
		switch {
		case moves && slices.Contains(options, name): // they were lost when it left its former master
			originals[name] = claim.Original
		case is == claim.Original:
		case wrote == anyValue && hasPorts(s, l.Name, othersPort):
		case wrote != anyValue && is != wrote && !e.Record.Pending(k):
			e.Warn(fmt.Sprintf("%s of link %s is %s, which is neither what was written (%s) nor what it was before (%s): "+
				"left alone", name, l.Key().Place(), l.inPlan(name, is), l.inPlan(name, wrote), l.inPlan(name, claim.Original)))
		default:
			originals[name] = claim.Original
		}
	}
	return l.withOriginals(e, s, originals)
}

// withOriginals returns the link with the original values of attributes, as the record holds them.
func (l Link) withOriginals(e *object.Env, s *object.Section, originals map[string]string) (Link, error) {
	back, linkLocal := slices.Sorted(maps.Keys(originals)), l.LinkLocal
	if text, ok := originals[masterName]; ok {
		if err := l.restoreMaster(e, s, text); err != nil {
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
	switch {
	case !l.CarriesIPv6(): // the kernel derives one when the link comes up
		l.LinkLocal = linkLocal
		back = slices.DeleteFunc(back, func(name string) bool { return name == linkLocalName })
	case !l.LinkLocal.V.IsValid() && slices.Contains(back, linkLocalName):
		l.LinkLocal = plan.Some(l.MAC.LinkLocal()) // it had none because it was down, and it stays up
	}
	if len(back) > 0 {
		l.Managed, l.Back = l.Managed.Plus(back...), plan.NewList(strings.Compare, back...)
	}
	return l, nil
}

// restoreMaster gives the link its original master, or none where that is gone.
func (l *Link) restoreMaster(e *object.Env, s *object.Section, text string) error {
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
