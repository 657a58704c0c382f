package object

import (
	"errors"
	"fmt"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/plumbnet/plumb/pkg/kernel"
)

// Section is a namespace as it was found, and its indexes, which are looked up at the last moment.
type Section struct {
	NS *kernel.Namespace
	// Owned says that the namespace is the topology's, or is about to be adopted, and so what is declared in it.
	Owned bool
	// Attached is set for a namespace of somebody else's.
	Attached *Attachment
	// Ending says that the namespace is about to be removed, and was not read for what ends with it.
	Ending bool
	// AlsoNamed are further names of the namespace, which are nobody's to remove.
	AlsoNamed []string
	Links     []LiveLink
	// Warnings are what listing the section has to tell beside its objects.
	Warnings []string
	// Plain says of a new namespace that a link which is made in it has of IPv6 what the kernel gives by default.
	Plain bool
	Store

	dumps     map[*Dump]dumped
	addresses []LiveAddress

	byIndex map[int]*LiveLink
	index   map[string]int
	// byKey finds the links that are ours or wanted by the name in their key.
	byKey map[string]*LiveLink
}

// NewSection is a section that nothing is known of yet.
func NewSection(n *kernel.Namespace) *Section {
	return &Section{NS: n, index: make(map[string]int)}
}

// Stamped is the name of the section in the stamps of links. That of a namespace that the topology is attached to no
// longer may be another's by now, in the run.
func (s *Section) Stamped() string {
	if s.Attached != nil {
		return s.Attached.Name
	}
	return s.NS.Name
}

// Where names the section in messages.
func (s *Section) Where() string {
	if s.NS.Name == "" {
		return "on the host"
	}
	return "in namespace " + s.NS.Name
}

// Question is a request with a short answer.
type Question struct {
	kernel.Query
	// Answer is called with what the kernel answers, or refuses.
	Answer func(kernel.Reply) error
}

// ReadLinks lists the links of a section anew, and in the same go asks what the kinds ask first.
func (e *Env) ReadLinks(s *Section, host *kernel.Namespace) error {
	s.values = nil // what the kinds kept
	var questions []Question
	for _, k := range e.Table {
		if k.First == nil {
			continue
		}
		list, done, err := k.First(e, s, host)
		if err != nil {
			return err
		}
		defer done()
		questions = append(questions, list...)
	}
	var queries []kernel.Query
	for _, q := range questions {
		queries = append(queries, q.Query)
	}
	var refused error // of one of the questions
	err := s.NS.ReadAll(append(queries, linksQuery), func(replies []kernel.Reply) error {
		refused = s.answered(questions, replies)
		return nil
	})
	if err != nil {
		return fmt.Errorf("list links: %w", err)
	}
	return refused
}

// answered takes the answers to questions, and the links after them.
func (s *Section) answered(questions []Question, replies []kernel.Reply) error {
	links := replies[len(questions)]
	if links.Err != nil {
		return fmt.Errorf("list links: %w", links.Err)
	}
	for i, q := range questions {
		if err := q.Answer(replies[i]); err != nil {
			return err
		}
	}
	s.found(parseLinks(links.Answers))
	return nil
}

// found takes the links that the section has.
func (s *Section) found(links []LiveLink) {
	s.Links = links
	s.byIndex = make(map[int]*LiveLink, len(s.Links))
	s.index = make(map[string]int, len(s.Links))
	for i := range s.Links {
		l := &s.Links[i]
		s.byIndex[l.Index], s.index[l.Name] = l, l.Index
	}
}

// ReadWhole reads what else the kinds ask of a section. It can run beside that of others. The calling thread is in the
// namespace.
func (e *Env) ReadWhole(s *Section) error {
	s.dumps, s.addresses = make(map[*Dump]dumped), nil
	for _, k := range e.Table {
		if k.Ask != nil {
			for _, d := range k.Ask(e, s) {
				if err := s.dump(d); err != nil {
					return err
				}
			}
		}
	}
	return e.fetch(s, func(f func() error) error { return f() })
}

func (e *Env) fetch(s *Section, enter func(func() error) error) error {
	for _, k := range e.Table {
		if k.Fetch == nil || s.Ending {
			continue
		}
		if err := k.Fetch(e, s, enter); err != nil {
			return err
		}
	}
	return nil
}

// Warnf notes a warning.
func (s *Section) Warnf(format string, values ...any) {
	s.Warnings = append(s.Warnings, fmt.Sprintf(format, values...))
}

// Index finds the index of a link by the name in its key, asking the kernel when the link is new. One that has another
// name now is found by its stamp.
func (s *Section) Index(name string) (int, error) {
	if l := s.byKey[name]; l != nil && l.Name != name {
		return l.Index, nil
	}
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

// Known is the index of a link as far as it is known; 0 is none.
func (s *Section) Known(name string) int { return s.index[name] }

// Knows notes the index of a link; 0 forgets it.
func (s *Section) Knows(name string, index int) {
	if delete(s.index, name); index != 0 {
		s.index[name] = index
	}
}

// Made notes that a link was made.
func (s *Section) Made(name string, index int) {
	delete(s.byKey, name) // which had another index
	s.Knows(name, index)
}

// Rekey has a link known by another name.
func (s *Section) Rekey(l *LiveLink, name string) {
	delete(s.byKey, l.Known)
	l.Known, s.byKey[name] = name, l
}

// Link finds a live link by the name in its key, which is that of its stamp, nil for none.
func (s *Section) Link(name string) *LiveLink { return s.byKey[name] }

// ByKey are the links that are ours or wanted, by the name in their key.
func (s *Section) ByKey() map[string]*LiveLink { return s.byKey }

// At finds a live link by its index, nil for none.
func (s *Section) At(index int) *LiveLink { return s.byIndex[index] }

// LinkName is the name of a link by its index, empty when there was none.
func (s *Section) LinkName(index int) string {
	if l := s.byIndex[index]; l != nil {
		return l.Name
	}
	return ""
}

// Dump is a listing of what the kernel has of IPv4, and then of IPv6, or of two families like them. A dump of all
// families at once would wait for the lock that links are changed under; of one family, since Linux 6.10, it does not.
type Dump struct {
	what     string
	families [2]kernel.Query
	keep     func(msg []byte) bool
}

// NewDump makes a dump: what names it in errors, request and answer are types of messages, head makes the request's
// fixed head, and keep says which answers are of interest; nil is all.
func NewDump(
	what string, request int, answer uint16, head func(family int) nl.NetlinkRequestData, keep func([]byte) bool,
) *Dump {
	d := &Dump{what: what, keep: keep}
	for i, family := range []int{unix.AF_INET, unix.AF_INET6} {
		m := kernel.NewMessage(request, unix.NLM_F_DUMP, head(family))
		d.families[i] = kernel.NewQuery(m.NetlinkRequest, answer)
	}
	return d
}

// dumped is what came of a dump.
type dumped struct {
	list  [][]byte
	lacks [2]bool // families that the kernel does not have
}

// Read makes the dump in a namespace. The messages are the caller's.
func (d *Dump) Read(n *kernel.Namespace) ([][]byte, error) {
	got, err := d.read(n)
	return got.list, err
}

func (d *Dump) read(n *kernel.Namespace) (got dumped, err error) {
	for i, q := range d.families {
		err := n.Read(q, func(msgs [][]byte) { got.list = append(got.list, d.copied(msgs)...) })
		if got.lacks[i] = errors.Is(err, unix.EAFNOSUPPORT); err != nil && !got.lacks[i] {
			return dumped{}, fmt.Errorf("list %s: %w", d.what, err)
		}
	}
	return got, nil
}

// copied keeps messages that are only lent, in one piece: a host may have a million routes.
func (d *Dump) copied(msgs [][]byte) (kept [][]byte) {
	size := 0
	for _, m := range msgs {
		if d.keep == nil || d.keep(m) {
			kept, size = append(kept, m), size+len(m)
		}
	}
	room := make([]byte, 0, size)
	for i, m := range kept {
		at := len(room)
		room = append(room, m...)
		kept[i] = room[at:len(room):len(room)]
	}
	return kept
}

// Fetch makes dumps that were not asked for yet.
func (s *Section) Fetch(dumps ...*Dump) error {
	if s.dumps == nil {
		s.dumps = make(map[*Dump]dumped)
	}
	var errs []error
	for _, d := range dumps {
		errs = append(errs, s.dump(d))
	}
	return errors.Join(errs...)
}

func (s *Section) dump(d *Dump) (err error) {
	if _, asked := s.dumps[d]; !asked {
		s.dumps[d], err = d.read(s.NS)
	}
	return err
}

// Messages are what a dump had that was asked for; none of one that was not.
func (s *Section) Messages(d *Dump) [][]byte { return s.dumps[d].list }

// Lacks says whether a dump was asked for and the kernel does not have its first or second family.
func (s *Section) Lacks(d *Dump, second bool) bool {
	if second {
		return s.dumps[d].lacks[1]
	}
	return s.dumps[d].lacks[0]
}
