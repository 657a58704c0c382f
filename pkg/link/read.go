package kind

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

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
	switch wantIPv6 := e.wantIPv6[l.Key()]; {
	case wantIPv6 && live.Disabled6:
		l.LinkLocal = plan.Some(netip.Addr{})
	case !wantIPv6 && !linkLocal.IsValid() && live.derives():
		l.LinkLocal = plan.Some(live.MAC.LinkLocal())
	}
	if live.Type == Bridge {
		l.STP, l.VLANFiltering, l.Snooping = plan.Some(live.STP), plan.Some(live.VLANFiltering), live.Snooping
		if want, ok := e.want[l.Key()].(Link); ok && !live.Snooping.Set {
			l.Snooping = want.Snooping // the kernel can't, whatever it is told
		}
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
