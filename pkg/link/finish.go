package link

import (
	"sync"

	"golang.org/x/sys/unix"

	"github.com/plumbnet/plumb/pkg/object"
	"github.com/plumbnet/plumb/pkg/plan"
)

// unfinished are links that come up after their ports: each end of a cable that comes up sends packets, and a bridge
// that is up floods them to all ports that are there.
type unfinished struct {
	mu    sync.Mutex
	links []made
}

// made is a link as it shall be, and as it was made first.
type made struct{ link, first Link }

// Finish brings those links up that wait for their ports, in the sections that in says. With an error comes the key of
// the link.
func Finish(e *object.Env, in func(ns string) bool) (plan.Key, error) {
	late := object.In[unfinished](e)
	late.mu.Lock()
	defer late.mu.Unlock()
	var rest []made
	for i, m := range late.links {
		if !in(m.link.NS) {
			rest = append(rest, m)
			continue
		}
		if err := m.bringUp(e); err != nil {
			late.links = append(rest, late.links[i:]...)
			return m.link.Key(), err
		}
	}
	late.links = rest
	return plan.Key{}, nil
}

func (m made) bringUp(e *object.Env) error {
	l := m.link
	s, index, err := e.LinkOf(l.NS, l.Ifname)
	if err != nil {
		return err
	}
	err = s.NS.Write("bring up link "+l.Key().Place(), indexRequest(index, unix.IFF_UP, unix.IFF_UP).NetlinkRequest)
	if err != nil {
		return err
	}
	if m.first.Spec != l.Spec {
		message := indexRequest(index, 0, 0)
		if err := l.infoData(message, m.first.Spec, nil); err != nil {
			return err
		}
		if err := s.NS.Write("turn on multicast snooping of link "+l.Key().Place(), message.NetlinkRequest); err != nil {
			return err
		}
	}
	return addLinkLocal(e, s, l)
}
