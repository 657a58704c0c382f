package object

import (
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/plumbnet/plumb/pkg/plan"
)

// Mark is what a link's stamp tells: the name that the link is known by, and whose it is. Links that no
// topology has to do with are Loose.
type Mark struct {
	Known string
	Class plan.Class
	Why   string
	Final bool
	// Collides says that the link bears our stamp, or a part of it, and is not ours.
	Collides bool
}

// MarkOf reads the stamp of a link.
func (e *Env) MarkOf(s *Section, l *LiveLink) Mark {
	wanted := e.Wanted(LinkKey(s.NS.Name, l.Name))
	if e.Given(LinkKey(s.NS.Name, l.Name)) {
		return e.markOfGiven(l)
	}
	ns, declared, mine := e.stampOf(s, l)
	copied := e.Copied(s, l.Index)
	switch {
	case mine && copied != "":
		return Mark{Known: l.Name, Class: plan.Foreign, Why: copied, Final: true, Collides: true}
	case mine && ns == s.Stamped():
		return Mark{Known: declared}
	case mine:
		return Mark{Known: l.Name, Why: "moved here from " + LinkKey(ns, declared).Place()}
	case e.stamped(l) && l.Alias != "" && !wanted:
		return Mark{Known: l.Name, Class: plan.Foreign, Why: e.groupCollides(l), Final: true, Collides: true}
	}
	m := Mark{Known: l.Name, Class: plan.Foreign, Why: NotOurs}
	topology, _, _, stamped := ParseAlias(l.Alias)
	switch {
	case !wanted:
		m.Class = plan.Loose
	case s.Owned:
		m.Class, m.Why = plan.Ours, ""
	case stamped && topology != e.Topology:
		m.Why, m.Final = BelongsTo(topology), true
	}
	return m
}

// stampOf is the section and the name for which plumb has made a link, if it is one of the topology's. The stamp tells,
// and of one that has got no alias yet its name does, or the record.
func (e *Env) stampOf(s *Section, l *LiveLink) (ns, name string, mine bool) {
	topology, ns, name, stamped := ParseAlias(l.Alias)
	switch k := LinkKey(s.NS.Name, l.Name); {
	case !e.stamped(l) || l.Alias != "" && !stamped:
		return "", "", false
	case stamped:
		return ns, name, topology == e.Topology
	case e.Wanted(k) || e.Record.Pending(k):
		return s.Stamped(), l.Name, true
	}
	k, mine := e.Record.PendingLink(s.NS.Name, l)
	if k.NS == s.NS.Name {
		k.NS = s.Stamped()
	}
	return k.NS, k.Name, mine
}

// markOfGiven is the mark of a link that the topology declares, and does not make. It is nobody's, or refused.
func (e *Env) markOfGiven(l *LiveLink) Mark {
	m := Mark{Known: l.Name, Class: plan.Loose}
	topology, _, _, stamped := ParseAlias(l.Alias)
	switch {
	case e.stamped(l):
		m.Why = "was made by plumb for this very topology: a link that is there already is one that others have made"
	case stamped && l.Plumbs():
		m.Why = BelongsTo(topology)
	case l.Type == Loopback:
		m.Why = "is the loopback interface of the section"
	default:
		return m
	}
	m.Class, m.Final = plan.Foreign, true
	return m
}

func (e *Env) groupCollides(l *LiveLink) string {
	return fmt.Sprintf("has the group of topology %s, but not its alias: "+
		"move it to another group, with ip link set %s group 0", e.Topology, l.Name)
}

// stamped says whether a link has a group of the topology. Physical links and lo never bear a link's stamp: plumb can
// neither make nor delete them.
func (e *Env) stamped(l *LiveLink) bool {
	return (l.Group == Group(e.Topology) || l.Group == Doomed(e.Topology)) && l.Type != Loopback && l.Type != ""
}

// StampedLinks is the [Owner] of links. A link with a Why is one that is not there, and whose name is taken.
func StampedLinks(e *Env, s *Section, live iter.Seq[Live]) (have []plan.Have, err error) {
	uppers := s.uppers()
	for o := range live {
		l := o.Links[0]
		if o.Why != "" {
			have = nameTaken(have, o)
			continue
		}
		h := plan.Have{Object: o.Object, Class: l.Class, Why: l.Mark.Why, Final: l.Final, Collides: l.Collides}
		twin := s.byKey[l.Known]
		switch {
		case l.Class == plan.Loose && e.Given(o.Key()):
		case l.Class == plan.Loose && e.InTheWay(o.Object):
			h.Class, h.Final, h.Why = plan.Foreign, true, NotOurs
		case l.Class == plan.Loose:
			e.warnOfGroup(s, l)
			continue
		case l.Collides:
		case twin != nil && twin != l:
			k := LinkKey(s.NS.Name, l.Known)
			if have = taken(have, k, twin.Name, l.Name); !e.Wanted(k) { // nobody will see a refusal
				s.Warnf("links %s and %s both match link %s: left alone", twin.Name, l.Name, k.Place())
			}
			continue
		default:
			h.Note = stackedOn(l, uppers[l.Index])
		}
		have = append(have, h)
	}
	return have, nil
}

// warnOfGroup tells of a link that has our group, and nothing beside it to say whose it is.
func (e *Env) warnOfGroup(s *Section, l *LiveLink) {
	if !e.stamped(l) {
		return
	}
	s.Warnf("link %s has the group of topology %s, and no alias: left alone; "+
		"if it is plumb's, remove it with ip link delete", LinkKey(s.NS.Name, l.Name).Place(), e.Topology)
}

// taken refuses a key for which two links stand: one by its stamp, and one by the name that it took.
func taken(have []plan.Have, k plan.Key, one, two string) []plan.Have {
	i := slices.IndexFunc(have, func(h plan.Have) bool { return h.Object.Key() == k })
	have[i].Class, have[i].Final = plan.Foreign, true
	have[i].Why = fmt.Sprintf("both %s (by stamp) and %s (by name) match it: "+
		"rename or remove the one that does not belong", one, two)
	return have
}

// nameTaken refuses a key whose name another link has, be it for a new link or for one that is to get it back.
func nameTaken(have []plan.Have, o Live) []plan.Have {
	h := plan.Have{Object: o.Object, Class: plan.Foreign, Why: o.Why, Final: true}
	i := slices.IndexFunc(have, func(h plan.Have) bool { return h.Object.Key() == o.Key() })
	if i < 0 {
		return append(have, h)
	}
	have[i].Class, have[i].Why, have[i].Final = h.Class, h.Why, h.Final
	return have
}

// stackedOn tells which links of others end with a link, those that are made on top of it, and which it sets free.
func stackedOn(base *LiveLink, uppers []*LiveLink) string {
	var names, ports []string
	for _, l := range uppers {
		switch {
		case l.Class == plan.Ours:
		case l.Master == base.Index:
			ports = append(ports, "link "+l.Name)
		default:
			names = append(names, "link "+l.Name)
		}
	}
	var words []string
	if len(names) > 0 {
		words = append(words, "takes with it: "+plan.Listing(names))
	}
	if len(ports) > 0 {
		words = append(words, "detaches "+plan.Listing(ports))
	}
	return strings.Join(words, "; ")
}

// uppers lists for each link which others are its ports or are made on top of it. The ends of a cable name each other.
func (s *Section) uppers() map[int][]*LiveLink {
	list := make(map[int][]*LiveLink)
	for i := range s.Links {
		l := &s.Links[i]
		if l.Master != 0 {
			list[l.Master] = append(list[l.Master], l)
		}
		lower := s.byIndex[l.Lower]
		if lower != nil && l.LowerNSID < 0 && lower.Lower != l.Index {
			list[l.Lower] = append(list[l.Lower], l)
		}
	}
	return list
}
