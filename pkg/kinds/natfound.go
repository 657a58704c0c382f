package kinds

import (
	"slices"

	"github.com/plumbnet/plumb/pkg/object"
	"github.com/plumbnet/plumb/pkg/plan"
)

// keepNAT notes of each entry the image of the whole table, where that is not as it is wanted: a rollback gives the
// table back as it was, with what a hand has put there.
func keepNAT(e *object.Env, s *object.Section, live []object.Live) error {
	wanted := len(e.WantedHere(s.NS.Name, KindNAT)) == len(live)
	for _, l := range live {
		want := e.Want(l.Key())
		if wanted = wanted && want != nil; wanted {
			fields, _ := plan.Compare(want, l.Object)
			wanted = len(fields) == 0
		}
	}
	if wanted || len(live) == 0 {
		return nil
	}
	image, err := s.NS.NFTImageOf(NATTable(e.Topology))
	if err != nil {
		return err
	}
	for i, l := range live {
		if n, ok := l.Object.(NAT); ok {
			n.found = image
			live[i].Object = n
		}
	}
	return nil
}

// foundNAT finds among what is wanted an entry with the image of a table; ok is false when none has one.
func foundNAT(entries []NAT) (n NAT, ok bool) {
	i := slices.IndexFunc(entries, func(n NAT) bool { return n.found != "" })
	if i < 0 {
		return n, false
	}
	return entries[i], true
}

// undoNAT wants back the entry as it was found, or else as the file would declare it.
func undoNAT(h plan.Have) (plan.Object, bool) {
	n, ok := h.Object.(NAT)
	if !ok || n.found == "" && !n.Subnet.IsValid() {
		return nil, false
	}
	if n.found == "" {
		n.Rule = n.text()
	}
	return n, true
}
