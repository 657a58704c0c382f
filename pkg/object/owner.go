package object

import (
	"fmt"
	"iter"
	"slices"

	"github.com/plumbnet/plumb/pkg/plan"
)

// Live is a live object, and what it shows of whose it is.
type Live struct {
	plan.Object
	// Links are those that it stands on; of a link, the link itself.
	Links []*LiveLink
	// Proto is the protocol number that the kernel keeps with it, and ByHand says that it looks as if a person had made
	// it.
	Proto  uint8
	ByHand bool
	// Was is the key that the record may hold it by, where that is another than its own.
	Was plan.Key
	// OfLink says that it is a part of its link, and so as much ours as that. Those of our links are told, whosever they
	// are.
	OfLink bool
	// Why says why it is not as declared, where that is not for all to see: "empty".
	Why string
	// Moves says that it is on a link that becomes a port, and goes as long as that is so; Message is how the kernel told
	// of it.
	Moves   bool
	Message []byte
	// Falls says that the kernel is about to take it, with a change of its link that plumb did not make.
	Falls bool
	// Loose says that it is left alone, unless a rollback wants it.
	Loose bool
}

// PartOf is the object as one that bears no mark, and is plumb's where its link is, whoever made it: others put
// addresses and routes on a link with "dynamic: true", and nothing else.
func (l Live) PartOf(link *LiveLink) Live {
	if link.Class == plan.Ours {
		l.Proto, l.Why = Protocol, "not in the file"
	}
	return l
}

// Owner tells whose live objects are, and leaves out what no topology has to do with. These are the ways to know it:
//
//	StampedLinks, StampedNamespaces   by a stamp on the object itself
//	ByProtocol                        by its protocol number, by what it stands on, and on the host by the record
//	ByTable                           by the nftables table that it is in
//
// and by the claims of the host record, which the kind of sysctls reads itself.
type Owner func(*Env, *Section, iter.Seq[Live]) ([]plan.Have, error)

// NotOurs is why something foreign at a wanted key is refused.
const NotOurs = "already exists and was not made by plumb: rename it, remove it, or use --adopt"

const byHand = "made by hand"

// BelongsTo is why something of another topology is refused.
func BelongsTo(topology string) string {
	return fmt.Sprintf("belongs to topology %s: destroy that first, or rename one of them", topology)
}

// ByTable is the [Owner] of what stands in a table that the topology owns whole.
func ByTable(_ *Env, _ *Section, live iter.Seq[Live]) (have []plan.Have, err error) {
	for l := range live {
		h := plan.Have{Object: l.Object, Why: l.Why}
		if l.ByHand {
			h.Why = byHand
		}
		if l.Loose {
			h.Class = plan.Loose
		}
		have = append(have, h)
	}
	return have, nil
}

// Stacked is an object beside which others of its key can stand.
type Stacked interface {
	plan.Object
	// Beside is the object that stands for both when a second is found at its key; second says that it is that one.
	Beside(other plan.Object) (both plan.Object, second bool)
}

// ByProtocol is the [Owner] of what stands on links and bears a protocol number. At a wanted key of what we own, it is
// ours whatever it is; elsewhere in what we own it is when it has our number, or looks hand-made and is on no link
// that is for others to use; on what is not ours, the record knows.
func ByProtocol(e *Env, s *Section, live iter.Seq[Live]) (have []plan.Have, err error) {
	at := make(map[plan.Key]int)
	for l := range live {
		h, ok := e.byProtocol(s, l)
		if !ok {
			continue
		}
		stacked, ok := h.Object.(Stacked)
		if !ok {
			have = append(have, h)
			continue
		}
		k := h.Object.Key()
		if i, twin := at[k]; twin {
			both, second := have[i].Object.(Stacked).Beside(stacked)
			if second {
				have[i] = h
			}
			have[i].Object = both
			continue
		}
		at[k] = len(have)
		have = append(have, h)
	}
	return have, nil
}

func (e *Env) byProtocol(s *Section, l Live) (h plan.Have, ok bool) {
	k := l.Key()
	h = plan.Have{Object: l.Object, Class: e.classOf(s, k, l)}
	switch {
	case h.Class == plan.Ours && l.Moves && !e.Wanted(k):
		h.Why = e.movedFrom(s, l.Links[0])
	case h.Class == plan.Foreign && l.OfLink && l.Links[0].Class == plan.Foreign:
		h.Why, h.Final = l.Links[0].Mark.Why, l.Links[0].Final
	case h.Class == plan.Foreign:
		h.Why = NotOurs
		for _, key := range []plan.Key{k, l.Was} {
			if topology, held := e.Record.HeldByOther(key); held {
				h.Why, h.Final = BelongsTo(topology), true
			}
		}
	case h.Class == plan.Loose && (l.Falls || e.fallsWithAdopted(k, l)):
	case h.Class == plan.Loose && !e.Wanted(k) && !(l.OfLink && e.told(s, l.Links[0])):
		return h, false // of a link of ours all are told: they keep its routes, and their subnets have a primary
	case !e.Wanted(k) && l.Why != "":
		h.Why = l.Why
	case !e.Wanted(k) && l.Proto != Protocol:
		h.Why = e.handMade(s, l)
	}
	return h, true
}

func (e *Env) classOf(s *Section, k plan.Key, l Live) plan.Class {
	wanted, marked := e.Wanted(k), l.Proto == Protocol
	_, others := e.Record.HeldByOther(k)
	if !others {
		_, others = e.Record.HeldByOther(l.Was)
	}
	notMade := func(l *LiveLink) bool { return !e.made(s, l) }
	if l.Moves && !others && !e.Record.Holds(k) {
		e.noteMoved(s, l)
		if wanted {
			return plan.Loose
		}
		return plan.Ours
	}
	onTheirs := func(l *LiveLink) bool { return e.theirs(s, l) }
	switch {
	case s.Owned || !others && slices.ContainsFunc(l.Links, e.owns):
		if wanted || marked || l.ByHand && !slices.ContainsFunc(l.Links, onTheirs) {
			return plan.Ours
		}
	case others:
		if wanted && !e.Returned[k] {
			return plan.Foreign
		}
	case (e.Record.Holds(k) || e.Record.Holds(l.Was)) && (wanted || marked):
		return plan.Ours
	case wanted && (e.Returned[k] || e.Undoing && slices.ContainsFunc(l.Links, notMade)):
	case wanted:
		return plan.Foreign
	case marked && !slices.ContainsFunc(l.Links, e.ofOthers):
		s.Warnf("%s has plumb's mark, but no record tells whose it is: left alone", k.Label())
	}
	return plan.Loose
}

// fallsWithAdopted says whether an object of another topology stands on a link that this one is about to take over: it
// may fall when that changes, and a rollback puts it back.
func (e *Env) fallsWithAdopted(k plan.Key, l Live) bool {
	_, others := e.Record.HeldByOther(k)
	return others && e.Adopt && slices.ContainsFunc(l.Links, e.owns)
}

// owns says whether what stands on a link is ours: also when we are about to take the link over.
func (e *Env) owns(l *LiveLink) bool {
	return l.Class == plan.Ours || l.Class == plan.Foreign && e.Adopt && !l.Final
}

// told says whether the topology makes a link or declares it.
func (e *Env) told(s *Section, l *LiveLink) bool {
	return e.owns(l) || e.Given(LinkKey(s.NS.Name, l.Known))
}

// theirs says whether others put on a link what they like.
func (e *Env) theirs(s *Section, l *LiveLink) bool {
	return !e.made(s, l) || e.Dynamic(LinkKey(s.NS.Name, l.Known))
}

// made says whether plumb has made a link, or its namespace with lo.
func (e *Env) made(s *Section, l *LiveLink) bool { return e.owns(l) || s.Owned && l.Type == Loopback }

// OfOthers says whether plumb did not make a link, which is found by its name in the kernel.
func (e *Env) OfOthers(s *Section, name string) bool {
	l := s.At(s.Known(name))
	return l != nil && !e.made(s, l)
}

// handMade is why something is deleted that looks as if a person had made it, with the way to keep it.
func (e *Env) handMade(s *Section, l Live) string {
	for _, on := range l.Links {
		if e.made(s, on) && (on.Master == 0 || on.PortType == vrf) { // a port is no place for addresses
			return fmt.Sprintf(`%s; "dynamic: true" on %s would keep it`, byHand, on.Known)
		}
	}
	return byHand
}

// ofOthers says whether a link bears the stamp of another topology.
func (e *Env) ofOthers(l *LiveLink) bool {
	topology, _, _, ok := ParseAlias(l.Alias)
	return ok && topology != e.Topology
}
