package object

import (
	"slices"

	"github.com/plumbnet/plumb/pkg/plan"
)

// NamespaceStamp tells by the stamp on its lo whose a namespace is.
type NamespaceStamp struct {
	Class plan.Class
	Why   string
	Final bool
}

// StampOf reads a namespace's stamp, as seen by a topology on the host with the given cookie.
func StampOf(topology string, cookie uint64, links []LiveLink) NamespaceStamp {
	lo := LoopbackOf(links)
	if lo == nil {
		return NamespaceStamp{Class: plan.Foreign, Why: NotOurs, Final: true}
	}
	owner, home, marked := ParseNamespaceAlias(lo.Alias)
	switch {
	case marked && owner != topology:
		return NamespaceStamp{Class: plan.Foreign, Why: BelongsTo(owner), Final: true}
	case marked && home != cookie:
		return NamespaceStamp{Class: plan.Foreign, Why: "belongs to topology " + owner + " of another host", Final: true}
	case marked && lo.Group == Group(topology):
		return NamespaceStamp{Class: plan.Ours}
	}
	return NamespaceStamp{Class: plan.Foreign, Why: NotOurs}
}

// LoopbackOf finds lo among the links of a namespace; nil for none.
func LoopbackOf(links []LiveLink) *LiveLink {
	i := slices.IndexFunc(links, func(l LiveLink) bool { return l.Type == Loopback })
	if i < 0 {
		return nil
	}
	return &links[i]
}
