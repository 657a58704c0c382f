package object

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/plumbnet/plumb/pkg/file"
)

// Network is what a document declares as a whole: its sections, and what leads from one to another. Forms report
// problems through it.
type Network struct {
	*file.Report
	// Topology is the topology's name.
	Topology string
	// Sections are the host's, and those of the namespaces in the order of the file.
	Sections []*Sense

	// Reaches are the places where the file reaches beyond what it makes itself.
	Reaches []Reach
	// Keys, if set, is the directory that the files of keys lie beneath.
	Keys string

	// Objects counts those that the forms expect to expand to.
	Objects int

	byName map[string]*Sense
	names  []string // of namespaces, sorted
}

// Host is the section of the host.
func (n *Network) Host() *Sense { return n.Sections[0] }

// Namespaces lists the names of namespaces, sorted.
func (n *Network) Namespaces() []string {
	if len(n.names) == len(n.Sections)-1 {
		return n.names
	}
	n.names = nil
	for _, s := range n.Sections[1:] {
		n.names = append(n.names, s.Name)
	}
	slices.Sort(n.names)
	return n.names
}

// Expect counts objects that a form will expand to.
func (n *Network) Expect(objects int) { n.Objects += objects }

// Sense is a section as the file tells of it: what its forms have entered, for the checks of others.
type Sense struct {
	*Network
	// Name is that of the namespace, empty for the host, and At where the file has it.
	Name string
	At   file.Span
	// Attach says whose namespace it is, where plumb does not make it.
	Attach Attach
	// Links are in the order in which they were found: those of cables declared elsewhere too.
	Links []*Iface
	// Sysctls are in the order of the file.
	Sysctls []Setting
	// Own has the addresses of the section, link-local ones with their link as zone, each with its first place.
	Own     map[OwnAddress]file.Value[netip.Prefix]
	Subnets Subnets
	// Doubtful says that a part of the section could not be read, so that links that seem missing may be there.
	Doubtful bool
	// Forms are those of the table, filled in.
	Forms []At

	links    map[string]*Iface
	settings map[string]int // the index in Sysctls
	asked    []asked
	unread   []string
}

// AddSection adds a section, with its forms.
func (n *Network) AddSection(name string, at file.Spots, forms []At) *Sense {
	s := &Sense{
		Network: n, Name: name, At: at.Key(), Doubtful: at.Doubtful(), Forms: forms,
		links: map[string]*Iface{}, Own: map[OwnAddress]file.Value[netip.Prefix]{},
	}
	for i := range forms {
		forms[i].Sense = s
	}
	if n.byName == nil {
		n.byName = map[string]*Sense{}
	}
	n.Sections, n.byName[name] = append(n.Sections, s), s
	return s
}

// Declared names the section as the part of the file that declares it.
func (s *Sense) Declared() string {
	if s.Name == "" {
		return "the host section of this file"
	}
	return "namespace " + s.Name + " of this file"
}

// Whose names the section as the owner of something.
func (s *Sense) Whose() string {
	if s.Name == "" {
		return "the host's"
	}
	return "namespace " + s.Name + "'s"
}

// Where names the section in messages.
func (s *Sense) Where() string {
	if s.Name == "" {
		return "on the host"
	}
	return "in namespace " + s.Name
}

// Foreign reports whether the section is somebody else's, as the host and attached namespaces are: it has more than the
// file knows.
func (s *Sense) Foreign() bool { return s.Name == "" || s.Attach != "" }

// Link finds a link.
func (s *Sense) Link(name string) (*Iface, bool) {
	l, ok := s.links[name]
	return l, ok
}

// Add enters a link, unless its name is taken: then it gives the link that has it.
func (s *Sense) Add(l *Iface) (*Iface, bool) {
	l.Section = s
	if had, ok := s.links[l.Name]; ok {
		return had, false
	}
	s.links[l.Name] = l
	s.Links = append(s.Links, l)
	return l, true
}

// LinkNames lists the names of links for suggestions: of those of a type, or of all; no more than are of use.
func (s *Sense) LinkNames(of string) []string {
	var names []string
	for _, l := range s.Links {
		if len(names) > file.MaxCandidates {
			break
		}
		if of == "" || l.Type == of {
			names = append(names, l.Name)
		}
	}
	return names
}

// Whole reports whether the file could be read so far that a link of the section that seems missing is missing.
func (s *Sense) Whole() bool { return !s.Doubtful && !s.Host().Doubtful }

// Has checks that a link that the file names is one of the section. One that is somebody else's has others, that the
// file does not know.
func (s *Sense) Has(name string, at file.Span) bool {
	if _, ok := s.links[name]; ok || s.Foreign() || name == Lo || !s.Whole() {
		return true
	}
	s.NoLink(name, at)
	return false
}

// NoLink reports a link that is not there.
func (s *Sense) NoLink(name string, at file.Span) {
	s.Errorf(at, "%s has no interface or bridge %s", s.Declared(), file.Quote(name)).
		Hint = file.Suggest(name, s.LinkNames(""))
}

// Find finds the section of a place that the file names.
func (n *Network) Find(to Place, at file.Span) (*Sense, bool) {
	s, ok := n.byName[to.NS]
	if !ok && !n.Host().Doubtful {
		n.Errorf(at, "there is no namespace %s in this file", file.Quote(to.NS)).
			Hint = file.Suggest(to.NS, n.Namespaces())
	}
	return s, ok
}

// Lenient gives the reporter for what is wrong in a namespace, which the file knows as a whole, but may be right where
// there is more: see [Sense.Foreign].
func (s *Sense) Lenient() func(at file.Span, format string, args ...any) *file.Problem {
	if s.Foreign() {
		return s.Warnf
	}
	return s.Errorf
}

// Unread enters the text of an address that could not be read.
func (s *Sense) Unread(text string) {
	if text != "" {
		s.unread = append(s.unread, text)
	}
}

// Doubts reports whether an address that could not be read may be what makes another one seem out of place: they begin
// alike.
func (s *Sense) Doubts(a netip.Addr) bool {
	first := a.String()
	first = first[:strings.IndexAny(first, ".:")+1]
	return s.Doubtful || slices.ContainsFunc(s.unread, func(text string) bool { return strings.HasPrefix(text, first) })
}

// OwnAddress is an address of a section. Each VRF has its own: Table is its table, 0 for an address of no VRF.
type OwnAddress struct {
	netip.Addr
	Table uint32
}

// Holds reports whether an address is one of the section's own, as one asks who is in a routing table; a link-local one
// is only on its link.
func (s *Sense) Holds(a netip.Addr, dev string, table uint32) bool {
	if a.Is6() && a.IsLinkLocalUnicast() {
		a = a.WithZone(dev)
	}
	if !s.Subnets.IsVRF(table) {
		table = 0
	}
	_, ok := s.Own[OwnAddress{a, table}]
	return ok
}
