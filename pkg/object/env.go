package object

import (
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/plumbnet/plumb/pkg/kernel"
	"github.com/plumbnet/plumb/pkg/plan"
)

// Env is what the kinds work on: the open namespaces of one run for one topology, and what it wants.
type Env struct {
	Topology string
	// Cookie is that of the host's own namespace.
	Cookie uint64
	Seam   *kernel.Seam
	Record View
	// Table lists the kinds.
	Table []Kind
	// Sections are the namespaces that the run looks into, by name; the host's own is "". See [Env.Section].
	Sections map[string]*Section
	// Names are what is in /run/netns.
	Names []string
	// Foreign are the stamps of namespaces of a wanted name, or that a section is attached to, which the run does not look
	// into.
	Foreign map[string]NamespaceStamp
	// Adopt says that declared objects without a stamp shall be taken over.
	Adopt bool
	// Workers is how many threads may be at work at once; see [kernel.Waiters] for those that wait.
	Workers int
	// Copies tells why links with a copied stamp are left alone. A run keeps it: when ours is gone, a copy is still none
	// of ours.
	Copies map[LinkAt]string
	// Returned are the keys of what is wanted only because it was there before the topology.
	Returned map[plan.Key]bool
	// Undoing says that the run goes back to what it found, and Beside is what it has written meanwhile.
	Undoing bool
	Beside  *Beside
	// Warn is called with what a person should know and no plan can mend.
	Warn func(string)

	*wants
	Store
	// mu guards Sections while steps are taken in several sections at once.
	mu sync.Mutex
}

// Section finds an open namespace, while others may be made.
func (e *Env) Section(ns string) (*Section, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	s := e.Sections[ns]
	if s == nil {
		return nil, fmt.Errorf("namespace %s is not there", ns)
	}
	return s, nil
}

// Made makes a new namespace's section known.
func (e *Env) Made(s *Section) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.Sections[s.NS.Name] = s
}

// Owns says whether a section is a namespace of the topology's, be it yet to be made: not the host, and not attached.
func (e *Env) Owns(ns string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	s := e.Sections[ns]
	return ns != "" && (s == nil || s.Attached == nil)
}

// Of gives the row of the kind that a key names.
func (e *Env) Of(k plan.Key) *Kind {
	return &e.Table[slices.IndexFunc(e.Table, func(row Kind) bool { return row.Name == k.Kind })]
}

// LinkOf finds the section and the index of a link.
func (e *Env) LinkOf(ns, dev string) (*Section, int, error) {
	s, err := e.Section(ns)
	if err != nil {
		return nil, 0, err
	}
	index, err := s.Index(dev)
	return s, index, err
}

// errGoing is about links that the file names, and does not declare.
var errGoing = errors.New("is removed by this very run, as the file does not declare it any longer: declare it")

// Undeclared finds a link that the topology names and does not make: one that is there, and stays.
func (e *Env) Undeclared(s *Section, name string) (*LiveLink, error) {
	l := s.At(s.Known(name))
	switch {
	case l == nil:
		return nil, fmt.Errorf("is not %s, and the file does not declare it: make it first, or declare it", s.Where())
	case e.Goes(s, l):
		return nil, errGoing
	}
	return l, nil
}

// Goes says whether a link will not be there under its name any more: it is ours and not wanted, or made on such a one.
func (e *Env) Goes(s *Section, l *LiveLink) bool {
	if l.Class == plan.Ours {
		return !e.Wanted(LinkKey(s.NS.Name, l.Name)) || l.Known != l.Name
	}
	below := s.At(l.Lower)
	return below != nil && l.LowerNSID < 0 && below.Lower != l.Index && e.Goes(s, below)
}

// Join looks for what only all sections together tell: which links bear the same stamp, whose each link is, and what
// the rows of the table look for. The sections can be listed then, beside each other.
func (e *Env) Join() error {
	e.findCopies()
	for _, s := range e.Sections {
		s.byKey = make(map[string]*LiveLink, len(s.Links))
		for i := range s.Links {
			l := &s.Links[i]
			l.Mark = e.MarkOf(s, l)
			there := l.Class != plan.Loose || e.Given(LinkKey(s.NS.Name, l.Known))
			if there && !l.Collides && s.byKey[l.Known] == nil {
				s.byKey[l.Known] = l
			}
		}
	}
	for _, k := range e.Table {
		if k.Join != nil {
			if err := k.Join(e); err != nil {
				return err
			}
		}
	}
	return nil
}

// List lists the live objects of a section that are ours, or stand at a wanted key. Links come first: the others are
// known by the names of theirs.
func (e *Env) List(s *Section) (have []plan.Have, err error) {
	s.Warnings = nil
	if err := e.fetch(s, s.NS.Inside); err != nil {
		return nil, fmt.Errorf("read namespace %q: %w", s.NS.Name, err)
	}
	for _, k := range e.Table {
		list, err := k.Owner(e, s, k.Read(e, s))
		if err != nil {
			return nil, fmt.Errorf("read namespace %q: %w", s.NS.Name, err)
		}
		have = append(have, list...)
	}
	return have, nil
}
