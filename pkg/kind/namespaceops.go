package kind

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/plumbnet/plumb/pkg/kernel"
	"github.com/plumbnet/plumb/pkg/plan"
)

// NamespaceStamp tells by the stamp on its lo whose a namespace is.
type NamespaceStamp struct {
	Class plan.Class
	Why   string
	Final bool
}

// StampOf reads a namespace's stamp, as seen by a topology on the host with the given cookie.
func StampOf(topology string, cookie uint64, links []LiveLink) NamespaceStamp {
	lo := loopbackOf(links)
	if lo == nil {
		return NamespaceStamp{Class: plan.Foreign, Why: notOurs, Final: true}
	}
	owner, home, marked := ParseNamespaceAlias(lo.Alias)
	switch {
	case marked && owner != topology:
		return NamespaceStamp{Class: plan.Foreign, Why: belongsTo(owner), Final: true}
	case marked && home != cookie:
		return NamespaceStamp{Class: plan.Foreign, Why: "belongs to topology " + owner + " of another host", Final: true}
	case marked && lo.Group == Group(topology):
		return NamespaceStamp{Class: plan.Ours}
	}
	return NamespaceStamp{Class: plan.Foreign, Why: notOurs}
}

// loopbackOf finds lo among the links of a namespace; nil for none.
func loopbackOf(links []LiveLink) *LiveLink {
	i := slices.IndexFunc(links, func(l LiveLink) bool { return l.Type == loopback })
	if i < 0 {
		return nil
	}
	return &links[i]
}

// listNamespaces lists a section's own namespace. With the host's section come those of a wanted name that the run does
// not look into.
func listNamespaces(e *Env, s *Section) (have []plan.Have, err error) {
	if s.NS.Name != "" {
		h, err := e.namespace(s)
		if err != nil || h.Class != plan.Ours && !e.Wanted(h.Object.Key()) {
			return nil, err
		}
		return []plan.Have{h}, nil
	}
	for _, name := range e.Names {
		key := NamespaceKey(name)
		switch {
		case e.Sections[name] != nil:
		case e.Record.Pending(key) && isPlainFile(name):
			have = append(have, plan.Have{Object: Namespace{Name: name, Leftover: true}, Why: "left over from a crash"})
		case e.Foreign[name].Class == plan.Foreign:
			stamp := e.Foreign[name]
			have = append(have, plan.Have{Object: Namespace{Name: name}, Class: plan.Foreign, Final: stamp.Final, Why: stamp.Why})
		case e.Wanted(key):
			have = append(have, plan.Have{Object: Namespace{Name: name}, Class: plan.Foreign, Final: true,
				Why: kernel.NetnsDir + "/" + name + " is there, and is no network namespace: remove it"})
		}
	}
	return have, nil
}

// isPlainFile says whether the name is that of an empty file, as the mount point of a namespace is.
func isPlainFile(name string) bool {
	st, err := os.Lstat(filepath.Join(kernel.NetnsDir, name))
	return err == nil && st.Mode().IsRegular() && st.Size() == 0 && !kernel.IsMounted(name)
}

func (e *Env) namespace(s *Section) (plan.Have, error) {
	stamp := StampOf(e.Topology, e.Cookie, s.Links)
	n := Namespace{Name: s.NS.Name}
	if lo := loopbackOf(s.Links); lo != nil {
		n.LoUp = lo.Up()
		if _, _, marked := ParseNamespaceAlias(lo.Alias); marked && lo.Group == Group(e.Topology) {
			n.Stamp = lo.Alias
		}
	}
	n.Forwarding4, n.Forwarding6 = plan.Some(forwards(s.forwarding4)), plan.Some(forwards(s.forwarding6))
	h := plan.Have{Object: n, Class: stamp.Class, Why: stamp.Why, Final: stamp.Final}
	if e.Wanted(n.Key()) || stamp.Class != plan.Ours {
		return h, nil
	}
	var err error
	h.Note, err = e.goesWith(s)
	return h, err
}

// processes are those of the namespaces that the run looks into; hidden says that there may be more.
type processes struct {
	in     map[kernel.ID][]string
	hidden bool
}

func (e *Env) findProcesses() (p processes, err error) {
	ours := make(map[kernel.ID]bool, len(e.Sections))
	for name, s := range e.Sections {
		if name != "" { // which the host's own can have too
			ours[s.NS.ID()] = true
		}
	}
	p.in, p.hidden, err = kernel.Processes(func(id kernel.ID) bool { return ours[id] })
	return p, err
}

// goesWith tells what goes with a namespace and is not plumb's: links, and what processes have for a network. They live on.
func (e *Env) goesWith(s *Section) (string, error) {
	var words []string
	for i := range s.Links {
		l := &s.Links[i]
		if e.stamp(s, l).class != plan.Ours && l.Type != loopback && !fallback(l) {
			words = append(words, "link "+l.Name)
		}
	}
	processes, err := e.processes()
	if err != nil {
		return "", err
	}
	if processes.hidden {
		s.warn("CAP_SYS_PTRACE is missing: processes that go with a namespace are not all named")
	}
	for _, p := range processes.in[s.NS.ID()] {
		words = append(words, "the network of process "+p)
	}
	if len(words) == 0 {
		return "", nil
	}
	return "takes with it: " + strings.Join(words, ", "), nil
}

// fallback says whether a link is one that tunnel modules put into every namespace: tunl0, gre0, sit0 and their like.
func fallback(l *LiveLink) bool {
	switch l.Name {
	case "tunl0", "gre0", "gretap0", "erspan0", "sit0", "ip6tnl0", "ip6gre0", "ip_vti0", "ip6_vti0":
		return true
	}
	return false
}

// putNamespace makes a namespace, or puts right what a namespace that is there should be.
func putNamespace(e *Env, changes []plan.Change) error {
	for _, c := range changes {
		n, ok := c.New.(Namespace)
		if !ok {
			return wrongType(KindNamespace, c.New)
		}
		err := error(nil)
		if c.Old == nil {
			err = kernel.OnThread(func(t kernel.Thread) error { return e.createNamespace(t, n) })
		} else {
			err = e.updateNamespace(c.Old, n)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (e *Env) createNamespace(t kernel.Thread, n Namespace) error {
	if err := e.prepare(); err != nil {
		return err
	}
	ns, err := kernel.Create(t, n.Name, e.Seam)
	if err != nil {
		return err
	}
	got, err := e.resetConf(ns)
	if err == nil {
		err = e.stampNamespace(ns, n)
	}
	if err == nil {
		err = ns.Bind()
	}
	if err != nil {
		ns.Close()
		return err
	}
	s := NewSection(ns)
	s.Owned, s.plain = true, got.plain
	e.mu.Lock()
	defer e.mu.Unlock()
	e.Sections[n.Name] = s
	return nil
}

// prepare makes /run/netns ready for namespaces, once.
func (e *Env) prepare() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.prepared {
		return nil
	}
	err := kernel.PrepareNetnsDir(e.Seam)
	e.prepared = err == nil
	return err
}

// stampNamespace stamps lo and brings it up, in one message. Without a stamp it takes one away. As every link of ours,
// lo promotes: a primary address of it must not take the others of its subnet with it.
func (e *Env) stampNamespace(ns *kernel.Namespace, n Namespace) error {
	m := linkRequest(unix.RTM_NEWLINK, 0, n.LoUp)
	m.name("lo")
	group := uint32(0)
	if n.Stamp != "" {
		group = Group(e.Topology)
	}
	m.u32(unix.IFLA_GROUP, group)
	m.raw(unix.IFLA_IFALIAS, []byte(n.Stamp))
	m.conf4().AddRtAttr(devconf4Promote, nl.Uint32Attr(bit(n.Stamp != "")))
	return ns.Write("stamp namespace "+n.Name, m.req)
}

func (e *Env) updateNamespace(old plan.Object, n Namespace) error {
	s, err := e.section(n.Name)
	if err != nil {
		return err
	}
	was, ok := old.(Namespace)
	if !ok {
		return wrongType(KindNamespace, old)
	}
	if was.Stamp != n.Stamp || was.LoUp != n.LoUp {
		if err := e.stampNamespace(s.NS, n); err != nil {
			return err
		}
	}
	if n.Forwarding4.Set && n.Forwarding4 != was.Forwarding4 {
		err = errors.Join(err, s.NS.WriteSysctl(SysctlPath(Forwarding4), fmt.Sprint(bit(n.Forwarding4.V))))
	}
	if n.Forwarding6.Set && n.Forwarding6 != was.Forwarding6 {
		err = errors.Join(err, s.NS.WriteSysctl(SysctlPath(Forwarding6), fmt.Sprint(bit(n.Forwarding6.V))))
	}
	return err
}

// delNamespaces takes the names away from the namespaces that were found to have them, and from no others.
func delNamespaces(e *Env, objects []plan.Object) error {
	for _, o := range objects {
		n, ok := o.(Namespace)
		if !ok {
			return wrongType(KindNamespace, o)
		}
		if n.Leftover {
			if err := kernel.Remove(n.Name, e.Seam); err != nil {
				return err
			}
		} else if s := e.Section(n.Name); s != nil { // else it is gone already
			if err := s.NS.Delete(); err != nil {
				return err
			}
			e.letEnd(s.NS)
		}
	}
	return nil
}

// letEnd closes a namespace whose name is gone, which ends it, unless there is room to hold it open until the next look:
// when one ends, the kernel takes the lock for it that other deletions need.
func (e *Env) letEnd(n *kernel.Namespace) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.held < kernel.Room() {
		e.held++
		return
	}
	n.Close()
}
