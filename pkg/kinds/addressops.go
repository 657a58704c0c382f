package kind

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/plumbnet/plumb/pkg/kernel"
	"github.com/plumbnet/plumb/pkg/plan"
)

// LiveAddress is an address as the kernel describes it in RTM_NEWADDR, with the index of its link.
type LiveAddress struct {
	Index     int
	Prefix    netip.Prefix
	Peer      netip.Addr
	Broadcast netip.Addr
	Label     string
	Scope     uint8
	Flags     uint32
	Proto     uint8
	Metric    uint32
	Forever   bool
}

// Values of linux/if_addr.h that package unix lacks.
const (
	ifaRtPriority  = 9
	ifaProto       = 11
	protoLinkLocal = 3 // IFAPROT_KERNEL_LL: the kernel made it from the MAC
	lifetimeAlways = 0xffffffff
)

// Addresses are those that the section was found with.
func (s *Section) Addresses() []LiveAddress { return s.addresses }

var addressDump = dumpOf(unix.RTM_GETADDR, unix.RTM_NEWADDR, func(family int) nl.NetlinkRequestData { return nl.NewIfAddrmsg(family) })

// listLiveAddresses dumps the addresses of a namespace, in the order in which they were added to their links.
func listLiveAddresses(n *kernel.Namespace) ([]LiveAddress, error) {
	var list []LiveAddress // IPv4 first
	four := 0
	err := addressDump.read(n, func(msgs [][]byte) {
		list = slices.Grow(list, len(msgs))
		for _, m := range msgs {
			a := parseAddress(m)
			if !a.Prefix.IsValid() {
				continue // no family that we know
			}
			if list = append(list, a); a.Prefix.Addr().Is4() {
				four = len(list)
			}
		}
	})
	if err != nil {
		return nil, fmt.Errorf("list addresses: %w", err)
	}
	slices.Reverse(list[four:]) // the kernel lists the newest first
	return list, nil
}

func parseAddress(b []byte) LiveAddress {
	m := nl.DeserializeIfAddrmsg(b)
	t := attrs(b[m.Len():])
	a := LiveAddress{
		Index: int(m.Index), Scope: m.Scope, Flags: uint32(m.IfAddrmsg.Flags), Label: t.text(unix.IFA_LABEL),
		Proto: t.u8(ifaProto), Metric: t.u32(ifaRtPriority), Broadcast: t.addr(unix.IFA_BROADCAST), Forever: true,
	}
	if t.has(unix.IFA_FLAGS) {
		a.Flags = t.u32(unix.IFA_FLAGS)
	}
	if info := t.get(unix.IFA_CACHEINFO); len(info) >= 8 { // ifa_prefered, ifa_valid: seconds
		a.Forever = u32At(info, 0) == lifetimeAlways && u32At(info, 1) == lifetimeAlways
	}
	local, far := t.addr(unix.IFA_LOCAL), t.addr(unix.IFA_ADDRESS)
	if !local.IsValid() {
		local, far = far, netip.Addr{}
	}
	if far == local {
		far = netip.Addr{}
	}
	if local.IsValid() {
		a.Prefix, a.Peer = netip.PrefixFrom(local, int(m.Prefixlen)), far
	}
	return a
}

// linkLocals finds the address that the kernel has derived from each link's MAC, by index.
func linkLocals(s *Section) map[int]netip.Addr {
	made := make(map[int]netip.Addr, len(s.Links))
	for _, a := range s.addresses {
		l := s.byIndex[a.Index]
		if l == nil || a.Proto != protoLinkLocal {
			continue
		}
		// With two of them, one is of another MAC; that one is drift.
		if old := made[a.Index]; !old.IsValid() || old == l.MAC.LinkLocal() {
			made[a.Index] = a.Prefix.Addr()
		}
	}
	return made
}

// derives says whether the kernel will derive an address from the link's MAC, but has had no reason to do so yet.
func (l *LiveLink) derives() bool {
	ready := l.Up() && l.Oper == operUp && l.IPv6
	return !ready && !l.NoLinkLocal && l.MTU >= MinIPv6MTU
}

// operUp is IF_OPER_UP of linux/if.h: a carrier is there, and whoever waits for it has been told.
const operUp = 6

// enableIPv6 undoes what keeps a link from having IPv6 as the file wants it: the host's defaults for new links may be
// others, and a hand may have changed the link's own.
func (e *Env) enableIPv6(s *Section, live *LiveLink, l Link) error {
	conf := "net/ipv6/conf/" + l.Ifname + "/"
	if live.NoLinkLocal && l.LinkLocal.V.IsValid() {
		if err := s.NS.WriteSysctl(conf+"addr_gen_mode", "0"); err != nil {
			return err
		}
	}
	if live.Disabled6 && e.wantIPv6[l.Key()] {
		if err := s.NS.WriteSysctl(conf+"disable_ipv6", "0"); err != nil {
			return err
		}
		live.Disabled6, live.IPv6 = false, true
	}
	return nil
}

// addLinkLocal gives a new link that will have IPv6 addresses its link-local address before the kernel does. The
// kernel's would be tentative for 2 s, and until then a router could not ask for its neighbours.
func (e *Env) addLinkLocal(s *Section, l Link) error {
	if !l.LinkLocal.V.IsValid() || !e.wantIPv6[l.Key()] {
		return nil
	}
	a := Address{NS: l.NS, Dev: l.Ifname, Prefix: netip.PrefixFrom(l.LinkLocal.V, 64), Proto: protoLinkLocal}
	return s.writeAddress("add", unix.RTM_NEWADDR, unix.NLM_F_CREATE|unix.NLM_F_REPLACE, s.index[l.Name], a)
}

// replaceLinkLocal puts the derived link-local address right without taking the link down: that would take all its
// IPv6 addresses and routes with it.
func (e *Env) replaceLinkLocal(s *Section, index int, l Link) error {
	live, err := FindLink(s.NS, l.Ifname)
	if err != nil {
		return err
	}
	if err := e.enableIPv6(s, &live, l); err != nil {
		return err
	}
	if l.LinkLocal.V.IsValid() && live.IPv6 && live.Up() {
		a := Address{NS: l.NS, Dev: l.Ifname, Prefix: netip.PrefixFrom(l.LinkLocal.V, 64), Proto: protoLinkLocal}
		if err := s.writeAddress("add", unix.RTM_NEWADDR, unix.NLM_F_CREATE|unix.NLM_F_REPLACE, index, a); err != nil {
			return err
		}
	}
	return s.dropLinkLocals(index, l)
}

// dropLinkLocals deletes the link-local addresses that the kernel derived from other MACs, those too that it made when
// a sysctl of the same plan let it, and those that are put back after the right one: see [Address.After].
func (s *Section) dropLinkLocals(index int, l Link) error {
	addresses, err := listLiveAddresses(s.NS)
	if err != nil {
		return err
	}
	for _, live := range addresses {
		a := live.address(l.NS, l.Name, l.Ifname)
		if live.Index != index || live.Proto != protoLinkLocal && !a.besideDerived() || live.Prefix.Addr() == l.LinkLocal.V {
			continue
		}
		if err := ignoreGone(s.writeAddress("delete", unix.RTM_DELADDR, 0, index, a)); err != nil {
			return err
		}
	}
	return nil
}

// listAddresses lists the addresses of links that are ours, and those at a wanted key.
func listAddresses(e *Env, s *Section) ([]plan.Have, error) {
	connected := connectedRoutes(s)
	var have []plan.Have
	for _, live := range s.addresses {
		l := s.byIndex[live.Index]
		if l == nil {
			continue // its link came or went between the two dumps
		}
		m := e.stamp(s, l)
		a := live.address(s.NS.Name, m.name, l.Name)
		a.Connected = !live.connects(l) || connected[subnetOn{live.Prefix.Masked(), live.Index}]
		h := plan.Have{Object: a, Class: e.classOf(s, a.Key(), signs{
			owned: e.owned(m), others: e.ofOthers(l), handMade: live.handMade(l), marked: live.Proto == Protocol,
		})}
		switch {
		case h.Class == plan.Foreign && m.class == plan.Foreign:
			h.Why, h.Final = m.why, m.final // as its link
		case h.Class == plan.Foreign:
			h.Why = notOurs
		case h.Class == plan.Loose && (!e.owned(m) || live.Proto == protoLinkLocal):
			continue // of a link of ours all are told: they keep its routes, and their subnets have a primary
		case !e.Wanted(a.Key()) && live.Proto != Protocol:
			h.Why = "made by hand"
		}
		have = append(have, h)
	}
	return have, nil
}

// subnetOn is a subnet that the kernel reaches by a link.
type subnetOn struct {
	subnet netip.Prefix
	index  int
}

// connectedRoutes lists the routes that the kernel has made for addresses.
func connectedRoutes(s *Section) map[subnetOn]bool {
	found := make(map[subnetOn]bool)
	for _, b := range s.routes {
		m := nl.DeserializeRtMsg(b)
		if m.Protocol == unix.RTPROT_KERNEL && m.Table == unix.RT_TABLE_MAIN && m.Type == unix.RTN_UNICAST {
			a := attrs(b[m.Len():])
			found[subnetOn{destination(m, a), int(a.u32(unix.RTA_OIF))}] = true
		}
	}
	return found
}

// connects says whether the kernel makes a route to the address's subnet (net/ipv4/fib_frontend.c: fib_add_ifaddr,
// net/ipv6/addrconf.c: addrconf_prefix_route).
func (a LiveAddress) connects(l *LiveLink) bool {
	if !l.Up() || a.Flags&unix.IFA_F_NOPREFIXROUTE != 0 || a.Peer.IsValid() {
		return false
	}
	if !a.Prefix.Addr().Is4() {
		return a.Flags&unix.IFA_F_DADFAILED == 0
	}
	return l.Type != loopback && a.Flags&unix.IFA_F_SECONDARY == 0 && a.Prefix.Bits() < 32
}

// connect puts the kernel's route to the address's subnet back.
func (s *Section) connect(a Address) error {
	r := Route{
		NS: a.NS, Dst: a.Prefix.Masked(), Table: MainTable, Metric: a.Metric, Type: Unicast, Dev: plan.Some(a.Dev),
		Proto: unix.RTPROT_KERNEL,
	}
	if a.Prefix.Addr().Is4() {
		r.Src = a.Prefix.Addr()
	} else if r.Metric == 0 {
		r.Metric = connectedMetric6
	}
	req, err := s.routeMessage(unix.RTM_NEWROUTE, unix.NLM_F_CREATE|unix.NLM_F_REPLACE, r)
	if err != nil {
		return err
	}
	return s.NS.Write("put back route "+r.Key().Name, req)
}

// connectedMetric6 is IP6_RT_PRIO_ADDRCONF of linux/ipv6_route.h.
const connectedMetric6 = 256

// signs are what an address or a route shows of whose it is.
type signs struct {
	owned    bool // its link is ours
	others   bool // its link is another topology's
	handMade bool // it looks as if a person had added it with ip(8)
	marked   bool // it has our protocol number
}

// ofOthers says whether a link bears the stamp of another topology.
func (e *Env) ofOthers(l *LiveLink) bool {
	topology, _, _, ok := ParseAlias(l.Alias)
	return ok && topology != e.Topology
}

// classOf tells whose something on a link, or in a namespace, is. At a wanted key of what we own, it is ours whatever
// it is; elsewhere in what we own it is when it has our mark or looks hand-made; on what is not ours, the record knows.
func (e *Env) classOf(s *Section, k plan.Key, is signs) plan.Class {
	wanted := e.Wanted(k)
	switch {
	case e.Record.HeldByOther(k):
		if wanted {
			return plan.Foreign
		}
	case s.Owned || is.owned:
		if wanted || is.handMade || is.marked {
			return plan.Ours
		}
	case e.Record.Holds(k) && (wanted || is.marked):
		return plan.Ours
	case wanted:
		return plan.Foreign
	case is.marked && !is.others:
		s.warn("%s has plumb's mark, but no record tells whose it is: left alone", k.Label())
	}
	return plan.Loose
}

// handMade says whether an address looks as if a person had added it with ip(8). The kernel gives lo its own without a
// mark.
func (a LiveAddress) handMade(l *LiveLink) bool {
	if l.Type == loopback && (a.Prefix == loopback4 || a.Prefix == loopback6) {
		return false
	}
	return a.Proto == 0 && a.Forever && !a.Prefix.Addr().IsLinkLocalUnicast()
}

var (
	loopback4 = netip.MustParsePrefix("127.0.0.1/8")
	loopback6 = netip.MustParsePrefix("::1/128")
)

func (a LiveAddress) address(ns, dev, ifname string) Address {
	v := Address{
		NS: ns, Dev: dev, Prefix: a.Prefix, Peer: a.Peer, Broadcast: a.Broadcast, Label: a.Label, Scope: a.Scope,
		NoPrefixRoute: a.Flags&unix.IFA_F_NOPREFIXROUTE != 0, DADFailed: a.Flags&unix.IFA_F_DADFAILED != 0,
		Finite: !a.Forever, Metric: a.Metric, Proto: a.Proto,
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
func putAddress(e *Env, changes []plan.Change) error {
	for _, c := range changes {
		a, ok := c.New.(Address)
		if !ok {
			return wrongType(KindAddress, c.New)
		}
		s, index, err := e.linkOf(a.NS, a.Dev)
		if err != nil {
			return err
		}
		if old, changes := c.Old.(Address); changes {
			err = s.changeAddress(index, old, a)
		} else {
			err = s.writeAddress("add", unix.RTM_NEWADDR, unix.NLM_F_CREATE|unix.NLM_F_EXCL, index, a)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *Section) changeAddress(index int, old, a Address) error {
	if old.Connected != a.Connected {
		if err := s.connect(a); err != nil {
			return err
		}
		if old.Connected = a.Connected; old == a {
			return nil
		}
	}
	return s.writeAddress("change", unix.RTM_NEWADDR, unix.NLM_F_REPLACE, index, a)
}

// linkOf finds the section and the index of a link.
func (e *Env) linkOf(ns, dev string) (*Section, int, error) {
	s, err := e.section(ns)
	if err != nil {
		return nil, 0, err
	}
	index, err := s.Index(dev)
	return s, index, err
}

func (s *Section) writeAddress(verb string, proto, flags, index int, a Address) error {
	addr := a.Prefix.Addr()
	m := nl.NewIfAddrmsg(int(familyOf(addr)))
	m.Prefixlen, m.Scope, m.Index = uint8(a.Prefix.Bits()), a.Scope, uint32(index)
	req := kernel.Request(proto, flags)
	req.AddData(m)
	msg := message{req}
	msg.addr(unix.IFA_LOCAL, addr)
	if a.Peer.IsValid() {
		msg.addr(unix.IFA_ADDRESS, a.Peer)
	} else {
		msg.addr(unix.IFA_ADDRESS, addr)
	}
	if a.Broadcast.IsValid() {
		msg.addr(unix.IFA_BROADCAST, a.Broadcast)
	}
	if a.Label != "" && proto != unix.RTM_DELADDR { // a link that got its name back has changed its labels too
		msg.raw(unix.IFA_LABEL, nl.ZeroTerminated(a.Label))
	}
	if a.Metric != 0 {
		msg.u32(ifaRtPriority, a.Metric)
	}
	if a.Proto != 0 {
		msg.raw(ifaProto, []byte{a.Proto})
	}
	f := uint32(0)
	if !addr.Is4() {
		f |= unix.IFA_F_NODAD // duplicate address detection takes 2 s, and for ever without a carrier
	}
	if a.NoPrefixRoute {
		f |= unix.IFA_F_NOPREFIXROUTE
	}
	msg.u32(unix.IFA_FLAGS, f)
	return s.NS.Write(fmt.Sprintf("%s %s %s %s", verb, KindAddress, a.Prefix, LinkKey(a.NS, a.Dev).Place()), req)
}

func delAddresses(e *Env, objects []plan.Object) error {
	for _, o := range objects {
		a, ok := o.(Address)
		if !ok {
			return wrongType(KindAddress, o)
		}
		s, index, err := e.linkOf(a.NS, a.Dev)
		if errors.Is(err, ErrNoLink) {
			continue
		}
		if err != nil {
			return err
		}
		if err := ignoreGone(s.writeAddress("delete", unix.RTM_DELADDR, 0, index, a)); err != nil {
			return err
		}
	}
	return nil
}

// ignoreGone makes a success of deleting what is gone already.
func ignoreGone(err error) error {
	for _, gone := range []error{unix.EADDRNOTAVAIL, unix.ENODEV, unix.ESRCH, unix.ENOENT} {
		if errors.Is(err, gone) {
			return nil
		}
	}
	return err
}
