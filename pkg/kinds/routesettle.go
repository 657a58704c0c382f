package kinds

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/plumbnet/plumb/pkg/kernel"
	"github.com/plumbnet/plumb/pkg/object"
	"github.com/plumbnet/plumb/pkg/plan"
)

// settleRoute says why a route can't be made, where only the live host tells: over a link that is not there, or that
// goes in the same run. Of a namespace of the topology's the file knows all links.
func settleRoute(e *object.Env, o plan.Object) (plan.Object, error) {
	r, ok := o.(Route)
	if !ok {
		return nil, object.WrongType(KindRoute, o)
	}
	s := e.Sections[r.NS]
	if s == nil || s.Owned {
		return r, nil
	}
	for _, dev := range r.devs() {
		if e.Wanted(object.LinkKey(r.NS, dev)) {
			continue
		}
		if _, err := e.Undeclared(s, dev); err != nil {
			return nil, fmt.Errorf("dev %s %w", dev, err)
		}
	}
	for _, h := range r.hops() {
		if h.Dev != "" || !h.Via.IsValid() {
			continue
		}
		if dev, goes := wayGoes(e, s, h.Via); goes {
			return nil, fmt.Errorf("the gateway %s is reached by what this very run removes from %s: "+
				"declare that, or choose another gateway", h.Via, dev)
		}
	}
	return r, nil
}

// hops lists the ways of the route.
func (r Route) hops() []NextHop {
	if hops := r.NextHops.Split(); len(hops) > 0 {
		return hops
	}
	return []NextHop{{Via: r.Via, Dev: r.Dev.V, Onlink: r.Onlink}}
}

// wayGoes says whether all that leads to a gateway now goes in the run, and over which link that is. The file does not
// tell how it is reached: so it is no address and no route that is declared.
func wayGoes(e *object.Env, s *object.Section, gateway netip.Addr) (dev string, goes bool) {
	for _, n := range neighbourhoods(s) {
		if !n.Dst.Contains(gateway) {
			continue
		}
		if !e.Goes(s, n.link) && !n.removed(e, s) {
			return "", false
		}
		dev, goes = n.link.Name, true
	}
	return dev, goes
}

// neighbourhood is a live route without a gateway.
type neighbourhood struct {
	Route
	link *object.LiveLink
}

// neighbourhoods lists the routes without a gateway that a section was found with.
func neighbourhoods(s *object.Section) []neighbourhood {
	kept := object.In[struct{ list []neighbourhood }](s)
	if kept.list != nil {
		return kept.list
	}
	for _, b := range s.Messages(object.RouteDump) {
		m := nl.DeserializeRtMsg(b)
		a := kernel.Attrs(b[m.Len():])
		l := s.At(int(a.U32(unix.RTA_OIF)))
		if m.Type != unix.RTN_UNICAST || l == nil || a.Has(unix.RTA_GATEWAY) {
			continue
		}
		if r, _, ok := parseRoute(s, b); ok {
			kept.list = append(kept.list, neighbourhood{r, l})
		}
	}
	return kept.list
}

// removed says whether the run removes the route, while its link stays: it is ours and not declared, or the connected
// one of such an address.
func (n neighbourhood) removed(e *object.Env, s *object.Section) bool {
	switch k := n.Key(); {
	case e.Wanted(k):
		return false
	case n.link.Class != plan.Ours:
		return n.Proto == object.Protocol && e.Record.Holds(k)
	case n.Proto != unix.RTPROT_KERNEL:
		dynamic := e.Dynamic(object.LinkKey(s.NS.Name, n.link.Known))
		return n.Proto == object.Protocol || n.HandMade() && !dynamic
	}
	return !slices.ContainsFunc(s.Addresses(), func(a object.LiveAddress) bool {
		byHand := handMade(a, n.link) && !e.Dynamic(object.LinkKey(s.NS.Name, n.link.Known))
		stays := a.Proto != object.Protocol && !byHand
		return a.Index == n.link.Index && a.Prefix.Masked() == n.Dst && stays
	})
}
