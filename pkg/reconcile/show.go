package reconcile

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/plumbnet/plumb/pkg/kernel"
	"github.com/plumbnet/plumb/pkg/object"
	"github.com/plumbnet/plumb/pkg/plan"
)

// Shown is what a topology has in a namespace, as it is now.
type Shown struct {
	// Namespace is empty for the host's own.
	Namespace string `json:"namespace"`
	// Attached is whose namespace it is, as the file says; empty for one that plumb has made.
	Attached string `json:"attached,omitempty"`
	// Gateways are those of the namespace's default routes in the main table, whoever has made them.
	Gateways   []Gateway        `json:"gateways"`
	Interfaces []ShownInterface `json:"interfaces"`
}

// Gateway is the next hop of a default route. Without an address the route leads right to an interface.
type Gateway struct {
	Address string `json:"next_hop,omitempty"`
	Dev     string `json:"dev,omitempty"`
}

// ShownInterface is a link with what is on it.
type ShownInterface struct {
	Name string `json:"name"`
	// Type is the kernel's word, as veth; empty for a card.
	Type string `json:"type"`
	// State is up, down, or no-carrier: up, and nothing is at the other end.
	State string `json:"state"`
	MAC   string `json:"mac,omitempty"`
	MTU   uint32 `json:"mtu"`
	// Master is the bridge, bond or VRF that it is a port of.
	Master string `json:"master,omitempty"`
	// Peer is a cable's other end, as ns1/eth0; that on the host stands alone. PeerMaster is what that is a port of.
	Peer       string          `json:"peer,omitempty"`
	PeerMaster string          `json:"peer_master,omitempty"`
	Addresses  []string        `json:"addresses"`
	Counters   object.Counters `json:"counters"`
}

// Show reads what a topology has on the host, by the stamps alone: of the host and of namespaces that it is attached to
// its own links, of its own namespaces all. It writes nothing. The host comes first, and then the namespaces by name.
func (h *Host) Show(ctx context.Context, topology string) ([]Shown, error) {
	rec, err := object.LoadRecord(h.dir)
	if err != nil {
		return nil, ended(ErrNotRun, err)
	}
	r := &run{Host: h, ctx: ctx, topology: topology, record: rec}
	defer r.close()
	if _, err := r.observe(nil, nil); err != nil {
		return nil, ended(ErrNotRun, err)
	}
	names := slices.Sorted(maps.Keys(r.env.Sections))
	all := make([]Shown, len(names))
	err = kernel.Each(h.Workers, len(names), func(t kernel.Thread, i int) (err error) {
		s := r.env.Sections[names[i]]
		s.NS.Use(t)
		all[i], err = show(s)
		return err
	})
	if err != nil {
		return nil, ended(ErrNotRun, err)
	}
	return slices.DeleteFunc(all, func(s Shown) bool { return s.Attached != "" && len(s.Interfaces) == 0 }), nil
}

func show(s *object.Section) (Shown, error) {
	shown := Shown{Namespace: s.NS.Name, Gateways: []Gateway{}, Interfaces: []ShownInterface{}}
	if s.Attached != nil {
		shown.Attached = string(s.Attached.From)
	}
	counters, err := object.ListCounters(s.NS)
	if err := errors.Join(err, s.Fetch(object.AddressDump, object.RouteDump)); err != nil {
		return shown, fmt.Errorf("show what is %s: %w", s.Where(), err)
	}
	for _, r := range object.DefaultRoutes(s) {
		shown.Gateways = append(shown.Gateways, gateways(r)...)
	}
	mine := s.NS.Name != "" && s.Attached == nil
	for i := range s.Links {
		if l := &s.Links[i]; mine || l.Class == plan.Ours {
			shown.Interfaces = append(shown.Interfaces, showLink(s, l, counters[l.Index]))
		}
	}
	return shown, nil
}

func gateways(r object.DefaultRoute) (list []Gateway) {
	address := ""
	if r.Via.IsValid() {
		address = r.Via.String()
	}
	for _, dev := range r.Devs {
		list = append(list, Gateway{address, dev})
	}
	return list
}

func showLink(s *object.Section, l *object.LiveLink, c object.Counters) ShownInterface {
	shown := ShownInterface{
		Name: l.Name, Type: l.Type, State: stateOf(l), MTU: l.MTU, Master: s.LinkName(l.Master), Addresses: []string{},
		Counters: c,
	}
	if l.MAC != (object.MAC{}) {
		shown.MAC = l.MAC.String()
	}
	if l.Far != nil {
		if far := l.Far.At(l.Lower); far != nil {
			shown.Peer = object.LinkKey(l.Far.NS.Name, far.Name).Place()
			shown.PeerMaster = l.Far.LinkName(far.Master)
		}
	}
	for _, a := range s.Addresses() {
		if a.Index == l.Index {
			shown.Addresses = append(shown.Addresses, withPeer(a.Prefix, a.Peer))
		}
	}
	return shown
}

// withPeer is an address as ip-address(8) writes it.
func withPeer(p netip.Prefix, peer netip.Addr) string {
	if peer.IsValid() && peer != p.Addr() {
		return fmt.Sprintf("%s peer %s", p.Addr(), netip.PrefixFrom(peer, p.Bits()))
	}
	return p.String()
}

func stateOf(l *object.LiveLink) string {
	switch {
	case !l.Up():
		return "down"
	case l.Flags&unix.IFF_LOWER_UP == 0:
		return "no-carrier"
	}
	return "up"
}
