package topology

import (
	"net/netip"
	"slices"

	"github.com/plumbnet/plumb/pkg/object"
)

// section is a [Node] with all the links that it gets, those of cables declared elsewhere too.
type section struct {
	*Node
	links map[string]*link
	// list has the links in the order in which they were found.
	list    []*link
	sysctls map[string]*Sysctl
	subnets subnets
	// own are the section's addresses, with the first place of each.
	own    map[netip.Addr]Value[netip.Prefix]
	routes []route
}

// link is a bridge, an end of a cable, or lo.
type link struct {
	section *section
	name    string
	at      span
	// kind is that of [links.Link]; empty for lo.
	kind string
	// iface and bridge are the declarations; an end that another interface makes has neither.
	iface  *Interface
	bridge *Bridge
	// peer is the other end of a cable.
	peer   *link
	master *link
	ports  int
	// claim is where the cable is declared whose far end this is.
	claim span

	mtu       Value[uint32]
	mac       Value[object.MAC]
	addresses []Value[netip.Prefix]
	// segment is the root of the links that frames pass between, once that is computed.
	segment *link
}

// String is how messages name the link.
func (l *link) String() string { return in(l.section.Name, l.name) }

// where names a section in messages.
func (s *section) where() string {
	if s.Name == "" {
		return "on the host"
	}
	return "in namespace " + s.Name
}

func (l *link) mtuOr() uint32 { return l.mtu.Or(object.DefaultMTU) }

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
	*reporter
	t *Topology
	// sections are the host's and those of the namespaces, in the order of the file; byName has the host as "".
	sections []*section
	byName   map[string]*section
}

func newChecker(r *reporter, t *Topology) *checker {
	c := &checker{reporter: r, t: t, byName: map[string]*section{}}
	nodes := []*Node{&t.Host}
	for i := range t.Namespaces {
		nodes = append(nodes, &t.Namespaces[i])
	}
	for _, n := range nodes {
		s := &section{Node: n, links: map[string]*link{}, sysctls: map[string]*Sysctl{}, own: map[netip.Addr]Value[netip.Prefix]{}}
		for i := range n.Sysctls {
			s.sysctls[n.Sysctls[i].Name] = &n.Sysctls[i]
		}
		c.sections = append(c.sections, s)
		c.byName[n.Name] = s
	}
	return c
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
		names = append(names, s.Name)
	}
	slices.Sort(names)
	return names
}
