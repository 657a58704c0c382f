package kinds

import (
	"errors"
	"iter"
	"net/netip"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/plumbnet/plumb/pkg/kernel"
	"github.com/plumbnet/plumb/pkg/link"
	"github.com/plumbnet/plumb/pkg/object"
	"github.com/plumbnet/plumb/pkg/plan"
)

// readAddresses streams the addresses of a section.
func readAddresses(e *object.Env, s *object.Section) iter.Seq[object.Live] {
	return func(yield func(object.Live) bool) {
		connected := connectedRoutes(s)
		known := knownAddresses(e.WantedHere(s.NS.Name, KindAddress))
		for _, live := range s.Addresses() {
			l := s.At(live.Index)
			if l == nil {
				continue // its link came or went between the two dumps
			}
			a := addressOf(live, s.NS.Name, l.Known, l.Name)
			a.theirs = live.Proto != object.Protocol && !(handMade(live, l) && l.Plumbs())
			makes := connects(live, l)
			a.Connected = !makes || connected[subnetOn{a.subnet(), live.Index}]
			a.ToPeer = !makes || !a.hasHost() || connected[subnetOn{a.host(), live.Index}]
			k := a.Key()
			if e.Want(k) != plan.Object(a) {
				a.found = object.Keep(s, [][]byte{live.Message}, object.AddressIndexes)
			}
			o := object.Live{
				Object: a, Links: []*object.LiveLink{l}, Proto: live.Proto, ByHand: handMade(live, l),
				OfLink: live.Proto != object.ProtoLinkLocal, Message: live.Message,
			}
			if o.Moves = e.MovesAddress(s, l, live); o.Moves {
				a.moves = true
				o.Object = a
			}
			if o.Falls = s.IsFalling(k, live.Index); o.Falls {
				a.falls = true
				o.Object = a
			}
			if p, ok := known[addressOn{a.Dev, a.Prefix.Addr()}]; ok && p != a.Prefix {
				o.Was, a.Prefix = k, p
				o.Object = a
			}
			if !yield(o) {
				return
			}
		}
	}
}

// addressOn is an IPv6 address on a link.
type addressOn struct {
	dev  string
	addr netip.Addr
}

// knownAddresses gives the wanted IPv6 addresses with their prefix lengths: a live one is known by that, for the kernel
// has an IPv6 address on a link once (net/ipv6/addrconf.c: ipv6_chk_same_addr).
func knownAddresses(wanted []plan.Object) map[addressOn]netip.Prefix {
	known := make(map[addressOn]netip.Prefix)
	for _, o := range wanted {
		if a, ok := o.(Address); ok && a.Prefix.Addr().Is6() {
			known[addressOn{a.Dev, a.Prefix.Addr()}] = a.Prefix
		}
	}
	return known
}

// subnetOn is a subnet that the kernel reaches by a link.
type subnetOn struct {
	subnet netip.Prefix
	index  int
}

// connectedRoutes lists the routes that the kernel has made for addresses.
func connectedRoutes(s *object.Section) map[subnetOn]bool {
	found := make(map[subnetOn]bool)
	for _, b := range s.Messages(object.RouteDump) {
		m := nl.DeserializeRtMsg(b)
		if m.Protocol != unix.RTPROT_KERNEL || m.Type != unix.RTN_UNICAST {
			continue
		}
		a := kernel.Attrs(b[m.Len():])
		l := s.At(int(a.U32(unix.RTA_OIF)))
		if l != nil && l.RouteTable() == kernel.U32At(a.Get(unix.RTA_TABLE), 0) {
			found[subnetOn{object.RouteDestination(m, a), int(a.U32(unix.RTA_OIF))}] = true
		}
	}
	return found
}

// connects says whether the kernel makes a route to the address's subnet (net/ipv4/fib_frontend.c: fib_add_ifaddr,
// net/ipv6/addrconf.c: addrconf_prefix_route).
func connects(a object.LiveAddress, l *object.LiveLink) bool {
	if !l.Up() || a.Flags&unix.IFA_F_NOPREFIXROUTE != 0 {
		return false
	}
	if !a.Prefix.Addr().Is4() {
		return a.Flags&unix.IFA_F_DADFAILED == 0
	}
	return l.Type != object.Loopback && a.Flags&unix.IFA_F_SECONDARY == 0 &&
		(a.Prefix.Bits() < 32 || a.Peer.IsValid())
}

// hasHost says whether the kernel makes a route to the peer beside that to the subnet, and host is where that leads to
// (net/ipv6/addrconf.c: __ipv6_ifa_notify).
func (a Address) hasHost() bool { return a.Peer.Is6() }

func (a Address) host() netip.Prefix { return netip.PrefixFrom(a.Peer, a.Peer.BitLen()) }

// connect puts the kernel's route to a subnet of the address's back.
func connect(e *object.Env, s *object.Section, a Address, subnet netip.Prefix) error {
	r := connected(e, a, subnet)
	req, err := routeMessage(s, unix.RTM_NEWROUTE, unix.NLM_F_CREATE|unix.NLM_F_REPLACE, r)
	if err != nil {
		return err
	}
	return s.NS.Write("put back route "+r.Key().Name, req)
}

// reachPeer makes the route to the peer of a new IPv6 address at once: the kernel does so a moment later.
func reachPeer(e *object.Env, s *object.Section, a Address) error {
	if !a.hasHost() || !a.ToPeer || a.NoPrefixRoute {
		return nil
	}
	if err := connect(e, s, a, a.host()); !errors.Is(err, unix.ENETDOWN) {
		return err
	}
	return nil // it comes with the link
}

// disconnect takes that route away again, for a rollback.
func disconnect(e *object.Env, s *object.Section, a Address) error {
	var err error
	if !a.Connected {
		err = delRoute(s, connected(e, a, a.subnet()))
	}
	if !a.ToPeer && a.hasHost() {
		err = errors.Join(err, delRoute(s, connected(e, a, a.host())))
	}
	return err
}

// connected is the kernel's route to a subnet of the address's.
func connected(e *object.Env, a Address, subnet netip.Prefix) Route {
	table := uint32(MainTable)
	if l, ok := e.Want(object.LinkKey(a.NS, a.Dev)).(link.Link); ok {
		table = l.Table()
	}
	r := Route{
		NS: a.NS, Dst: subnet, Table: table, Metric: a.Metric, Type: Unicast, Dev: plan.Some(a.Dev),
		Proto: unix.RTPROT_KERNEL,
	}
	if a.Prefix.Addr().Is4() {
		r.Src = a.Prefix.Addr()
	} else if r.Metric == 0 {
		r.Metric = connectedMetric6
	}
	return r
}

// connectedMetric6 is IP6_RT_PRIO_ADDRCONF of linux/ipv6_route.h.
const connectedMetric6 = 256

// handMade says whether an address looks as if a person had added it with ip(8). The kernel gives lo its own without a
// mark.
func handMade(a object.LiveAddress, l *object.LiveLink) bool {
	if l.Type == object.Loopback && (a.Prefix == loopback4 || a.Prefix == loopback6) {
		return false
	}
	return a.Proto == 0 && a.Forever && !a.Prefix.Addr().IsLinkLocalUnicast()
}

var (
	loopback4 = netip.MustParsePrefix("127.0.0.1/8")
	loopback6 = netip.MustParsePrefix("::1/128")
)

// addressOf makes the comparable value of a live address.
func addressOf(a object.LiveAddress, ns, dev, ifname string) Address {
	v := Address{
		NS: ns, Dev: dev, Prefix: a.Prefix, Length: Length(a.Prefix.Bits()),
		Peer: a.Peer, Broadcast: a.Broadcast, Label: a.Label, Scope: a.Scope,
		NoPrefixRoute: a.Flags&unix.IFA_F_NOPREFIXROUTE != 0, DADFailed: a.Flags&unix.IFA_F_DADFAILED != 0,
		Tentative: a.Tentative(), Finite: !a.Forever, Metric: a.Metric, Proto: a.Proto,
	}
	if a.Label == ifname {
		v.Label = ""
	}
	if !a.Prefix.Addr().Is4() {
		v.Scope = 0
	}
	return v
}

// putAddress adds an address, or changes what can be changed in place.
func putAddress(e *object.Env, changes []plan.Change) error {
	for _, c := range changes {
		a, ok := c.New.(Address)
		if !ok {
			return object.WrongType(KindAddress, c.New)
		}
		s, index, err := e.LinkOf(a.NS, a.Dev)
		if err != nil {
			return err
		}
		if err := inTurn(e, s, index, a); err != nil {
			return err
		}
		if old, changes := c.Old.(Address); changes {
			err = changeAddress(e, s, index, old, a)
		} else if err = addAddress(e, s, index, a); err == nil {
			err = errors.Join(reachPeer(e, s, a), disconnect(e, s, a))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// addAddress adds an address. The kernel says EINVAL where others of its subnet have another scope still.
func addAddress(e *object.Env, s *object.Section, index int, a Address) error {
	if a.Proto == object.ProtoLinkLocal { // the kernel may have made it
		return a.live(index).Renew(s.NS, object.LinkKey(a.NS, a.Dev).Place())
	}
	add := func() error {
		return writeAddress(s, "add", unix.RTM_NEWADDR, unix.NLM_F_CREATE|unix.NLM_F_EXCL, index, a)
	}
	err := add()
	if !errors.Is(err, unix.EINVAL) || !a.Prefix.Addr().Is4() {
		return err
	}
	switch made, failed := makeWay(e, s, index, a); {
	case failed != nil:
		return failed
	case made:
		return add()
	}
	return err
}

func changeAddress(e *object.Env, s *object.Section, index int, old, a Address) error {
	if a.Connected && !old.Connected && !a.NoPrefixRoute {
		if err := connect(e, s, a, a.subnet()); err != nil {
			return err
		}
	}
	if a.ToPeer && !old.ToPeer && a.hasHost() && !a.NoPrefixRoute {
		if err := connect(e, s, a, a.host()); err != nil {
			return err
		}
	}
	old.Connected, old.ToPeer, old.found = a.Connected, a.ToPeer, a.found
	if old.Tentative && !a.Tentative {
		if err := a.live(index).Renew(s.NS, object.LinkKey(a.NS, a.Dev).Place()); err != nil {
			return err
		}
	} else if old != a {
		if err := writeAddress(s, "change", unix.RTM_NEWADDR, unix.NLM_F_REPLACE, index, a); err != nil {
			return err
		}
	}
	return disconnect(e, s, a)
}

func writeAddress(s *object.Section, verb string, proto, flags, index int, a Address) error {
	if a.found != "" && proto == unix.RTM_NEWADDR {
		return putBackAddress(s, flags, a)
	}
	return a.live(index).Write(s.NS, verb, proto, flags, object.LinkKey(a.NS, a.Dev).Place())
}

// live is the address as the kernel is told of it.
func (a Address) live(index int) object.LiveAddress {
	live := object.LiveAddress{
		Index: index, Prefix: a.actual(), Peer: a.Peer, Broadcast: a.Broadcast, Label: a.Label, Scope: a.Scope,
		Proto: a.Proto, Metric: a.Metric,
	}
	if a.NoPrefixRoute {
		live.Flags = unix.IFA_F_NOPREFIXROUTE
	}
	return live
}

// swapAddress deletes an address and adds what takes its place in one go, so that hardly a packet finds neither.
func swapAddress(e *object.Env, c plan.Change) error {
	was, ok := c.Old.(Address)
	a, also := c.New.(Address)
	if !ok || !also {
		return object.WrongType(KindAddress, c.Old)
	}
	s, index, err := e.LinkOf(a.NS, a.Dev)
	if err != nil {
		return err
	}
	if was.Scope != a.Scope {
		if _, err := makeWay(e, s, index, a); err != nil {
			return err
		}
	}
	err = was.live(index).Swap(s.NS, a.live(index), object.LinkKey(a.NS, a.Dev).Place())
	if err == nil && a.found != "" {
		err = putBackAddress(s, unix.NLM_F_REPLACE, a)
	}
	if err == nil {
		err = reachPeer(e, s, a)
	}
	return err
}

// makeWay deletes the addresses of a subnet that are to get another scope too, by steps to come: the kernel has one for
// all of them (net/ipv4/devinet.c: __inet_insert_ifa). Made says that there were some.
func makeWay(e *object.Env, s *object.Section, index int, a Address) (made bool, err error) {
	all, err := object.ListAddresses(s.NS)
	if err != nil {
		return false, err
	}
	for _, live := range all {
		other := addressOf(live, a.NS, a.Dev, a.Dev)
		want, wanted := e.Want(other.Key()).(Address)
		if live.Index != index || !wanted || want.Scope != a.Scope || live.Scope == a.Scope || !sameSubnet(other, a) {
			continue
		}
		if err := object.IgnoreGone(writeAddress(s, "delete", unix.RTM_DELADDR, 0, index, other)); err != nil {
			return made, err
		}
		made = true
	}
	return made, nil
}

// putBackAddress makes an address as it was found.
func putBackAddress(s *object.Section, flags int, a Address) error {
	msgs, err := a.found.Messages(s, object.AddressIndexes)
	if err != nil {
		return err
	}
	for _, b := range msgs {
		m := nl.DeserializeIfAddrmsg(b)
		attrs := kernel.Attrs(b[m.Len():])
		set := attrs.U32(unix.IFA_FLAGS) &^ unix.IFA_F_TENTATIVE
		write := func(flags int, set uint32) error {
			req := object.Resend(unix.RTM_NEWADDR, flags, m, attrs, unix.IFA_FLAGS)
			req.U32(unix.IFA_FLAGS, set)
			what := "put back address " + a.Prefix.String() + " " + object.LinkKey(a.NS, a.Dev).Place()
			return s.NS.Write(what, req.NetlinkRequest)
		}
		if flags&unix.NLM_F_CREATE != 0 && a.Prefix.Addr().Is6() {
			if err := write(flags, set|unix.IFA_F_NODAD); err != nil { // it would be tentative for 2 s
				return err
			}
			flags = unix.NLM_F_REPLACE
		}
		if err := write(flags, set); err != nil {
			return err
		}
	}
	return nil
}

func delAddresses(e *object.Env, objects []plan.Object) error {
	for _, o := range objects {
		a, ok := o.(Address)
		if !ok {
			return object.WrongType(KindAddress, o)
		}
		s, index, err := e.LinkOf(a.NS, a.Dev)
		if errors.Is(err, object.ErrNoLink) {
			continue
		}
		if err != nil {
			return err
		}
		if err := object.IgnoreGone(writeAddress(s, "delete", unix.RTM_DELADDR, 0, index, a)); err != nil {
			return err
		}
	}
	return nil
}

// undoAddress wants back what was ours, or falls because of us: the lifetime of another's address is its owner's
// business, and how long one is tentative is the kernel's.
func undoAddress(h plan.Have) (plan.Object, bool) {
	a, ok := h.Object.(Address)
	falls := a.falls
	if ok {
		a.Tentative, a.falls = false, false
		h.Object = a
	}
	return h.Object, h.Class != plan.Loose || falls
}

func askAddresses(*object.Env, *object.Section) []*object.Dump {
	return []*object.Dump{object.AddressDump, object.RouteDump} // the routes tell whether an address has its connected one
}
