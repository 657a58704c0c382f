package kinds

import (
	"time"

	"golang.org/x/sys/unix"

	"github.com/plumbnet/plumb/pkg/kernel"
	"github.com/plumbnet/plumb/pkg/link"
	"github.com/plumbnet/plumb/pkg/object"
	"github.com/plumbnet/plumb/pkg/plan"
)

// Who asks for the neighbour that has an IPv6 address sends to a group that the address belongs to. The kernel joins it
// a moment after it has added the address, and until then nobody finds it; the next question comes a second later.
const (
	joinPatience = time.Second
	joinPause    = time.Millisecond
)

// addressesDone waits until the kernel answers for the addresses of the sections that steps have changed, and announces
// those that have moved.
func addressesDone(e *object.Env, steps []plan.Step) {
	sections := withNewlyHeard(e, steps)
	deadline := time.Now().Add(joinPatience)
	err := kernel.Each(e.Workers, len(sections), func(t kernel.Thread, i int) error {
		sections[i].NS.Use(t)
		return awaitGroups(sections[i], deadline)
	})
	if err != nil {
		e.Warn("IPv6 neighbours may not be found for a second: " + err.Error())
	}
	announce(e, steps)
}

// withNewlyHeard lists the sections in which steps have added IPv6 addresses, or switched arp on: the kernel has the
// addresses of the link join their groups half a second later.
func withNewlyHeard(e *object.Env, steps []plan.Step) (list []*object.Section) {
	seen := make(map[string]bool)
	for _, step := range steps {
		for _, c := range step.Changes {
			a, ok := c.New.(Address)
			was, changes := c.Old.(link.Link)
			now, stays := c.New.(link.Link)
			heard := ok && a.Prefix.Addr().Is6() || changes && stays && was.NoARP && !now.NoARP
			ns := c.Key().NS
			if s := e.Sections[ns]; heard && !seen[ns] && s != nil {
				list, seen[ns] = append(list, s), true
			}
		}
	}
	return list
}

func awaitGroups(s *object.Section, deadline time.Time) error {
	var wanted []object.LiveAddress
	for _, a := range s.Addresses() {
		l := s.At(a.Index)
		if l == nil || a.Prefix.Addr().Is4() || a.Flags&unix.IFA_F_DADFAILED != 0 || l.Class != plan.Ours ||
			!l.Up() || l.Flags&(unix.IFF_NOARP|unix.IFF_LOOPBACK) != 0 {
			continue
		}
		wanted = append(wanted, a)
	}
	for len(wanted) > 0 {
		var err error
		if wanted, err = object.Unheard(s.NS, wanted); err != nil || time.Now().After(deadline) {
			return err
		}
		if len(wanted) > 0 {
			time.Sleep(joinPause)
		}
	}
	return nil
}
