package topology

import (
	"net/netip"
	"slices"

	"gopkg.in/yaml.v3"

	"github.com/plumbnet/plumb/pkg/file"
	"github.com/plumbnet/plumb/pkg/object"
)

// section is a [Node] with all the links that it gets, those of cables declared elsewhere too.
type section struct {
	*Node
	// name is empty for the host.
	name  string
	at    file.Span
	spots file.Spots
	// flawed says that a part of the section could not be read, so that what seems missing may be there.
	flawed bool
	// doubtful are the texts of addresses that could not be read.
	doubtful []string

	links map[string]*link
	// list has the links in the order in which they were found.
	list    []*link
	sysctls map[string]sysctl
	subnets subnets
	// own are the section's addresses, with the first place of each.
	own    map[netip.Addr]file.Value[netip.Prefix]
	routes []route
}

// sysctl is a kernel parameter with its place.
type sysctl struct {
	name, value string
	// at is where the name stands, and valueAt where the value does; bad says that it could not be read.
	at, valueAt file.Span
	bad         bool
}

// link is a bridge, an end of a cable, or lo.
type link struct {
	section *section
	name    string
	at      file.Span
	// kind is that of [links.Link]; empty for lo.
	kind string
	// iface and bridge are the declarations, and spots theirs; an end that another interface makes has none of them.
	iface  *Interface
	bridge *Bridge
	spots  file.Spots
	// peer is the other end of a cable.
	peer   *link
	master *link
	ports  int
	// claim is where the cable is declared whose far end this is.
	claim file.Span

	mtu       file.Value[uint32]
	mac       file.Value[MAC]
	addresses []file.Value[netip.Prefix]
	// segment is the root of the links that frames pass between, once that is computed.
	segment *link
}

// String is how messages name the link.
func (l *link) String() string { return in(l.section.name, l.name) }

// where names a section in messages.
func (s *section) where() string {
	if s.name == "" {
		return "on the host"
	}
	return "in namespace " + s.name
}

func (l *link) mtuOr() uint32 {
	if l.mtu.Good() {
		return l.mtu.V
	}
	return object.DefaultMTU
}

// add enters a link, unless its name is taken: then it gives the link that has it.
func (s *section) add(l *link) (*link, bool) {
	l.section = s
	if had, ok := s.links[l.name]; ok {
		return had, false
	}
	s.links[l.name] = l
	s.list = append(s.list, l)
	return l, true
}

// names lists the links of a section that are of a kind, for suggestions.
func (s *section) names(of string) []string {
	var names []string
	for _, l := range s.list {
		if of == "" || l.kind == of {
			names = append(names, l.name)
		}
	}
	return names
}

// checker looks at a topology as a whole.
type checker struct {
	*file.Report
	t *Topology
	// sections are the host's and those of the namespaces, in the order of the file; byName has the host as "".
	sections []*section
	byName   map[string]*section
}

// newChecker decodes a document.
func newChecker(r *file.Report, name string, n *yaml.Node) *checker {
	var doc document
	at := r.Decode(n, "the topology", &doc)
	t := &Topology{File: name, Name: string(doc.Name), at: at.At("name")}
	c := &checker{Report: r, t: t, byName: map[string]*section{}}
	host := c.enter("", &doc.Node, at)
	host.flawed = host.flawed || at.Doubtful("namespaces")
	for i, spots := range at.In("namespaces").Items() {
		c.enter(string(doc.Namespaces[i].Key), &doc.Namespaces[i].Value, spots)
	}
	return c
}

// enter adds a section.
func (c *checker) enter(name string, n *Node, at file.Spots) *section {
	s := &section{
		Node: n, name: name, at: at.Key(), spots: at,
		flawed: at.Doubtful() || at.Doubtful("bridges") || at.Doubtful("interfaces"),
		links:  map[string]*link{}, sysctls: map[string]sysctl{}, own: map[netip.Addr]file.Value[netip.Prefix]{},
	}
	for i, at := range at.In("sysctls").Items() {
		v := n.Sysctls[i]
		s.sysctls[string(v.Key)] = sysctl{string(v.Key), string(v.Value), at.Key(), at.At(), !at.Good()}
	}
	c.sections = append(c.sections, s)
	c.byName[name] = s
	return s
}

// check runs all checks. Later ones lean on what earlier ones found: cables make links, links carry addresses, and
// addresses make gateways reachable.
func (c *checker) check() {
	c.declared()
	c.cables()
	c.links()
	c.addresses()
	c.segments()
	for _, s := range c.sections {
		c.sysctls(s)
		c.nat(s)
		c.routes(s)
	}
	c.size()
}

// namespaces lists the names of namespaces, for suggestions.
func (c *checker) namespaces() []string {
	var names []string
	for _, s := range c.sections[1:] {
		names = append(names, s.name)
	}
	slices.Sort(names)
	return names
}
