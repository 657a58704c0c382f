package link

import (
	"github.com/plumbnet/plumb/pkg/object"
	"github.com/plumbnet/plumb/pkg/plan"
)

// Cuts says whether a change stops the traffic of a link that the host is reached by: the link goes, or gets another
// name, bridge or MAC, its default route expires, or another link takes all that it receives.
func Cuts(l *object.Lifelines, s plan.Step, c plan.Change) string {
	old, existed := c.Old.(Link)
	now, stays := c.New.(Link)
	if ref := now.takes(); stays && ref != "" && ref != old.takes() {
		if k, ok := ref.Key(); ok && k.NS == "" && l.Links[k.Name] != nil {
			return "would take all that is received by " + l.Named(k.Name)
		}
	}
	if !existed || old.NS != "" || l.Links[old.Ifname] == nil {
		return ""
	}
	replaced := s.Action == plan.Delete || s.Action == plan.Replace || !stays
	if l.Links[old.Ifname].Advertised && now.AcceptRA == plan.Some(uint32(0)) && old.AcceptRA != now.AcceptRA {
		return "would let the default route over " + l.Named(old.Ifname) + ", expire"
	}
	if replaced || old.Ifname != now.Ifname || old.Master != now.Master || old.MAC != now.MAC || old.Up && !now.Up {
		return "would cut " + l.Named(old.Ifname)
	}
	return ""
}

// takes is the link whose frames all come to this one.
func (l Link) takes() object.Ref {
	if t := typeOf(l.Type); t.Takes != nil && l.Spec != nil {
		return t.Takes(l.Spec)
	}
	return ""
}
