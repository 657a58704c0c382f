package link

import (
	"fmt"
	"net/netip"
	"reflect"
	"slices"

	"github.com/plumbnet/plumb/pkg/object"
	"github.com/plumbnet/plumb/pkg/plan"
)

// Link is the wanted or live state of a network interface.
type Link struct {
	NS, Name string
	// Dynamic says that what others add to the link is left alone. The kernel has no room for that: of a live link it is
	// as wanted.
	Dynamic bool
	// Given says that the link is there already, made by others, and Managed what of it is wanted, nothing being all. Back
	// names what of that nobody declares any longer: it is as it was before.
	Given   bool
	Managed plan.Fields
	Back    plan.List[string]
	// Pinned says that the MAC is managed only for the sake of what it was: see [pins].
	Pinned bool

	Type string `plan:"type,fixed"`
	// Peer is the place of a cable's other end ("ns1/eth0", or "veth7" on the host), or [object.Unknown].
	Peer object.Ref `plan:"peer,fixed"`
	// Ifname is the name in the kernel; it differs from Name, which the stamp remembers, after a renaming by hand.
	Ifname string     `plan:"name"`
	Up     bool       `plan:"up,state"`
	Master string     `plan:"master"`
	MTU    uint32     `plan:"mtu"`
	MAC    object.MAC `plan:"mac"`
	// Group and Alias are the stamp: see [object.Group] and [object.Alias].
	Group uint32 `plan:"group,quiet"`
	Alias string `plan:"alias,quiet"`
	// LinkLocal is the IPv6 address that the kernel derives from the MAC; unset where it is told not to.
	LinkLocal plan.Opt[netip.Addr] `plan:"link-local address"`
	// Tentative says that the kernel does not use it yet, as it looks for another station that has it.
	Tentative bool `plan:"tentative link-local address"`
	// Forwarding4, Forwarding6 and Promote are the link's own net.ipv4.conf.*.forwarding, net.ipv6.conf.*.forwarding
	// and net.ipv4.conf.*.promote_secondaries. Without the last, changing the first address of a subnet would take the
	// others, and the routes, with it.
	Forwarding4 bool `plan:"ipv4 forwarding"`
	Forwarding6 bool `plan:"ipv6 forwarding"`
	Promote     bool `plan:"promote_secondaries"`
	// MTU6 is net.ipv6.conf.*.mtu of a link that the kernel gives its parent's MTU: of that IPv6 is not told.
	MTU6 plan.Opt[uint32] `plan:"ipv6 mtu"`
	// AcceptRA is net.ipv6.conf.*.accept_ra of a link of the host, or of an attached namespace; in one of plumb's it is
	// unset, and a sysctl as any other.
	AcceptRA plan.Opt[uint32] `plan:"accept_ra"`
	// NoARP says that the link does not ask for its neighbours (`ip link set arp off`), and NoMulticast that it is not for
	// packets to groups (`ip link set multicast off`).
	NoARP       bool `plan:"arp off"`
	NoMulticast bool `plan:"multicast off"`
	// TxQLen is how many packets a queueing discipline of the link holds, where that does not say it itself.
	TxQLen uint32 `plan:"txqueuelen"`
	// Disabled6 and GenMode are the link's own net.ipv6.conf.*.disable_ipv6 and addr_gen_mode, where they are not 0, the
	// kernel's default. No file wants them, but a rollback does.
	Disabled6 plan.Opt[bool]  `plan:"disable_ipv6,quiet"`
	GenMode   plan.Opt[uint8] `plan:"addr_gen_mode,quiet"`
	// Idle says that the link was never up: see [object.MakeIdle]. One that is declared down is like that.
	Idle plan.Opt[bool] `plan:"never up,quiet"`
	// Port is what the master keeps of the link, and Spec what is peculiar to its type; nil for nothing.
	Port Spec `plan:"options of the port,same"`
	Spec Spec `plan:"options,same"`

	// restarts counts how often the link was down for a moment because of what it is made on.
	restarts int
	// found is the MAC that the link was found with, where MAC is another.
	found object.MAC
	// awaits says that LinkLocal is not there yet: the kernel makes it when the carrier comes.
	awaits bool
	// no6 says, in a [Course], that IPv6 is switched off on the link.
	no6 bool
}

// Key implements [plan.Object].
func (l Link) Key() plan.Key { return object.LinkKey(l.NS, l.Name) }

// below lists the links that it is made on.
func (l Link) below() []plan.Key {
	if t := typeOf(l.Type); t.Below != nil && l.Spec != nil && !l.Given {
		return t.Below(l.Spec)
	}
	return nil
}

// placed is a list of one reference, or of none.
func placed(r object.Ref) []plan.Key {
	if k, ok := r.Key(); ok {
		return []plan.Key{k}
	}
	return nil
}

// without is a spec that refers to a link which has gone.
func without(s Spec, gone object.Ref) Spec {
	v := reflect.New(reflect.TypeOf(s)).Elem()
	v.Set(reflect.ValueOf(s))
	for _, f := range refs(v) {
		if to := v.FieldByIndex(f.Index); to.Interface() == any(gone) {
			to.SetString(object.Unknown)
		}
	}
	return v.Interface()
}

// refs lists the fields of a spec that refer to links.
func refs(spec reflect.Value) []reflect.StructField {
	return slices.DeleteFunc(reflect.VisibleFields(spec.Type()), func(f reflect.StructField) bool {
		return f.Type != reflect.TypeFor[object.Ref]()
	})
}

// Needs implements [plan.Object].
func (l Link) Needs() []plan.Key {
	k := object.SectionNeed(l.NS)
	if u := l.Underlay(); u != l.NS {
		k = append(k, object.SectionNeed(u)...)
	}
	if l.Master != "" {
		k = append(k, object.LinkKey(l.NS, l.Master))
	}
	return append(k, l.below()...)
}

// Pair implements [plan.Paired].
func (l Link) Pair() (plan.Key, bool) {
	if l.Given { // whoever has made the cable knows its other end
		return plan.Key{}, false
	}
	return l.Peer.Key()
}

// On implements [plan.Dependent].
func (l Link) On() []plan.Key {
	k := []plan.Key{object.SysctlKey(l.NS, object.Forwarding4), object.SysctlKey(l.NS, object.Forwarding6)}
	k = append(k, l.Needs()...)
	if pair, ok := l.Pair(); ok {
		k = append(k, pair)
	}
	return k
}

// After implements [plan.Dependent]: an end of a cable goes with the other, a link with those that it is made on; a
// bridge only frees its ports, and the global forwarding switch writes every link's.
func (l Link) After(old, now plan.Object, _ plan.World) (plan.Object, bool) {
	if was, ok := old.(Link); ok && now == nil {
		switch {
		case slices.Contains(l.below(), old.Key()) && typeOf(l.Type).Outlives:
			l.Spec = without(l.Spec, object.Ref(old.Key().Place()))
		case !l.Given && l.Peer == object.Ref(old.Key().Place()) || slices.Contains(l.below(), old.Key()):
			return nil, false
		case l.NS == was.NS && l.Master == was.Name:
			l = l.released()
		}
	}
	if was, ok := old.(Link); ok {
		if is, stays := now.(Link); stays {
			l = l.afterMaster(was, is)
		}
	}
	if t := typeOf(l.Type); now == nil && t.Orphan != nil && l.Spec != nil &&
		old.Key() == object.NamespaceKey(l.Underlay()) && l.Underlay() != l.NS {
		l.Spec = t.Orphan(l.Spec)
	}
	l.Port = l.portAfter(old, now)
	if is, ok := now.(Link); ok && slices.Contains(l.below(), is.Key()) {
		was, _ := old.(Link)
		if t := typeOf(l.Type); t.MTUCapped && is.MTU < l.MTU || t.MTUCopied && is.MTU != was.MTU {
			l.MTU = is.MTU
		} else if t.NeedsUp != nil && is.Restarted(was) {
			l.restarts++
		}
	}
	if value, ok := object.Switched(l.NS, object.Forwarding4, old, now); ok {
		l.Forwarding4 = object.IsOn(value)
	}
	if value, ok := object.Switched(l.NS, object.Forwarding6, old, now); ok {
		l.Forwarding6 = object.IsOn(value)
	}
	return l, true
}

// Claims implements [plan.Exclusive].
func (l Link) Claims() (keys []plan.Key) {
	if l.Ifname == l.Name { // one that a hand has renamed gives way to links by itself
		keys = append(keys, NameClaim(l.NS, l.Name))
	}
	if k, handler := l.handles(); handler != "" {
		keys = append(keys, k)
	}
	t := typeOf(l.Type)
	if t.Claims == nil || l.Spec == nil || l.Given {
		return keys
	}
	for _, k := range t.Claims(l.Spec) {
		k.NS = l.Underlay()
		keys = append(keys, k)
	}
	return keys
}

// framesOf is the kind of a claim on the frames that come over a link: the kernel hands them to one handler, which is
// the link's master, or a type of links that are made on it (net/core/dev.c: netdev_rx_handler_register).
const framesOf = "port or parent"

// handles is the claim of a link on the frames of itself, for its master, or of the one that it is made on, and whose
// they are.
func (l Link) handles() (claim plan.Key, handler string) {
	t := typeOf(l.Type)
	switch {
	case l.Port != nil && l.Master != "" && !l.inVRF():
		return plan.Key{NS: l.NS, Kind: framesOf, Name: l.Name}, "master"
	case t.Handler != "" && l.Spec != nil && !l.Given:
		if below := t.Below(l.Spec); len(below) > 0 {
			return plan.Key{NS: below[0].NS, Kind: framesOf, Name: below[0].Name}, t.Handler
		}
	}
	return plan.Key{}, ""
}

// Shares implements [plan.Sharing]: a handler hands frames to all of its links, but where one takes them all.
func (l Link) Shares(claim plan.Key, other plan.Object) bool {
	o, ok := other.(Link)
	_, own := l.handles()
	_, others := o.handles()
	return ok && claim.Kind == framesOf && own == others && l.takes() == "" && o.takes() == ""
}

// NameClaim is the claim on a name in a section: of a link on its own, and of an altname.
func NameClaim(ns, name string) plan.Key { return plan.Key{NS: ns, Kind: "name", Name: name} }

// Underlay implements [object.Laid]: the section that the link is made from.
func (l Link) Underlay() string {
	t := typeOf(l.Type)
	if t.Underlay == nil || l.Spec == nil || l.Given {
		return l.NS
	}
	return placeIn(l.NS, t.Underlay(l.Spec))
}

// placeIn is the name of a section that is referred to from another one.
func placeIn(own string, of object.SectionRef) string {
	switch of {
	case "":
		return own
	case object.HostName:
		return ""
	}
	return string(of)
}

// Fixed implements [plan.Rigid].
func (l Link) Fixed(have plan.Object) (fields []string) {
	h, ok := have.(Link)
	if !ok || l.Type != h.Type {
		return nil
	}
	t := typeOf(l.Type)
	if t.Fixed != nil {
		fields = t.Fixed(l.Spec, h.Spec)
	}
	if (t.FixedMAC || t.FixedMACWhile != nil && t.FixedMACWhile(l.Spec)) && l.MAC != h.MAC {
		fields = append(fields, "mac")
	}
	return fields
}

// IsGiven implements [object.Given].
func (l Link) IsGiven() bool { return l.Given }

// Onto implements [object.Given].
func (l Link) Onto() (plan.Key, bool) {
	return object.LinkKey(l.NS, l.Master), l.Master != "" && l.Managed.Has(masterName) && l.Back.Len() == 0
}

// Shared implements [object.Shared].
func (l Link) Shared() (plan.Key, bool) { return l.Key(), l.Dynamic }

// Derives says whether the link-local address that the kernel derives is made anew when the link becomes another one in
// place.
func (l Link) Derives(from Link) bool {
	if l.Given {
		return l.LinkLocal.Set && l.LinkLocal != from.LinkLocal
	}
	return l.LinkLocal.Set && (l.LinkLocal != from.LinkLocal || from.Tentative || l.Restarted(from) ||
		l.CarriesIPv6() && !from.CarriesIPv6())
}

// QuietsRedirects says that the kernel turns off ICMP redirects in the section of the link when it comes up.
func (l Link) QuietsRedirects() bool { return typeOf(l.Type).NoRedirects && !l.Given }

// Called implements [plan.Named].
func (l Link) Called() string { return l.Ifname }

// HardwareAddress is the MAC that the link has or shall have.
func (l Link) HardwareAddress() object.MAC { return l.MAC }

// CarriesIPv6 says whether IPv6 addresses and routes can be on the link.
func (l Link) CarriesIPv6() bool { return l.Up && l.MTU >= object.MinIPv6MTU && !l.no6 }

// BeginsIPv6 says whether IPv6 begins anew on a link that becomes another one in place. From whether arp is on at that
// time follows accept_dad (net/ipv6/addrconf.c: ipv6_add_dev): so it has to be as when a link of the type is made.
func (l Link) BeginsIPv6(from Link) bool {
	return !l.Given && from.MTU < object.MinIPv6MTU && l.MTU >= object.MinIPv6MTU
}

// SwitchesARP says whether arp is another on the way from what the link was to what it is, if for a moment.
func (l Link) SwitchesARP(from Link) bool {
	return from.NoARP != l.NoARP || l.BeginsIPv6(from) && from.NoARP != l.fresh().NoARP
}

// Restores implements [plan.Restoring].
func (l Link) Restores() bool { return l.Given }

// Describe implements [plan.Object].
func (l Link) Describe() string {
	s := l.Type
	switch {
	case l.Peer != "":
		s += " to " + string(l.Peer)
	case l.Master != "":
		s += " on " + l.Master
	}
	return fmt.Sprintf("%s, mtu %d", s, l.MTU)
}

// DescribePair implements [plan.Paired]: a cable leads to the bridge that its other end is a port of.
func (l Link) DescribePair(other plan.Object) string {
	if far, ok := other.(Link); ok && far.Master != "" && !far.inVRF() {
		l.Peer = object.Ref(object.LinkKey(far.NS, far.Master).Place())
	}
	return l.Describe()
}
