package kinds

import (
	"fmt"
	"net/netip"

	"github.com/plumbnet/plumb/pkg/link"
	"github.com/plumbnet/plumb/pkg/object"
	"github.com/plumbnet/plumb/pkg/plan"
)

// gateways has the addresses that routes of namespaces lead through, each with the first of these namespaces.
type gateways map[netip.Addr]string

func gatewaysOf(e *object.Env) gateways {
	found := object.In[gateways](e)
	if *found != nil {
		return *found
	}
	*found = make(gateways)
	for _, o := range e.AllWanted() {
		r, ok := o.(Route)
		if !ok || r.NS == "" {
			continue
		}
		for _, hop := range append(r.NextHops.Split(), NextHop{Via: r.Via}) {
			if (*found)[hop.Via] == "" {
				(*found)[hop.Via] = r.NS
			}
		}
	}
	return *found
}

// warnForwardOff tells of a link of the host that namespaces have for their gateway, and that does not forward although
// the host does: plumb switches that on only where the file asks for it.
func warnForwardOff(e *object.Env, o plan.Object) (texts []string, err error) {
	l, ok := o.(link.Link)
	s := e.Sections[""]
	if !ok || l.NS != "" || s == nil {
		return nil, nil
	}
	live := object.In[switches](s)
	for _, f := range []struct {
		name, key, live string
		four, forwards  bool
	}{
		{"IPv4", object.Forwarding4, live.four, true, l.Forwarding4},
		{"IPv6", object.Forwarding6, live.six, false, l.Forwarding6},
	} {
		_, claimed := e.Record.Claim(object.SysctlKey("", f.key))
		if f.forwards || claimed || !object.IsOn(f.live) || e.Wanted(object.SysctlKey("", f.key)) {
			continue
		}
		for _, a := range e.WantedHere("", KindAddress) {
			addr, _ := a.(Address)
			dev, ip := addr.Gives()
			if ns, ok := gatewaysOf(e)[ip]; ok && dev == l.Key() && ip.Is4() == f.four {
				texts = append(texts, fmt.Sprintf("link %s: the host forwards %s, but not what comes in here, and %s has its "+
					"gateway %s here; to forward it, add sysctls: {%s: 1} to the file", l.Key().Place(), f.name, ns, ip, f.key))
				break
			}
		}
	}
	return texts, nil
}
