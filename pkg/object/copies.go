package object

import (
	"fmt"
	"slices"
	"strings"

	"github.com/plumbnet/plumb/pkg/plan"
)

// LinkAt is where a live link is.
type LinkAt struct {
	NS    string
	Index int
}

// bearer is a live link that bears a stamp, for the link at a key, and where it is.
type bearer struct {
	section *Section
	*LiveLink
	of plan.Key
}

// Copied says, of a link whose stamp others bear too, why it is left alone; of all others it says nothing. The stamp
// was made for the bearer that has the name and the MAC that plumb gave it. Without such a one nothing tells which it
// is, and all are left alone.
func (e *Env) Copied(s *Section, index int) string {
	return e.Copies[LinkAt{s.NS.Name, index}]
}

func (e *Env) findCopies() {
	bearers := make(map[plan.Key][]bearer)
	for _, s := range e.Sections {
		for i := range s.Links {
			l := &s.Links[i]
			if ns, name, mine := e.stampOf(s, l); mine {
				k := LinkKey(ns, name)
				bearers[k] = append(bearers[k], bearer{s, l, k})
			}
		}
	}
	for _, list := range bearers {
		if len(list) < 2 {
			continue
		}
		for _, b := range list {
			if !e.genuine(b) {
				e.Copies[LinkAt{b.section.NS.Name, b.Index}] = fmt.Sprintf("links %s bear one stamp: "+
					"remove it from the one that is not plumb's, with ip link set %s alias '' group 0", places(list), b.Name)
			}
		}
	}
}

// genuine says whether a link that bears a stamp is as plumb made it: only one can have the name.
func (e *Env) genuine(b bearer) bool {
	declared, isLink := e.Want(b.of).(interface{ HardwareAddress() MAC })
	return b.section.Stamped() == b.of.NS && b.Name == b.of.Name &&
		(b.MAC == DerivedMAC(e.Topology, b.of.NS, b.of.Name) || isLink && b.MAC == declared.HardwareAddress() ||
			e.Record.PendingMAC(b.of, b.MAC))
}

// places lists where links are, in words: "br0 and ns1/eth0".
func places(list []bearer) string {
	words := make([]string, len(list))
	for i, b := range list {
		words[i] = LinkKey(b.section.NS.Name, b.Name).Place()
	}
	slices.Sort(words)
	return strings.Join(words, " and ")
}
