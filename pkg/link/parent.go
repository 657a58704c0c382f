package link

import (
	"github.com/plumbnet/plumb/pkg/object"
	"github.com/plumbnet/plumb/pkg/plan"
)

// onParent fills in the row of a type whose links are made on one other, which may lie in another section, have at most
// its MTU, and end with it. Field is where a spec names it.
func onParent[S Spec](field func(*S) *object.Ref, t Type) Type {
	parent := func(s Spec) object.Ref {
		own := s.(S)
		return *field(&own)
	}
	t.Lower = parent
	t.Below = func(s Spec) []plan.Key { return placed(parent(s)) }
	t.Underlay = func(s Spec) object.SectionRef { return sectionOf(parent(s)) }
	t.Beneath = func(s Spec, _ object.SectionRef, lower object.Ref) Spec {
		own := s.(S)
		*field(&own) = lower
		return own
	}
	t.MTU = func(_ Spec, below uint32) uint32 {
		if below == 0 {
			return object.DefaultMTU
		}
		return below
	}
	t.MTUCapped = true
	return t
}

// overUnderlay fills in the row of a type whose packets travel in another section. Field is where a spec names it.
func overUnderlay[S Spec](field func(*S) *object.SectionRef, t Type) Type {
	t.Underlay = func(s Spec) object.SectionRef {
		own := s.(S)
		return *field(&own)
	}
	t.Beneath = func(s Spec, underlay object.SectionRef, _ object.Ref) Spec {
		own := s.(S)
		*field(&own) = underlay
		return own
	}
	return t
}
