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

// Done has the kernel be done with the links of the sections that steps have changed: packets flow from now on.
func Done(e *object.Env, steps []plan.Step) {
	var sections []*object.Section
	seen := make(map[string]bool)
	for _, step := range steps {
		for _, c := range step.Changes {
			k := c.Key()
			if s := e.Sections[k.NS]; k.Kind == object.KindLink && s != nil && !seen[k.NS] {
				sections = append(sections, s)
			}
			seen[k.NS] = seen[k.NS] || k.Kind == object.KindLink
		}
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

// awaitCarriers asks for the links that have got a carrier of which not everybody has been told.
func awaitCarriers(s *object.Section, deadline time.Time) {
	for i := range s.Links {
		l := &s.Links[i]
		for first := true; untold(l) && (first || time.Now().Before(deadline)); first = false {
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

// untold says whether a carrier has come to a link that plumb makes with others, and the kernel has yet to tell of it.
func untold(l *object.LiveLink) bool {
	t := typeOf(l.Type)
	return (t.Pair || t.Ports != nil) && l.Up() && l.Flags&unix.IFF_LOWER_UP != 0 && !l.Carries()
}
