package link

import (
	"github.com/plumbnet/plumb/pkg/object"
	"github.com/plumbnet/plumb/pkg/plan"
)

// Cuts says whether a change stops the traffic of a link that the host is reached by: the link goes, or gets another
// name, bridge or MAC.
func Cuts(l *object.Lifelines, s plan.Step, c plan.Change) string {
	old, existed := c.Old.(Link)
	now, stays := c.New.(Link)
	if !existed || old.NS != "" || l.Links[old.Ifname] == nil {
		return ""
	}
	replaced := s.Action == plan.Delete || s.Action == plan.Replace || !stays
	if replaced || old.Ifname != now.Ifname || old.Master != now.Master || old.MAC != now.MAC || old.Up && !now.Up {
		return "would cut " + l.Named(old.Ifname)
	}
	return ""
}
