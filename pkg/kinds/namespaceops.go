package kinds

import (
	"errors"
	"fmt"
	"iter"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/plumbnet/plumb/pkg/kernel"
	"github.com/plumbnet/plumb/pkg/object"
	"github.com/plumbnet/plumb/pkg/plan"
)

// readNamespaces streams a section's own namespace. With the host's section come names that no section has.
func readNamespaces(e *object.Env, s *object.Section) iter.Seq[object.Live] {
	return func(yield func(object.Live) bool) {
		switch {
		case s.Attached != nil:
			yield(object.Live{Object: Namespace{Name: s.NS.Name, Attach: s.Attached.From}})
			return
		case s.NS.Name != "":
			yield(object.Live{Object: liveNamespace(e, s)})
			return
		}
		for _, name := range namesOf(e) {
			if e.Sections[name] != nil {
				continue
			}
			k := object.NamespaceKey(name)
			leftover := (e.Record.Pending(k) || e.Record.Holds(k)) && isPlainFile(name)
			if !yield(object.Live{Object: Namespace{Name: name, Leftover: leftover}}) {
				return
			}
		}
	}
}

// namesOf are those in /run/netns, and of sections that are refused.
func namesOf(e *object.Env) []string {
	names := slices.AppendSeq(slices.Clone(e.Names), maps.Keys(e.Foreign))
	slices.Sort(names)
	return slices.Compact(names)
}

func liveNamespace(e *object.Env, s *object.Section) Namespace {
	n := Namespace{Name: s.NS.Name, Dynamic: e.Dynamic(object.LinkKey(s.NS.Name, object.Lo))}
	if lo := object.LoopbackOf(s.Links); lo != nil {
		n.LoUp = lo.Up()
		if _, _, marked := object.ParseNamespaceAlias(lo.Alias); marked && lo.Group == object.Group(e.Topology) {
			n.Stamp = lo.Alias
		}
		found := Loopback{lo.Group, lo.Alias, lo.Promote, !n.LoUp && !hasLoopback4(s, lo.Index), lo.Idle}
		if n.Stamp == "" || !lo.Promote || found.Fresh || found.Idle {
			n.Lo = plan.Some(found)
		}
	}
	switches := object.In[switches](s)
	n.Forwarding4, n.Forwarding6 = plan.Some(object.IsOn(switches.four)), plan.Some(object.IsOn(switches.six))
	return n
}

// hasLoopback4 says whether lo has 127.0.0.1, which the kernel gives it when it first comes up.
func hasLoopback4(s *object.Section, lo int) bool {
	return slices.ContainsFunc(s.Addresses(), func(a object.LiveAddress) bool {
		return a.Index == lo && a.Prefix == loopback4
	})
}

// stampedNamespaces is the [object.Owner] of namespaces.
func stampedNamespaces(e *object.Env, s *object.Section, live iter.Seq[object.Live]) (have []plan.Have, err error) {
	for l := range live {
		n, ok := l.Object.(Namespace)
		if !ok {
			return nil, object.WrongType(object.KindNamespace, l.Object)
		}
		h, ok := stampedNamespace(e, s, n)
		if !ok {
			continue
		}
		switch {
		case h.Class == plan.Ours && !n.Leftover && !e.Wanted(n.Key()):
			h.Note, err = goesWith(e, s)
		case h.Class == plan.Foreign && !h.Final && e.Adopt && !e.Undoing && s.NS.Name != "":
			h.Why, h.Final, err = livedIn(e, s, h.Why)
		}
		if err != nil {
			return nil, err
		}
		have = append(have, h)
	}
	return have, nil
}

// stampedNamespace tells whose a namespace is; ok is false for one that no topology has to do with.
func stampedNamespace(e *object.Env, s *object.Section, n Namespace) (h plan.Have, ok bool) {
	k, stamp := n.Key(), e.Foreign[n.Name]
	h = plan.Have{Object: n}
	switch {
	case s.Attached != nil:
		return h, e.Wanted(k) // it is somebody else's, and stays as it is
	case s.NS.Name != "":
		stamp = object.StampOf(e.Topology, e.Cookie, s.Links)
		h.Class, h.Why, h.Final = stamp.Class, stamp.Why, stamp.Final
		return h, h.Class == plan.Ours || e.Wanted(k)
	case n.Leftover:
		h.Why = "the file of a namespace that is gone"
	case stamp.Class == plan.Foreign:
		h.Class, h.Final, h.Why = plan.Foreign, stamp.Final, stamp.Why
	default:
		h.Class, h.Final = plan.Foreign, true
		h.Why = kernel.NetnsDir + "/" + n.Name + " is there, and is no network namespace: remove it"
		return h, e.Wanted(k)
	}
	return h, true
}

// isPlainFile says whether the name is that of an empty file, as the mount point of a namespace is.
func isPlainFile(name string) bool {
	st, err := os.Lstat(filepath.Join(kernel.NetnsDir, name))
	return err == nil && st.Mode().IsRegular() && st.Size() == 0 && !kernel.IsMounted(name)
}

// namespaces is what a run keeps of namespaces.
type namespaces struct {
	mu        sync.Mutex
	prepared  bool                        // /run/netns is ready for them
	inherited func() (inheritance, error) // see resetConf
	held      int                         // those whose names are gone, and that are still open
	processes func() (processes, error)
}

// putNamespace makes a namespace, or puts right what a namespace that is there should be.
func putNamespace(e *object.Env, changes []plan.Change) error {
	for _, c := range changes {
		n, ok := c.New.(Namespace)
		if !ok {
			return object.WrongType(object.KindNamespace, c.New)
		}
		err := error(nil)
		if c.Old == nil {
			err = kernel.OnThread(func(t kernel.Thread) error { return createNamespace(e, t, n) })
		} else {
			err = updateNamespace(e, c.Old, n)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func createNamespace(e *object.Env, t kernel.Thread, n Namespace) error {
	if err := prepare(e); err != nil {
		return err
	}
	ns, err := kernel.Create(t, n.Name, e.Seam)
	if err != nil {
		return err
	}
	got, err := resetConf(e, ns)
	if err == nil {
		err = stampNamespace(e, ns, n)
	}
	if err == nil {
		err = ns.Bind()
	}
	if err != nil {
		ns.Close()
		return err
	}
	s := object.NewSection(ns)
	s.Owned, s.Plain = true, got.plain
	e.Made(s)
	return nil
}

// prepare makes /run/netns ready for namespaces, once.
func prepare(e *object.Env) error {
	all := object.In[namespaces](e)
	all.mu.Lock()
	defer all.mu.Unlock()
	if all.prepared {
		return nil
	}
	err := kernel.PrepareNetnsDir(e.Seam)
	all.prepared = err == nil
	return err
}

// stampNamespace stamps lo and brings it up, in one message, or makes it what a rollback wants. As every link of ours,
// lo promotes: a primary address of it must not take the others of its subnet with it.
func stampNamespace(e *object.Env, ns *kernel.Namespace, n Namespace) error {
	info := nl.NewIfInfomsg(unix.AF_UNSPEC)
	info.Flags, info.Change = kernel.Bit(n.LoUp), unix.IFF_UP
	m := kernel.NewMessage(unix.RTM_NEWLINK, 0, info)
	m.Text(unix.IFLA_IFNAME, object.Lo)
	lo := n.Lo.V
	if !n.Lo.Set {
		lo = Loopback{Group: object.Group(e.Topology), Alias: n.Stamp, Promote: true}
	}
	m.U32(unix.IFLA_GROUP, lo.Group)
	m.Add(unix.IFLA_IFALIAS, []byte(lo.Alias))
	object.Conf4(m).AddRtAttr(object.Devconf4Promote, nl.Uint32Attr(kernel.Bit(lo.Promote)))
	if err := ns.Write("stamp namespace "+n.Name, m.NetlinkRequest); err != nil || !lo.Fresh {
		return err
	}
	return makeFresh(ns, lo)
}

// makeFresh makes a lo that is down what it was before it was first up.
func makeFresh(ns *kernel.Namespace, lo Loopback) error {
	live, err := object.FindLink(ns, object.Lo)
	if err != nil {
		return err
	}
	a := object.LiveAddress{Index: live.Index, Prefix: loopback4, Scope: scopeHost}
	if err := object.IgnoreGone(a.Write(ns, "delete", unix.RTM_DELADDR, 0, ns.Name+"/lo")); err != nil || !lo.Idle {
		return err
	}
	return object.MakeIdle(ns, live.Index, ns.Name+"/lo")
}

func updateNamespace(e *object.Env, old plan.Object, n Namespace) error {
	s, err := e.Section(n.Name)
	if err != nil {
		return err
	}
	was, ok := old.(Namespace)
	if !ok {
		return object.WrongType(object.KindNamespace, old)
	}
	if was.Stamp != n.Stamp || was.LoUp != n.LoUp || n.Lo.Set && was.Lo != n.Lo {
		if err := stampNamespace(e, s.NS, n); err != nil {
			return err
		}
	}
	if n.Forwarding4.Set && n.Forwarding4 != was.Forwarding4 {
		err = errors.Join(err, writeSwitch(e, s, object.Forwarding4, n.Forwarding4.V))
	}
	if n.Forwarding6.Set && n.Forwarding6 != was.Forwarding6 {
		err = errors.Join(err, writeSwitch(e, s, object.Forwarding6, n.Forwarding6.V))
	}
	return err
}

func writeSwitch(e *object.Env, s *object.Section, name string, on bool) error {
	return writeBeside(e, s, name, func() error {
		return s.NS.WriteSysctl(object.SysctlPath(name), fmt.Sprint(kernel.Bit(on)))
	})
}

// delNamespaces takes the names away from the namespaces that were found to have them, and from no others.
func delNamespaces(e *object.Env, objects []plan.Object) error {
	for _, o := range objects {
		n, ok := o.(Namespace)
		if !ok {
			return object.WrongType(object.KindNamespace, o)
		}
		if n.Leftover {
			if err := kernel.Remove(n.Name, e.Seam); err != nil {
				return err
			}
		} else if s, err := e.Section(n.Name); err == nil { // else it is gone already
			if err := leave(e, s); err != nil {
				return err
			}
			if err := s.NS.Delete(); err != nil {
				return err
			}
			letEnd(e, s.NS)
		}
	}
	return nil
}

// leave takes what is plumb's out of a namespace that lives on by another name: the stamp, and what does not go with
// plumb's links.
func leave(e *object.Env, s *object.Section) error {
	if len(s.AlsoNamed) == 0 {
		return nil
	}
	lo, err := object.FindLink(s.NS, object.Lo)
	if err != nil {
		return err
	}
	n := Namespace{Name: s.NS.Name, LoUp: lo.Up(), Lo: plan.Some(Loopback{})}
	return errors.Join(dropMarked(s), s.NS.WriteNFTImage(NATTable(e.Topology), ""), stampNamespace(e, s.NS, n))
}

// dropMarked deletes the routes and the addresses of a namespace that bear plumb's number.
func dropMarked(s *object.Section) error {
	routes, err := object.RouteDump.Read(s.NS)
	if err != nil {
		return err
	}
	for _, b := range routes {
		m := nl.DeserializeRtMsg(b)
		if m.Protocol != object.Protocol {
			continue
		}
		req := object.Resend(unix.RTM_DELROUTE, 0, m, b[m.Len():], unix.RTA_CACHEINFO)
		if err := object.IgnoreGone(s.NS.Write("delete a route", req.NetlinkRequest)); err != nil {
			return err
		}
	}
	addresses, err := object.ListAddresses(s.NS)
	if err != nil {
		return err
	}
	for _, a := range addresses {
		if a.Proto != object.Protocol {
			continue
		}
		if err := object.IgnoreGone(a.Write(s.NS, "delete", unix.RTM_DELADDR, 0, s.NS.Name)); err != nil {
			return err
		}
	}
	return nil
}

// letEnd closes a namespace whose name is gone, which ends it, unless there is room to hold it open until the next
// look: when one ends, the kernel takes the lock for it that other deletions need.
func letEnd(e *object.Env, n *kernel.Namespace) {
	all := object.In[namespaces](e)
	all.mu.Lock()
	defer all.mu.Unlock()
	if all.held < kernel.Room() {
		all.held++
		return
	}
	n.Close()
}

// undoNamespace wants back what a rollback can bring back: not what a crash has left.
func undoNamespace(h plan.Have) (plan.Object, bool) {
	n, ok := h.Object.(Namespace)
	return h.Object, !ok || !n.Leftover
}
