package object

import (
	"fmt"
	"slices"
	"strings"
)

// LinkAt is where a live link is.
type LinkAt struct {
	NS    string
	Index int
}

// sectionLink is a live link and where it is.
type sectionLink struct {
	section *Section
	*LiveLink
}

// Copied says, of a link whose stamp others bear too, why it is left alone; of all others it says nothing. The stamp
// was made for the bearer that has the name and the MAC that plumb gave it. Without such a one nothing tells which it
// is, and all are left alone.
func (e *Env) Copied(s *Section, index int) string {
	return e.Copies[LinkAt{s.NS.Name, index}]
}

func (e *Env) findCopies() {
	bearers := make(map[string][]sectionLink)
	for _, s := range e.Sections {
		for i := range s.Links {
			l := &s.Links[i]
			if topology, _, _, ok := ParseAlias(l.Alias); ok && topology == e.Topology && e.stamped(l) {
				bearers[l.Alias] = append(bearers[l.Alias], sectionLink{s, l})
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
func (e *Env) genuine(b sectionLink) bool {
	_, ns, name, _ := ParseAlias(b.Alias)
	declared, isLink := e.Want(LinkKey(ns, name)).(interface{ HardwareAddress() MAC })
	return b.section.Stamped() == ns && b.Name == name &&
		(b.MAC == DerivedMAC(e.Topology, ns, name) || isLink && b.MAC == declared.HardwareAddress())
}

// places lists where links are, in words: "br0 and ns1/eth0".
func places(list []sectionLink) string {
	words := make([]string, len(list))
	for i, b := range list {
		words[i] = LinkKey(b.section.NS.Name, b.Name).Place()
	}
	slices.Sort(words)
	return strings.Join(words, " and ")
}
