package link

import (
	"slices"

	"golang.org/x/sys/unix"

	"github.com/plumbnet/plumb/pkg/object"
	"github.com/plumbnet/plumb/pkg/plan"
)

// unfinished are the links of a section that come up after their ports: each end of a cable that comes up sends
// packets, and a bridge that is up floods them to all ports that are there.
type unfinished []made

// made is a link as it shall be, as it was made first, and as it is.
type made struct {
	link, first Link
	live        object.LiveLink
}

// Finish brings those links of a section up that wait for their ports. With an error comes the key of the link.
func Finish(e *object.Env, ns string) (plan.Key, error) {
	s, err := e.Section(ns)
	if err != nil {
		return plan.Key{}, nil // nothing was made in it
	}
	late := object.In[unfinished](s)
	for len(*late) > 0 {
		m := (*late)[0]
		if err := m.bringUp(e, s); err != nil {
			return m.link.Key(), err
		}
		*late = (*late)[1:]
	}
	return plan.Key{}, nil
}

// bringUpBelow brings those links up that a new one is made on, and that it can't be up without.
func bringUpBelow(e *object.Env, l Link) error {
	if t := typeOf(l.Type); !l.Up || t.NeedsUp == nil || !t.NeedsUp(l.Spec) {
		return nil
	}
	for _, k := range l.below() {
		s, err := e.Section(k.NS)
		if err != nil {
			return err
		}
		late := object.In[unfinished](s)
		for i, m := range *late {
			if m.link.Key() != k {
				continue
			}
			if err := m.bringUp(e, s); err != nil {
				return err
			}
			*late = slices.Delete(*late, i, i+1)
			break
		}
	}
	return nil
}

func (m made) bringUp(e *object.Env, s *object.Section) error {
	l := m.link
	index, err := s.Index(l.Ifname)
	if err != nil {
		return err
	}
	err = s.NS.Write("bring up link "+l.Key().Place(), indexRequest(index, unix.IFF_UP, unix.IFF_UP).NetlinkRequest)
	if err != nil {
		return err
	}
	if m.first.Spec != l.Spec {
		message := indexRequest(index, 0, 0)
		if err := l.infoData(message, m.first.Spec, nil, nil); err != nil {
			return err
		}
		if err := s.NS.Write("turn on multicast snooping of link "+l.Key().Place(), message.NetlinkRequest); err != nil {
			return err
		}
	}
	return finishIPv6(e, s, m.live, l)
}
