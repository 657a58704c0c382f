package link

import (
	"fmt"
	"net/netip"

	"github.com/plumbnet/plumb/pkg/object"
	"github.com/plumbnet/plumb/pkg/plan"
)

// Settle looks for what a link is made on, where the file does not declare that, and gives the link the MTU that it
// leaves. Of a link that is to be made it says whether the kernel has the type.
func Settle(e *object.Env, o plan.Object) (plan.Object, error) {
	l, ok := o.(Link)
	if !ok {
		return nil, object.WrongType(object.KindLink, o)
	}
	if l.Given {
		return settleGiven(e, l)
	}
	if err := possible(e, l); err != nil {
		return nil, err
	}
	if err := agrees(e, l); err != nil {
		return nil, err
	}
	if t := typeOf(l.Type); t.Settle != nil {
		s, err := t.Settle(l.Spec)
		if err != nil {
			return nil, err
		}
		l.Spec = s
	}
	l = joinGivenBond(e, l)
	for _, k := range l.below() {
		if e.Wanted(k) && !e.Given(k) {
			continue
		}
		s := e.Sections[k.NS]
		if s == nil {
			continue // it is reported where it is declared
		}
		live, err := e.Undeclared(s, k.Name)
		if err != nil {
			return nil, fmt.Errorf("%s, which it is made on, %w", k.Name, err)
		}
		t := typeOf(l.Type)
		if l.Up && !parentUp(e, k, live) && t.NeedsUp != nil && t.NeedsUp(l.Spec) {
			return nil, fmt.Errorf("%s, which it is made on, is down: set it up first", k.Name)
		}
		most := t.MTU(l.Spec, parentMTU(e, s, k, live))
		if l.MTU == 0 {
			l.MTU = most
		}
		if l.MTU6.Set {
			l.MTU6 = plan.Some(l.MTU)
		}
		if l.MTU < object.MinIPv6MTU { // the kernel has nothing of IPv6 on it
			l.Forwarding6, l.AcceptRA, l.LinkLocal = false, plan.Opt[uint32]{}, plan.Opt[netip.Addr]{}
			l.MTU6 = plan.Opt[uint32]{}
		}
		if l.MTU > most && !typeOf(l.Type).Outlives {
			return nil, fmt.Errorf("mtu %d is more than the %d that %s leaves: lower it, or leave it out", l.MTU, most, k.Name)
		}
		if least, _ := t.mtus(l.Spec); l.MTU < least {
			return nil, fmt.Errorf("%s leaves an MTU of %d, and the least is %d", k.Name, most, least)
		}
	}
	return l, nil
}

// agrees says whether a link could be made without changing one of somebody else's on the same link, with which it has
// options in common.
func agrees(e *object.Env, l Link) error {
	t := typeOf(l.Type)
	if t.Shared == nil {
		return nil
	}
	for _, s := range e.Sections {
		for i := range s.Links {
			live := &s.Links[i]
			if live.Type != l.Type || live.Class == plan.Ours || e.Wanted(object.LinkKey(s.NS.Name, live.Known)) {
				continue
			}
			have := readSpec(e, s, live, Link{})
			if t.Lower(have) == t.Lower(l.Spec) && t.Shared(have) != t.Shared(l.Spec) {
				return fmt.Errorf("%s, which plumb did not make, is on the same link and has %s: "+
					"they have that in common, so write the same, or remove it", placeOf(s, live), t.Shared(have))
			}
		}
	}
	return nil
}
