package kind

import (
	"errors"
	"fmt"
	"slices"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/plumbnet/plumb/pkg/kernel"
	"github.com/plumbnet/plumb/pkg/plan"
)

// delLinks deletes links of one namespace. Several at once go by a group: their own, where nothing else is in it, else
// that of what is doomed, which each is put into first.
func delLinks(e *Env, objects []plan.Object) error {
	s, err := e.section(objects[0].Key().NS)
	if err != nil {
		return nil // the namespace is gone, and all in it
	}
	there, err := ListLinks(s.NS)
	if err != nil {
		return err
	}
	doomed, err := s.among(there, objects)
	if err == nil {
		err = s.takeDown(there, doomed)
	}
	if err != nil {
		return err
	}
	own, last := Group(e.Topology), Doomed(e.Topology)
	switch {
	case len(doomed) >= 2 && holds(there, own, doomed):
		return s.delGroup(own, len(doomed))
	case len(doomed) >= 2 && !e.holdsForeign(s, there, last):
		if err := s.doom(doomed, last); err != nil {
			return err
		}
		return s.delGroup(last, len(doomed))
	}
	return s.delEach(doomed)
}

// among finds the links of objects: not those that have gone, whatever has got their names.
func (s *Section) among(there []LiveLink, objects []plan.Object) ([]LiveLink, error) {
	named := make(map[string]*LiveLink, len(there))
	for i := range there {
		named[there[i].Name] = &there[i]
	}
	var found []LiveLink
	for _, o := range objects {
		l, ok := o.(Link)
		if !ok {
			return nil, wrongType(KindLink, o)
		}
		live := named[l.Ifname]
		if known, ok := s.index[l.Ifname]; live == nil || ok && known != live.Index {
			continue
		}
		delete(s.index, l.Ifname)
		found = append(found, *live)
	}
	return found, nil
}

// takeDown takes down the bridges with a crowd of ports, before their ports go one after the other.
func (s *Section) takeDown(there, doomed []LiveLink) error {
	ports := make(map[int]int)
	for _, l := range there {
		ports[l.Master]++
	}
	for _, l := range doomed {
		if l.Type != Bridge || !l.Up() || ports[l.Index] < crowd {
			continue
		}
		err := s.NS.Write("take down link "+LinkKey(s.NS.Name, l.Name).Place(), indexRequest(l.Index, 0, unix.IFF_UP).req)
		if err != nil && !errors.Is(err, unix.ENODEV) {
			return err
		}
	}
	return nil
}

// holds says whether a group has links of the list in it, all of them, and nothing else but other ends of their cables.
func holds(there []LiveLink, group uint32, list []LiveLink) bool {
	goes := make(map[int]bool, len(list))
	for _, l := range list {
		goes[l.Index] = true
		if l.Group != group {
			return false
		}
	}
	return !slices.ContainsFunc(there, func(l LiveLink) bool {
		end := l.Type == Veth && l.PeerNSID < 0 && goes[l.Peer]
		return l.Group == group && !goes[l.Index] && !end
	})
}

// holdsForeign says whether a link that is not ours is in the group.
func (e *Env) holdsForeign(s *Section, there []LiveLink, group uint32) bool {
	return slices.ContainsFunc(there, func(l LiveLink) bool { return l.Group == group && e.stamp(s, &l).class != plan.Ours })
}

func (s *Section) delEach(links []LiveLink) error {
	for _, l := range links {
		req := kernel.Request(unix.RTM_DELLINK, 0)
		info := nl.NewIfInfomsg(unix.AF_UNSPEC)
		info.Index = int32(l.Index)
		req.AddData(info)
		err := s.NS.Write("delete link "+LinkKey(s.NS.Name, l.Name).Place(), req)
		if err != nil && !errors.Is(err, unix.ENODEV) {
			return err
		}
	}
	return nil
}

// doom marks links for deletion by their group.
func (s *Section) doom(links []LiveLink, group uint32) error {
	for _, l := range links {
		if l.Group == group {
			continue
		}
		m := indexRequest(l.Index, 0, 0)
		m.u32(unix.IFLA_GROUP, group)
		err := s.NS.Write("mark link "+LinkKey(s.NS.Name, l.Name).Place()+" for deletion", m.req)
		if err != nil && !errors.Is(err, unix.ENODEV) {
			return err
		}
	}
	return nil
}

// delGroup deletes the links of a group in one message.
func (s *Section) delGroup(group uint32, count int) error {
	req := kernel.Request(unix.RTM_DELLINK, 0)
	req.AddData(nl.NewIfInfomsg(unix.AF_UNSPEC))
	message{req}.u32(unix.IFLA_GROUP, group)
	err := s.NS.Write(fmt.Sprintf("delete %d links of group %d", count, group), req)
	if errors.Is(err, unix.ENODEV) {
		return nil
	}
	return err
}
