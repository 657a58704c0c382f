package link

import (
	"errors"
	"fmt"
	"slices"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/plumbnet/plumb/pkg/kernel"
	"github.com/plumbnet/plumb/pkg/object"
	"github.com/plumbnet/plumb/pkg/plan"
)

// Del deletes links of one namespace. Several at once go by a group: their own, where nothing else is in it, else
// that of what is doomed, which each is put into first.
func Del(e *object.Env, objects []plan.Object) error {
	s, err := e.Section(objects[0].Key().NS)
	if err != nil {
		return nil // the namespace is gone, and all in it
	}
	there, err := object.ListLinks(s.NS)
	if err != nil {
		return err
	}
	doomed, err := among(s, there, objects)
	if err == nil {
		err = takeDown(s, there, doomed)
	}
	if err != nil {
		return err
	}
	return keepMACs(s, losingPorts(there, doomed), func() error { return delAll(e, s, there, doomed) })
}

// delAll deletes links, of all that are there.
func delAll(e *object.Env, s *object.Section, there, doomed []object.LiveLink) error {
	own, last := object.Group(e.Topology), object.Doomed(e.Topology)
	switch {
	case len(doomed) >= 2 && holds(there, own, doomed):
		return delGroup(s, own, len(doomed))
	case len(doomed) >= 2 && !holdsForeign(e, s, there, last):
		if err := doom(s, doomed, last); err != nil {
			return err
		}
		return delGroup(s, last, len(doomed))
	}
	return delEach(s, doomed)
}

// among finds the links of objects: not those that have gone, whatever has got their names.
func among(s *object.Section, there []object.LiveLink, objects []plan.Object) ([]object.LiveLink, error) {
	named := make(map[string]*object.LiveLink, len(there))
	for i := range there {
		named[there[i].Name] = &there[i]
	}
	var found []object.LiveLink
	for _, o := range objects {
		l, ok := o.(Link)
		if !ok {
			return nil, object.WrongType(object.KindLink, o)
		}
		live := named[l.Ifname]
		if known := s.Known(l.Ifname); live == nil || known != 0 && known != live.Index {
			continue
		}
		s.Knows(l.Ifname, 0)
		found = append(found, *live)
	}
	return found, nil
}

// holds says whether a group has links of the list in it, all of them, and nothing else but other ends of their cables.
func holds(there []object.LiveLink, group uint32, list []object.LiveLink) bool {
	goes := make(map[int]bool, len(list))
	for _, l := range list {
		goes[l.Index] = true
		if l.Group != group {
			return false
		}
	}
	return !slices.ContainsFunc(there, func(l object.LiveLink) bool {
		end := IsPair(l.Type) && l.LowerNSID < 0 && goes[l.Lower]
		return l.Group == group && !goes[l.Index] && !end
	})
}

// holdsForeign says whether a link that is not ours is in the group.
func holdsForeign(e *object.Env, s *object.Section, there []object.LiveLink, group uint32) bool {
	return slices.ContainsFunc(there, func(l object.LiveLink) bool {
		return l.Group == group && e.MarkOf(s, &l).Class != plan.Ours
	})
}

func delEach(s *object.Section, links []object.LiveLink) error {
	for _, l := range links {
		m := indexRequest(l.Index, 0, 0)
		m.Type = unix.RTM_DELLINK
		err := s.NS.Write("delete link "+placeOf(s, &l), m.NetlinkRequest)
		if err != nil && !errors.Is(err, unix.ENODEV) {
			return err
		}
	}
	return nil
}

// doom marks links for deletion by their group.
func doom(s *object.Section, links []object.LiveLink, group uint32) error {
	for _, l := range links {
		if l.Group == group {
			continue
		}
		m := indexRequest(l.Index, 0, 0)
		m.U32(unix.IFLA_GROUP, group)
		err := s.NS.Write("mark link "+placeOf(s, &l)+" for deletion", m.NetlinkRequest)
		if err != nil && !errors.Is(err, unix.ENODEV) {
			return err
		}
	}
	return nil
}

// delGroup deletes the links of a group in one message.
func delGroup(s *object.Section, group uint32, count int) error {
	m := kernel.NewMessage(unix.RTM_DELLINK, 0, nl.NewIfInfomsg(unix.AF_UNSPEC))
	m.U32(unix.IFLA_GROUP, group)
	err := s.NS.Write(fmt.Sprintf("delete %d links of group %d", count, group), m.NetlinkRequest)
	if errors.Is(err, unix.ENODEV) {
		return nil
	}
	return err
}
