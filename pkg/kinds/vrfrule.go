package kinds

import (
	"iter"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/plumbnet/plumb/pkg/link"
	"github.com/plumbnet/plumb/pkg/object"
	"github.com/plumbnet/plumb/pkg/plan"
)

// The kernel looks up the table of a VRF by a rule that it makes with the first VRF of a namespace, once in the life of
// that, and leaves there for ever (drivers/net/vrf.c: vrf_add_fib_rules). Without the rule no VRF works. So the rule
// is wanted where a VRF is, and goes with the last VRF where it came with one of plumb's. There is one for each family,
// and where multicast has rules of its own, one for each family of these.

// vrfRules are the rules that the kernel makes with the first VRF of a section.
func vrfRules(ns string) []Rule {
	const priority = 1000 // FIB_RULE_PREF of drivers/net/vrf.c
	r := Rule{NS: ns, Priority: priority, L3mdev: true, Proto: unix.RTPROT_KERNEL}.named()
	six := r
	six.Six = true
	multicast, multicast6 := r, six
	multicast.Multicast, multicast6.Multicast = true, true
	return []Rule{r, six, multicast, multicast6}
}

// ofVRFs says whether a rule is one of those.
func (r Rule) ofVRFs() bool {
	same := func(o Rule) bool { return o.Key() == r.Key() }
	return r.L3mdev && slices.ContainsFunc(vrfRules(r.NS), same)
}

// hasVRFRules says whether a section has such rules because of the topology, or may have.
func hasVRFRules(e *object.Env, s *object.Section) bool {
	told := func(r Rule) bool { return e.Record.Holds(r.Key()) || e.Record.Pending(r.Key()) }
	return firstVRF(e, s.NS.Name) != (plan.Key{}) ||
		e.Record.Mentions(s.NS.Name, KindRule) && slices.ContainsFunc(vrfRules(s.NS.Name), told)
}

// alsoVRFRules wants those rules beside a VRF, but where they were there before and nobody answers for them, and of
// families that the kernel has. Whether it has those of multicast only the section tells: in a new one it makes them by
// itself.
func alsoVRFRules(e *object.Env, o plan.Object) (wanted []plan.Object) {
	l, ok := o.(link.Link)
	if !ok || l.Type != link.TypeVRF || firstVRF(e, l.NS) != l.Key() {
		return nil
	}
	s := e.Sections[l.NS]
	for _, r := range vrfRules(l.NS) {
		looksUp := r // the one that VRFs do not work without
		looksUp.Multicast = false
		switch {
		case e.Wanted(r.Key()): // the file declares it
		case s == nil && r.Multicast, s != nil && s.Lacks(r.dump(), r.Six):
		case r.isTheirs(e, s) || looksUp.isTheirs(e, s):
		default:
			wanted = append(wanted, r)
		}
	}
	return wanted
}

// isTheirs says whether a rule is in a section of others, and no topology's.
func (r Rule) isTheirs(e *object.Env, s *object.Section) bool {
	if s == nil || s.Owned {
		return false
	}
	_, others := e.Record.HeldByOther(r.Key())
	return !others && !e.Record.Holds(r.Key()) && r.in(s.Messages(r.dump()))
}

// in says whether a rule is among those of messages.
func (r Rule) in(msgs [][]byte) bool {
	return slices.ContainsFunc(msgs, func(m []byte) bool { return parseRule(r.NS, m).Key() == r.Key() })
}

// firstVRF is the first of the VRFs that a section shall have, none if it is to have none.
func firstVRF(e *object.Env, ns string) (first plan.Key) {
	for _, o := range e.WantedHere(ns, object.KindLink) {
		if l, ok := o.(link.Link); ok && l.Type == link.TypeVRF && first == (plan.Key{}) {
			first = l.Key()
		}
	}
	return first
}

// ownRules says whose rules are: those that the kernel makes with VRFs, and that the file does not declare, apart from
// the others. Where others keep a VRF they are left alone. A rollback wants those that were there, and takes away any
// other.
func ownRules(e *object.Env, s *object.Section, live iter.Seq[object.Live]) (have []plan.Have, err error) {
	rest := func(yield func(object.Live) bool) {
		for l := range live {
			r, ok := l.Object.(Rule)
			k := l.Key()
			want, _ := e.Want(k).(Rule)
			ours, declared := s.Owned || e.Record.Holds(k), want.Proto == object.Protocol
			switch {
			case !ok || !r.ofVRFs() || declared:
				if !yield(l) {
					return
				}
			case e.Wanted(k), ours && (e.Undoing || !keepsVRF(e, s)):
				have = append(have, plan.Have{Object: r})
			case ours:
				have = append(have, plan.Have{Object: r, Class: plan.Loose})
			}
		}
	}
	others, err := object.ByProtocol(e, s, rest)
	return append(have, others...), err
}

// keepsVRF says whether a VRF is in a section that stays.
func keepsVRF(e *object.Env, s *object.Section) bool {
	return slices.ContainsFunc(s.Links, func(l object.LiveLink) bool {
		return l.Type == link.TypeVRF && (l.Class != plan.Ours || e.Wanted(object.LinkKey(s.NS.Name, l.Known)))
	})
}

// made is the rule that the kernel has made by itself in the place of this one, nil for none.
func (r Rule) made(s *object.Section) (plan.Object, error) {
	if !r.ofVRFs() {
		return nil, nil
	}
	msgs, err := r.dump().Read(s.NS)
	for _, m := range msgs {
		if there := parseRule(r.NS, m); there.Key() == r.Key() {
			return there, nil
		}
	}
	return nil, err
}
