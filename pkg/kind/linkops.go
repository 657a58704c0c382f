package kind

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/plumbnet/plumb/pkg/kernel"
	"github.com/plumbnet/plumb/pkg/plan"
)

// listLinks lists the links that carry the topology's stamp, and those of a wanted name.
func listLinks(e *Env, s *Section) ([]plan.Have, error) {
	var have []plan.Have
	linkLocal := linkLocals(s)
	for i := range s.Links {
		live := &s.Links[i]
		m := e.stamp(s, live)
		if m.class == plan.Loose {
			e.warnOfGroup(s, live)
			continue
		}
		if m.collides {
			object := e.link(s, live, live.Name, linkLocal[live.Index])
			have = append(have, plan.Have{Object: object, Class: m.class, Why: m.why, Final: m.final, Collides: true})
			continue
		}
		if twin := s.byKey[m.name]; twin != nil {
			k := LinkKey(s.NS.Name, m.name)
			if have = taken(have, k, twin.Name, live.Name); !e.Wanted(k) { // nobody will hear of a refusal
				s.warn("links %s and %s both stand for link %s: left alone", twin.Name, live.Name, k.Place())
			}
			continue
		}
		s.byKey[m.name] = live
		h := plan.Have{Object: e.link(s, live, m.name, linkLocal[live.Index]), Class: m.class, Why: m.why, Final: m.final}
		h.Note = e.stackedOn(s, live)
		have = append(have, h)
	}
	return have, nil
}

// warnOfGroup tells of a link that has our group, and nothing beside it to say whose it is.
func (e *Env) warnOfGroup(s *Section, l *LiveLink) {
	if !e.stamped(l) {
		return
	}
	s.warn("link %s has the group of topology %s, and no alias: left alone; if it is plumb's, remove it with ip link delete",
		LinkKey(s.NS.Name, l.Name).Place(), e.Topology)
}

// stackedOn tells which links of others end with a link, those that are made on top of it, and which it sets free.
func (e *Env) stackedOn(s *Section, base *LiveLink) string {
	if s.uppers == nil {
		s.findUppers()
	}
	var names, ports []string
	for _, l := range s.uppers[base.Index] {
		switch {
		case e.stamp(s, l).class == plan.Ours:
		case l.Master == base.Index:
			ports = append(ports, "link "+l.Name)
		default:
			names = append(names, "link "+l.Name)
		}
	}
	var words []string
	if len(names) > 0 {
		words = append(words, "takes with it: "+strings.Join(names, ", "))
	}
	if len(ports) > 0 {
		words = append(words, "frees: "+strings.Join(ports, ", "))
	}
	return strings.Join(words, "; ")
}

// findUppers notes for each link which others are its ports or are made on top of it.
func (s *Section) findUppers() {
	s.uppers = make(map[int][]*LiveLink)
	for i := range s.Links {
		l := &s.Links[i]
		if l.Master != 0 {
			s.uppers[l.Master] = append(s.uppers[l.Master], l)
		}
		if l.Peer != 0 && l.PeerNSID < 0 && l.Type != Veth && l.Peer != l.Index {
			s.uppers[l.Peer] = append(s.uppers[l.Peer], l)
		}
	}
}

// taken refuses a key for which two links stand: one by its stamp, and one by the name that it took.
func taken(have []plan.Have, k plan.Key, one, two string) []plan.Have {
	i := slices.IndexFunc(have, func(h plan.Have) bool { return h.Object.Key() == k })
	have[i].Class, have[i].Final = plan.Foreign, true
	have[i].Why = fmt.Sprintf("links %s and %s both stand for it, by stamp and by name: rename or remove the one that does not belong", one, two)
	return have
}

const notOurs = "exists and is not ours: rename it, remove it, or use --adopt"

// mark is what a link's stamp tells: the name that it is known by, and whose it is. Links that are nobody's concern are
// Loose.
type mark struct {
	name  string
	class plan.Class
	why   string
	final bool
	// collides says that the link bears our stamp, or a part of it, and is not ours.
	collides bool
}

func (e *Env) stamp(s *Section, l *LiveLink) mark {
	topology, ns, declared, stamped := ParseAlias(l.Alias)
	mine := stamped && topology == e.Topology
	wanted := e.Wanted(LinkKey(s.NS.Name, l.Name))
	if e.stamped(l) {
		copied := e.copied(s, l.Index)
		switch {
		case mine && copied != "":
			return mark{name: l.Name, class: plan.Foreign, why: copied, final: true, collides: true}
		case mine && ns == s.NS.Name:
			return mark{name: declared}
		case mine:
			return mark{name: l.Name, why: "moved here from " + LinkKey(ns, declared).Place()}
		case l.Alias == "" && (wanted || e.Record.Pending(LinkKey(s.NS.Name, l.Name))):
			return mark{name: l.Name} // a crash came between the making and the alias
		case l.Alias != "" && !wanted:
			return mark{name: l.Name, class: plan.Foreign, why: e.groupCollides(l), final: true, collides: true}
		}
	}
	m := mark{name: l.Name, class: plan.Foreign, why: notOurs}
	switch {
	case !wanted:
		m.class = plan.Loose
	case s.Owned:
		m.class, m.why = plan.Ours, ""
	case stamped && !mine:
		m.why, m.final = belongsTo(topology), true
	}
	return m
}

// owned says whether what stands on a link of that mark is ours: also when we are about to take the link over.
func (e *Env) owned(m mark) bool {
	return m.class == plan.Ours || m.class == plan.Foreign && e.Adopt && !m.final
}

func (e *Env) groupCollides(l *LiveLink) string {
	return fmt.Sprintf("has the group of topology %s, but not its alias: give it another, with ip link set %s group 0", e.Topology, l.Name)
}

func belongsTo(topology string) string {
	return fmt.Sprintf("belongs to topology %s: destroy that first, or rename one of them", topology)
}

// link makes the comparable value of a live link.
func (e *Env) link(s *Section, live *LiveLink, name string, linkLocal netip.Addr) Link {
	l := Link{
		NS: s.NS.Name, Name: name, Type: live.Type, Ifname: live.Name, Up: live.Up(), MTU: live.MTU, MAC: live.MAC,
		Group: live.Group, Alias: live.Alias, LinkLocal: plan.Some(linkLocal),
		Forwarding4: live.Forwarding4, Forwarding6: live.Forwarding6, Promote: live.Promote,
		NoARP: live.Flags&unix.IFF_NOARP != 0,
	}
	if live.Disabled6 && e.wantIPv6[l.Key()] {
		l.LinkLocal = plan.Some(netip.Addr{})
	}
	if live.Type == Bridge {
		l.STP, l.VLANFiltering = plan.Some(live.STP), plan.Some(live.VLANFiltering)
	}
	if master := s.byIndex[live.Master]; master != nil && live.Master != 0 {
		l.Master = e.nameOf(s, master)
		l.Blocked = master.Type == Bridge && !master.STP && blocked(live.PortState)
	}
	if live.Type == Veth {
		l.Peer = e.peer(s, live)
	}
	return l
}

// nameOf is the name that a link is known by: the one of its stamp, if it is ours.
func (e *Env) nameOf(s *Section, l *LiveLink) string {
	if m := e.stamp(s, l); m.class == plan.Ours {
		return m.name
	}
	return l.Name
}

// peer finds the place of a cable's other end.
func (e *Env) peer(s *Section, l *LiveLink) string {
	if l.PeerNSID < 0 {
		if p := s.byIndex[l.Peer]; p != nil {
			return LinkKey(s.NS.Name, e.nameOf(s, p)).Place()
		}
		return Unknown
	}
	other := e.farEnds[l]
	if other == nil {
		return Unknown
	}
	if p := other.byIndex[l.Peer]; p != nil {
		return LinkKey(other.NS.Name, e.nameOf(other, p)).Place()
	}
	return Unknown
}

// The states of a bridge's port, linux/if_bridge.h.
const (
	portListening  = 1
	portLearning   = 2
	portForwarding = 3
	portBlocking   = 4
)

func blocked(state uint8) bool {
	return state == portListening || state == portLearning || state == portBlocking
}

// putLinks creates a link or the two ends of a cable, or changes one link in place.
func putLinks(e *Env, changes []plan.Change) error {
	links := make([]Link, len(changes))
	for i, c := range changes {
		l, ok := c.New.(Link)
		if !ok {
			return wrongType(KindLink, c.New)
		}
		links[i] = l
	}
	if old, ok := changes[0].Old.(Link); ok && len(changes) == 1 {
		return e.updateLink(old, links[0])
	}
	own, err := e.createLinks(links)
	if err != nil {
		return err
	}
	if len(links) == 2 {
		if err := e.finishLink(links[0], LiveLink{}, false); err != nil {
			return err
		}
	}
	return e.finishLink(links[len(links)-1], own, len(links) == 2)
}

// createLinks sends the message that makes a link, or both ends of a cable. The end that is a port is the one that the
// message is sent for: only that one can be put on its bridge by it. It is returned as the kernel has made it, without an
// index if the kernel does not tell.
func (e *Env) createLinks(links []Link) (live LiveLink, err error) {
	own := links[len(links)-1]
	s, err := e.section(own.NS)
	if err != nil {
		return live, err
	}
	master, err := s.master(own)
	if err != nil {
		return live, err
	}
	if own.Type == Bridge {
		// Only a change of the MTU makes it stay when ports of another MTU join: the next message makes it.
		own.MTU ^= 1
	}
	what, peer, peerNS := "create link "+own.Key().Place(), (*Link)(nil), 0
	if len(links) == 2 {
		far, err := e.section(links[0].NS)
		if err != nil {
			return live, err
		}
		if peerNS, err = far.NS.FD(); err != nil {
			return live, err
		}
		what, peer = what+" and "+links[0].Key().Place(), &links[0]
	}
	told, err := s.NS.WriteEcho(what, own.createMessage(master, peer, peerNS), unix.RTM_NEWLINK)
	if err != nil {
		return live, explain(own, err)
	}
	for _, m := range told {
		if l := parseLink(m); l.Name == own.Name {
			live = l
		}
	}
	return live, nil
}

// explain adds to an error what the kernel's own words leave out.
func explain(l Link, err error) error {
	if l.VLANFiltering.V && errors.Is(err, unix.EOPNOTSUPP) {
		return fmt.Errorf("%w: vlan-filtering needs a kernel with CONFIG_BRIDGE_VLAN_FILTERING", err)
	}
	return err
}

func (s *Section) master(l Link) (int, error) {
	if l.Master == "" {
		return 0, nil
	}
	return s.Index(l.Master)
}

// finishLink sets what a link can't be created with. Live is what is known of it, without an index if nothing is.
func (e *Env) finishLink(l Link, live LiveLink, hasMaster bool) error {
	s, err := e.section(l.NS)
	if err != nil {
		return err
	}
	master := 0
	if !hasMaster {
		if master, err = s.master(l); err != nil {
			return err
		}
	}
	delete(s.index, l.Name)
	if live.Index == 0 {
		if live, err = FindLink(s.NS, l.Name); err != nil {
			return err
		}
	}
	if live.Group != l.Group { // which a link has from its creation on
		return fmt.Errorf("link %s is gone, and another of that name has come", l.Key().Place())
	}
	if err := s.NS.Write("set up link "+l.Key().Place(), l.finishMessage(live.Index, master)); err != nil {
		return err
	}
	s.index[l.Name] = live.Index
	if live.Forwarding6 != l.Forwarding6 {
		if err := s.writeForwarding6(l); err != nil {
			return err
		}
	}
	if err := e.enableIPv6(s, &live, l); err != nil {
		return err
	}
	if l.Type == Bridge && l.Up {
		e.down = append(e.down, l)
		return nil
	}
	return e.addLinkLocal(s, l)
}

// FinishLinks brings new bridges up, after their ports: each end of a cable that comes up sends packets, and a bridge
// that is up floods them to all ports that are there. With an error comes the key of the link.
func (e *Env) FinishLinks() (plan.Key, error) {
	for len(e.down) > 0 {
		l := e.down[0]
		s, index, err := e.linkOf(l.NS, l.Ifname)
		if err == nil {
			err = s.NS.Write("bring up link "+l.Key().Place(), indexRequest(index, unix.IFF_UP, unix.IFF_UP).req)
		}
		if err == nil {
			err = e.addLinkLocal(s, l)
		}
		if err != nil {
			return l.Key(), err
		}
		e.down = e.down[1:]
	}
	return plan.Key{}, nil
}

func (s *Section) writeForwarding6(l Link) error {
	return s.NS.WriteSysctl("net/ipv6/conf/"+l.Ifname+"/forwarding", fmt.Sprint(bit(l.Forwarding6)))
}

// updateLink changes a link in place.
func (e *Env) updateLink(old, l Link) error {
	s, err := e.section(l.NS)
	if err != nil {
		return err
	}
	index, err := s.indexOf(old)
	if err != nil {
		return err
	}
	if old.Ifname != l.Ifname {
		if err := s.rename(index, old, l); err != nil {
			return err
		}
	}
	if err := s.change(index, old, l); err != nil {
		return err
	}
	if l.Type == Bridge && old.STP != l.STP && !l.STP.V {
		if err := s.unblock(index); err != nil {
			return err
		}
	}
	if l.LinkLocal.Set && old.LinkLocal != l.LinkLocal {
		if err := e.replaceLinkLocal(s, index, l); err != nil {
			return err
		}
	}
	have := old.Forwarding6
	if old.MTU < MinIPv6MTU && l.MTU >= MinIPv6MTU {
		// IPv6 begins anew on the link, with the section's defaults.
		live, err := FindLink(s.NS, l.Ifname)
		if err != nil {
			return err
		}
		have = live.Forwarding6
	}
	if have != l.Forwarding6 && l.MTU >= MinIPv6MTU {
		return s.writeForwarding6(l)
	}
	return nil
}

// rename gives a link its name back. Kernels before 6.2 only rename a link that is down.
func (s *Section) rename(index int, old, l Link) error {
	what := fmt.Sprintf("rename link %s to %s", old.Ifname, l.Key().Place())
	message := func() *nl.NetlinkRequest {
		m := indexRequest(index, 0, 0)
		m.name(l.Ifname)
		return m.req
	}
	if err := s.makeRoom(l); err != nil {
		return err
	}
	err := s.NS.Write(what, message())
	if errors.Is(err, unix.EBUSY) {
		err = errors.Join(
			s.NS.Write("set link "+old.Ifname+" down", indexRequest(index, 0, unix.IFF_UP).req),
			s.NS.Write(what, message()),
			s.NS.Write("set link "+l.Ifname+" up", indexRequest(index, unix.IFF_UP, unix.IFF_UP).req))
	}
	delete(s.index, old.Ifname)
	s.index[l.Ifname] = index
	if live := s.byKey[l.Name]; live != nil {
		live.Name = l.Ifname
	}
	return err
}

// indexOf finds a live link by its stamp, as its name may have been given to another meanwhile.
func (s *Section) indexOf(l Link) (int, error) {
	if live := s.byKey[l.Name]; live != nil {
		return live.Index, nil
	}
	return s.Index(l.Ifname)
}

// makeRoom takes the name of a link from another of ours, which gets its own back by a step to come: names may have
// been swapped.
func (s *Section) makeRoom(l Link) error {
	for name, other := range s.byKey {
		if other.Name != l.Ifname || name == l.Name || other.Name == name {
			continue
		}
		m := indexRequest(other.Index, 0, 0)
		free := DerivedName("", l.NS, name)
		m.name(free)
		if err := s.NS.Write(fmt.Sprintf("rename link %s to %s for now", other.Name, free), m.req); err != nil {
			return err
		}
		other.Name = free
	}
	return nil
}

func indexRequest(index int, flags, mask uint32) message {
	req := kernel.Request(unix.RTM_NEWLINK, 0)
	info := nl.NewIfInfomsg(unix.AF_UNSPEC)
	info.Index, info.Flags, info.Change = int32(index), flags, mask
	req.AddData(info)
	return message{req}
}

// change sends one message with all that differs.
func (s *Section) change(index int, old, l Link) error {
	flags, mask := uint32(0), uint32(0)
	if old.Up != l.Up {
		flags, mask = bit(l.Up), unix.IFF_UP
	}
	if old.NoARP != l.NoARP {
		flags, mask = flags|bit(l.NoARP)*unix.IFF_NOARP, mask|unix.IFF_NOARP
	}
	m := indexRequest(index, flags, mask)
	if old.MTU != l.MTU {
		m.u32(unix.IFLA_MTU, l.MTU)
	}
	if old.MAC != l.MAC {
		m.raw(unix.IFLA_ADDRESS, append([]byte(nil), l.MAC[:]...))
	}
	if old.Group != l.Group {
		m.u32(unix.IFLA_GROUP, l.Group)
	}
	if old.Alias != l.Alias {
		m.raw(unix.IFLA_IFALIAS, []byte(l.Alias))
	}
	if old.Master != l.Master {
		master, err := s.master(l)
		if err != nil {
			return err
		}
		m.u32(unix.IFLA_MASTER, uint32(master))
	}
	if old.Forwarding4 != l.Forwarding4 || old.Promote != l.Promote {
		l.confAttrs(m)
	}
	if l.Type == Bridge && (old.STP != l.STP || old.VLANFiltering != l.VLANFiltering) {
		info := m.nest(unix.IFLA_LINKINFO)
		info.AddRtAttr(unix.IFLA_INFO_KIND, nl.NonZeroTerminated(Bridge))
		l.bridgeData(info, old)
	}
	if err := s.NS.Write("change link "+l.Key().Place(), m.req); err != nil {
		return explain(l, err)
	}
	if old.Blocked && !l.Blocked && old.Master == l.Master {
		return s.forward(index, l.Ifname)
	}
	return nil
}

// unblock sets the ports of a bridge forwarding: without STP nobody else does before 30 s are over.
func (s *Section) unblock(bridge int) error {
	links, err := ListLinks(s.NS)
	if err != nil {
		return err
	}
	for _, port := range links {
		if port.Master == bridge && blocked(port.PortState) {
			if err := s.forward(port.Index, port.Name); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *Section) forward(index int, name string) error {
	m := indexRequest(index, 0, 0)
	info := m.nest(unix.IFLA_LINKINFO)
	info.AddRtAttr(unix.IFLA_INFO_SLAVE_KIND, nl.NonZeroTerminated(Bridge))
	info.AddRtAttr(unix.IFLA_INFO_SLAVE_DATA|unix.NLA_F_NESTED, nil).
		AddRtAttr(unix.IFLA_BRPORT_STATE, nl.Uint8Attr(portForwarding))
	err := s.NS.Write("set port "+name+" forwarding", m.req)
	if errors.Is(err, unix.EBUSY) {
		return nil // the bridge has begun to run STP, which alone decides then
	}
	return err
}
