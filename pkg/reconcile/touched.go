package reconcile

import (
	"github.com/plumbnet/plumb/pkg/object"
	"github.com/plumbnet/plumb/pkg/plan"
)

// sections is a set of sections by name; nil is the set of all.
type sections map[string]bool

func (s sections) has(name string) bool { return s == nil || s[name] }

// count is how many there are, of so many in all.
func (s sections) count(all int) int {
	if s == nil {
		return all
	}
	return len(s)
}

// touchedBy tells in which sections steps can have changed anything: where their objects are, what these are made
// from, and where the other ends of cables are. What ends with a namespace may be anywhere.
func touchedBy(steps []plan.Step) sections {
	touched := make(sections)
	for _, s := range steps {
		for _, c := range s.Changes {
			k := c.Key()
			if k.Kind == object.KindNamespace {
				if s.Action != plan.Create {
					return nil
				}
				touched[k.Name] = true
			}
			touched[k.NS] = true
			for _, o := range []plan.Object{c.Old, c.New} {
				if laid, ok := o.(object.Laid); ok {
					touched[laid.Underlay()] = true
				}
				if p, ok := o.(plan.Paired); ok {
					if far, ok := p.Pair(); ok {
						touched[far.NS] = true
					}
				}
			}
		}
	}
	return touched
}
