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
	if err := possible(e, l); err != nil {
		return nil, err
	}
	if t := typeOf(l.Type); t.Settle != nil {
		s, err := t.Settle(l.Spec)
		if err != nil {
			return nil, err
		}
		l.Spec = s
	}
	for _, k := range l.below() {
		if e.Wanted(k) {
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
		most := typeOf(l.Type).MTU(l.Spec, live.MTU)
		if l.MTU == 0 {
			l.MTU = most
		}
		if l.MTU < object.MinIPv6MTU { // the kernel has nothing of IPv6 on it
			l.Forwarding6, l.AcceptRA, l.LinkLocal = false, plan.Opt[uint32]{}, plan.Opt[netip.Addr]{}
		}
		if l.MTU > most {
			return nil, fmt.Errorf("mtu %d is more than the %d that %s leaves: lower it, or leave it out", l.MTU, most, k.Name)
		}
		if most < object.MinMTU {
			return nil, fmt.Errorf("%s leaves an MTU of %d, and the least is %d", k.Name, most, object.MinMTU)
		}
	}
	return l, nil
}
