package kinds

import (
	"errors"
	"iter"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/plumbnet/plumb/pkg/kernel"
	"github.com/plumbnet/plumb/pkg/link"
	"github.com/plumbnet/plumb/pkg/object"
	"github.com/plumbnet/plumb/pkg/plan"
)

// The kernel looks up the table of a VRF by a rule that it makes with the first VRF of a namespace, once in the life of
// that, and leaves there for ever (drivers/net/vrf.c: vrf_add_fib_rules). Without the rule no VRF works. So the rule is
// wanted where a VRF is, and goes with the last VRF where it came with one of plumb's.

// vrfRules are the rules that the kernel makes with the first VRF of a section.
func vrfRules(ns string) []plan.Object {
	const priority = 1000 // FIB_RULE_PREF of drivers/net/vrf.c
	r := Rule{NS: ns, Priority: priority, L3mdev: true, Proto: unix.RTPROT_KERNEL}
	six := r
	six.Six = true
	return []plan.Object{r.named(), six.named()}
}

// ofVRFs says whether a rule is one of those.
func (r Rule) ofVRFs() bool {
	return slices.ContainsFunc(vrfRules(r.NS), func(o plan.Object) bool { return o.Key() == r.Key() })
}

// alsoVRFRules wants those rules beside a VRF, but where one was there before that nobody answers for.
func alsoVRFRules(e *object.Env, o plan.Object) (wanted []plan.Object) {
	l, ok := o.(link.Link)
	if !ok || l.Type != link.TypeVRF || firstVRF(e, l.NS) != l.Key() {
		return nil
	}
	there := make(map[plan.Key]bool)
	if s := e.Sections[l.NS]; s != nil && !s.Owned {
		for _, m := range s.Messages(ruleDump) {
			there[parseRule(l.NS, m).Key()] = true
		}
	}
	for _, r := range vrfRules(l.NS) {
		_, others := e.Record.HeldByOther(r.Key())
		if !there[r.Key()] || others || e.Record.Holds(r.Key()) {
			wanted = append(wanted, r)
		}
	}
	return wanted
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

// ownRules says whose rules are: those that the kernel has made with VRFs apart from the others.
func ownRules(e *object.Env, s *object.Section, live iter.Seq[object.Live]) (have []plan.Have, err error) {
	rest := func(yield func(object.Live) bool) {
		for l := range live {
			r, ok := l.Object.(Rule)
			switch k := l.Key(); {
			case !ok || !r.ofVRFs():
				if !yield(l) {
					return
				}
			case e.Wanted(k), (s.Owned || e.Record.Holds(k)) && !keepsVRF(e, s):
				have = append(have, plan.Have{Object: r})
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

// isThere says whether the kernel has made a rule by itself.
func (r Rule) isThere(s *object.Section) (bool, error) {
	if !r.ofVRFs() {
		return false, nil
	}
	msgs, err := ruleDump.Read(s.NS)
	return slices.ContainsFunc(msgs, func(m []byte) bool { return parseRule(r.NS, m).Key() == r.Key() }), err
}

// Families of the rules for multicast, linux/rtnetlink.h.
const (
	familyMulticast4 = 128 // RTNL_FAMILY_IPMR
	familyMulticast6 = 129 // RTNL_FAMILY_IP6MR
)

// putTwin makes or deletes the rule for multicast that the kernel makes with one of VRFs, where it has such rules.
func (r Rule) putTwin(s *object.Section, proto, flags int) error {
	if !r.ofVRFs() {
		return nil
	}
	head := ruleHead(familyMulticast4)
	if r.Six {
		head = ruleHead(familyMulticast6)
	}
	head.Type = unix.FR_ACT_TO_TBL
	m := kernel.NewMessage(proto, flags, head)
	m.U32(unix.FRA_PRIORITY, r.Priority)
	m.Add(unix.FRA_PROTOCOL, []byte{r.Proto})
	m.Add(unix.FRA_L3MDEV, []byte{1})
	err := s.NS.Write("multicast rule beside "+r.Key().Name, m.NetlinkRequest)
	for _, fine := range []error{unix.EEXIST, unix.EOPNOTSUPP, unix.EAFNOSUPPORT} {
		if errors.Is(err, fine) {
			return nil
		}
	}
	return object.IgnoreGone(err)
}
