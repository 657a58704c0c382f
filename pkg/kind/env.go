package kind

import (
	"fmt"
	"slices"
	"sync"

	"github.com/plumbnet/plumb/pkg/kernel"
	"github.com/plumbnet/plumb/pkg/plan"
)

// Env is what the kinds work on: the open namespaces of one run for one topology.
type Env struct {
	Topology string
	// Table lists the kinds in the order of creation.
	Table []Kind
	// Cookie is that of the host's own namespace.
	Cookie uint64
	Seam   *kernel.Seam
	Record Record
	// Sections are the namespaces that the run looks into, by name; the host's own is "". See [Env.Section].
	Sections map[string]*Section
	// Names are what is in /run/netns.
	Names []string
	// Foreign are the stamps of namespaces of a wanted name that the run does not look into.
	Foreign map[string]NamespaceStamp
	// Adopt says that declared objects without a stamp shall be taken over.
	Adopt bool
	// Workers is how many threads may be at work at once; see [kernel.Waiters] for those that wait.
	Workers int
	// Copies tells why links with a copied stamp are left alone. A run keeps it: when ours is gone, a copy is still none of
	// ours.
	Copies map[Place]string
	// Warn is called with what a person should know and no plan can mend.
	Warn func(string)

	*wants
	// mu guards Sections, inherited and prepared while steps are taken in several sections at once.
	mu        sync.Mutex
	inherited func() (inheritance, error) // see resetConf
	prepared  bool                        // /run/netns is ready for namespaces
	held      int                         // namespaces whose names are gone, and that are still open

	processes func() (processes, error)
	farEnds   map[*LiveLink]*Section // where the other ends of cables are
}

// section and kind of objects. A namespace is in its own.
type section struct{ ns, kind string }

// wanted are the objects of a section and kind that the topology wants.
type wanted struct{ objects []plan.Object }

// wants are the objects that the topology wants, in the ways in which they are looked for.
type wants struct {
	objects  []plan.Object
	want     map[plan.Key]plan.Object
	wantIn   map[section]wanted
	wantIPv6 map[plan.Key]bool // links that shall have IPv6 addresses
}

// SetWant says what the topology wants. Before is the environment of the look before this one, nil for none: mostly the same is wanted.
func (e *Env) SetWant(want []plan.Object, before *Env) {
	if before != nil && len(want) > 0 && len(want) == len(before.objects) && &want[0] == &before.objects[0] {
		e.wants = before.wants
		return
	}
	e.wants = &wants{
		objects: want, want: make(map[plan.Key]plan.Object, len(want)), wantIn: make(map[section]wanted),
		wantIPv6: make(map[plan.Key]bool),
	}
	first, last := 0, section{}
	for i, o := range want {
		k := o.Key()
		e.want[k] = o
		in := section{k.NS, k.Kind}
		if k.Kind == KindNamespace {
			in.ns = k.Name
		}
		if in != last {
			e.wantHere(last, wanted{want[first:i]})
			first, last = i, in
		}
		if a, ok := o.(Address); ok && a.Prefix.Addr().Is6() {
			e.wantIPv6[LinkKey(a.NS, a.Dev)] = true
		}
	}
	e.wantHere(last, wanted{want[first:]})
}

// wantHere notes a run of what is wanted. Mostly it is all of its section and kind.
func (w *wants) wantHere(in section, run wanted) {
	if len(run.objects) == 0 {
		return
	}
	if before, ok := w.wantIn[in]; ok {
		run = wanted{slices.Concat(before.objects, run.objects)}
	}
	w.wantIn[in] = run
}

// Compare looks for what only all sections together tell: which links bear the same stamp, and where cables end. The sections
// can be listed then, those of namespaces beside each other. Before is the environment of the look before this one, nil for none,
// for what it has found out about sections that both share.
func (e *Env) Compare(before *Env) error {
	e.findCopies()
	e.processes = sync.OnceValues(e.findProcesses)
	return e.findCables(before)
}

// Record is what the kinds ask of the host record: what the kernel has no room for.
type Record interface {
	// Pending says that a run that has not ended made, or was about to make, the object.
	Pending(k plan.Key) bool
	// Holds says that an object of the host which can't carry a stamp is the topology's.
	Holds(k plan.Key) bool
	// HeldByOther says that it is another topology's.
	HeldByOther(k plan.Key) bool
	// Sysctl tells what is known about a sysctl that some topology wants.
	Sysctl(k plan.Key) (Claim, bool)
	// Sysctls lists the sysctls of a section that the topology has claimed.
	Sysctls(ns string) []plan.Key
}

// Claim is who wants what of a sysctl, and what it was.
type Claim struct {
	// Original is the value before the first topology wrote it; empty when it stands on a link of ours, which takes its
	// value from the section's default.
	Original string `json:"original"`
	// Wants maps topologies to the values that they want.
	Wants map[string]string `json:"wants"`
	// Beside holds, by path, what a global switch writes beside itself.
	Beside map[string]string `json:"beside,omitempty"`
}

// Section is a namespace as it was found, and its indexes, which are looked up at the last moment.
type Section struct {
	NS *kernel.Namespace
	// Owned says that the namespace is the topology's, or is about to be adopted, and so what is declared in it.
	Owned bool
	// Ending says that the namespace is about to be removed: nothing but its links was read.
	Ending bool
	Links  []LiveLink
	// Warnings are what listing the section has to tell beside its objects.
	Warnings []string

	addresses                []LiveAddress
	routes                   [][]byte // messages of RTM_NEWROUTE
	sysctls                  values
	forwarding4, forwarding6 string              // the global switches, empty where there is none
	untouched                bool                // nobody has ever written an nftables rule
	noNFT                    error               // why that is not known
	hostNSID                 int                 // see number
	nsids                    map[kernel.ID]int   // of others
	uppers                   map[int][]*LiveLink // see stackedOn

	down []Link // bridges that wait for their ports, see finishLinks

	// plain says of a new namespace that a link which is made in it has of IPv6 what the kernel gives by default.
	plain bool

	byIndex map[int]*LiveLink
	index   map[string]int
	// byKey finds the links that are ours or wanted by the name in their key.
	byKey map[string]*LiveLink
}

// NewSection is a section that nothing is known of yet.
func NewSection(n *kernel.Namespace) *Section {
	return &Section{NS: n, index: make(map[string]int), nsids: make(map[kernel.ID]int)}
}

// ReadLinks lists the links of a section anew, and asks whether it forwards, and by which numbers it knows the host and the namespaces
// that the topology wants its cables to lead to.
func (e *Env) ReadLinks(s *Section, host *kernel.Namespace) error {
	fd, err := host.FD()
	if err != nil {
		return err
	}
	peers := e.openPeers(s.NS.Name)
	defer closeFiles(peers)
	queries := append(slices.Clip(forwardingQueries), nsidQuery(fd))
	for _, p := range peers {
		queries = append(queries, nsidQuery(p.FD))
	}
	queries = append(queries, linksQuery)
	var refused error // of one of the questions
	err = s.NS.ReadAll(queries, func(replies []kernel.Reply) error {
		refused = s.linked(peers, replies)
		return nil
	})
	if err != nil {
		return fmt.Errorf("list links: %w", err)
	}
	return refused
}

// linked takes the answers to what [Env.ReadLinks] asks.
func (s *Section) linked(peers []kernel.File, replies []kernel.Reply) (err error) {
	last := len(replies) - 1
	if err := replies[last].Err; err != nil {
		return fmt.Errorf("list links: %w", err)
	}
	if s.forwarding4, err = forwarding(replies[0]); err != nil {
		return err
	}
	if s.forwarding6, err = forwarding(replies[1]); err != nil {
		return err
	}
	if s.hostNSID, err = nsid(replies[2]); err != nil {
		return err
	}
	if err := s.numbered(peers, replies[3:last]); err != nil {
		return err
	}
	s.found(parseLinks(replies[last].Answers))
	return nil
}

// found takes the links that the section has.
func (s *Section) found(links []LiveLink) {
	s.Links, s.uppers = links, nil
	s.byIndex = make(map[int]*LiveLink, len(s.Links))
	s.index = make(map[string]int, len(s.Links))
	s.byKey = make(map[string]*LiveLink, len(s.Links))
	for i := range s.Links {
		l := &s.Links[i]
		s.byIndex[l.Index], s.index[l.Name] = l, l.Index
	}
}

// Read reads what else the kinds ask of a section: one dump for each. It can run beside that of others.
func (s *Section) Read() (err error) {
	if s.addresses, err = listLiveAddresses(s.NS); err != nil {
		return err
	}
	if s.routes, err = dumpRoutes(s.NS); err != nil {
		return err
	}
	s.untouched, s.noNFT = s.NS.NFTUntouched()
	return nil
}

func (s *Section) warn(format string, values ...any) {
	s.Warnings = append(s.Warnings, fmt.Sprintf(format, values...))
}

// Index finds the index of a link by its name, asking the kernel when the link is new.
func (s *Section) Index(name string) (int, error) {
	if i, ok := s.index[name]; ok {
		return i, nil
	}
	l, err := FindLink(s.NS, name)
	if err != nil {
		return 0, err
	}
	s.index[name] = l.Index
	return l.Index, nil
}

// Section finds an open namespace, nil for none, while others may be made.
func (e *Env) Section(ns string) *Section {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.Sections[ns]
}

// section is Section with an error for none.
func (e *Env) section(ns string) (*Section, error) {
	s := e.Section(ns)
	if s == nil {
		return nil, fmt.Errorf("namespace %s is not there", ns)
	}
	return s, nil
}

// Wanted says whether the topology declares an object.
func (e *Env) Wanted(k plan.Key) bool { return e.want[k] != nil }

// Has says whether the section had a link of that name when it was read.
func (s *Section) Has(name string) bool { return s.index[name] != 0 }

// LinkName is the name of a link by its index, empty when there was none.
func (s *Section) LinkName(index int) string {
	if l := s.byIndex[index]; l != nil {
		return l.Name
	}
	return ""
}
