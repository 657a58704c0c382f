package link

import (
	"time"

	"golang.org/x/sys/unix"

	"github.com/plumbnet/plumb/pkg/kernel"
	"github.com/plumbnet/plumb/pkg/object"
	"github.com/plumbnet/plumb/pkg/plan"
)

// The kernel tells of a carrier that has come within a second, and drops what is sent over the link until then. Since
// Linux 6.8 it does so before it answers a question about that one link.
const (
	carrierPatience = 1500 * time.Millisecond
	carrierPause    = 5 * time.Millisecond
)

// Done has the kernel be done with the links of the sections that steps have changed: packets flow from now on. Where
// all is new and nothing is of IPv6 that is left to the kernel: who asks over IPv4 asks again in time.
func Done(e *object.Env, steps []plan.Step) {
	sections, made := changedSections(e, steps)
	if !e.UsesIPv6() && !older(e, made) {
		return
	}
	deadline := time.Now().Add(carrierPatience)
	err := kernel.Each(e.Workers, len(sections), func(t kernel.Thread, i int) error {
		sections[i].NS.Use(t)
		awaitCarriers(sections[i], deadline)
		return nil
	})
	if err != nil {
		e.Warn("links may not carry packets yet: " + err.Error())
	}
}

// changedSections lists the sections in which steps have changed links, and the links that they have made.
func changedSections(e *object.Env, steps []plan.Step) (list []*object.Section, made map[plan.Key]bool) {
	made = make(map[plan.Key]bool)
	seen := make(map[string]bool)
	for _, step := range steps {
		for _, c := range step.Changes {
			k := c.Key()
			if k.Kind != object.KindLink {
				continue
			}
			made[k] = made[k] || c.Old == nil || step.Action == plan.Replace
			if s := e.Sections[k.NS]; s != nil && !seen[k.NS] {
				list, seen[k.NS] = append(list, s), true
			}
		}
	}
	return list, made
}

// older says whether a wanted link was there before those that were made.
func older(e *object.Env, made map[plan.Key]bool) bool {
	for l := range wantedLinks(e) {
		if !made[l.Key()] {
			return true
		}
	}
	return false
}

// awaitCarriers asks for the links that have got a carrier of which not everybody has been told.
func awaitCarriers(s *object.Section, deadline time.Time) {
	for i := range s.Links {
		l := &s.Links[i]
		for first := true; unannounced(l) && (first || time.Now().Before(deadline)); first = false {
			if !first {
				time.Sleep(carrierPause)
			}
			now, err := object.ReadLink(s.NS, object.LinkQuery(linkAt(l.Index)))
			if err != nil {
				break // it has gone
			}
			l.Oper, l.Flags = now.Oper, now.Flags
		}
	}
}

// unannounced says whether a carrier has come to a link that plumb makes with others, and the kernel has yet to tell of
// it.
func unannounced(l *object.LiveLink) bool {
	t := typeOf(l.Type)
	return (t.Pair || t.Ports != nil) && l.Up() && l.Flags&unix.IFF_LOWER_UP != 0 && !l.Carries()
}
