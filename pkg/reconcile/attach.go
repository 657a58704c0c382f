package reconcile

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"

	"github.com/plumbnet/plumb/pkg/engine"
	"github.com/plumbnet/plumb/pkg/kernel"
	"github.com/plumbnet/plumb/pkg/kinds"
	"github.com/plumbnet/plumb/pkg/object"
	"github.com/plumbnet/plumb/pkg/plan"
)

// stillMade is why a section can't be attached whose name a namespace has that plumb has made.
const stillMade = "is a namespace that plumb has made for this topology: name another, or destroy the topology first"

// attaches says whether the topology wants a section to be a namespace of somebody else's.
func (r *run) attaches(name string) bool {
	n, _ := r.env.Want(object.NamespaceKey(name)).(kinds.Namespace)
	return n.Attach != ""
}

// attached are the namespaces of others that the run looks into, by the names of their sections: those that keep says,
// nil for all.
func (r *run) attached(keep func(plan.Key) bool) (list []object.Attachment) {
	for _, name := range slices.Sorted(maps.Keys(r.env.Sections)) {
		s := r.env.Sections[name]
		if s.Attached != nil && (keep == nil || keep(object.NamespaceKey(name))) {
			list = append(list, *s.Attached)
		}
	}
	return list
}

// addAttached opens and reads the namespaces of others that the topology's sections are attached to, or were. Owned are
// the host's section and those of the topology's own.
func (r *run) addAttached(owned []*object.Section, before map[string]*object.Section, touched sections) error {
	list, err := r.openAttached(owned, before)
	places := make([]object.Attachment, len(list))
	for i, s := range list {
		r.env.Sections[s.NS.Name] = s
		places[i] = *s.Attached
		places[i].Name = s.NS.Name
	}
	r.record.SetPlaces(places)
	if err != nil {
		return err
	}
	return kernel.Each(r.Workers, len(list), func(t kernel.Thread, i int) error {
		s := list[i]
		if before[s.NS.Name] == s && !touched.has(s.NS.Name) {
			return nil
		}
		if err := s.NS.Enter(t); err != nil {
			return err
		}
		return errors.Join(r.env.ReadLinks(s, owned[0].NS), r.env.ReadWhole(s))
	})
}

// openAttached opens those namespaces. Those of before are kept where they are still the same. A rollback goes back to
// where the run has been, be it what the file names no more.
func (r *run) openAttached(owned []*object.Section, before map[string]*object.Section) (
	list []*object.Section, err error,
) {
	var had []*object.Section
	for _, s := range before {
		if s.Attached != nil {
			had = append(had, s)
		}
	}
	if r.undoing {
		return had, nil
	}
	var missing []error
	for _, o := range r.env.AllWanted() {
		n, ok := o.(kinds.Namespace)
		if !ok || n.Attach == "" || r.env.Foreign[n.Name].Why != "" {
			continue
		}
		s, err := r.openWanted(n, before)
		if err == nil {
			var refused bool
			if refused, err = r.refuseAttached(s, owned, list); !refused {
				list = append(list, s)
				continue
			}
			discard(s, before)
		}
		if err != nil {
			missing = append(missing, away{r.placed(n.Key(), err)})
		}
	}
	if len(missing) > 0 {
		for _, s := range list {
			discard(s, before)
		}
		return had, errors.Join(missing...)
	}
	left, err := r.openLeft(append(slices.Clone(owned), list...), before)
	return append(list, left...), err
}

// discard closes a section that was opened, unless it is one of before.
func discard(s *object.Section, before map[string]*object.Section) {
	if before[s.NS.Name] != s {
		s.NS.Close()
	}
}

// refuseAttached says whether a namespace is one that the section may not be attached to: the plan tells why.
func (r *run) refuseAttached(s *object.Section, owned, attached []*object.Section) (refused bool, err error) {
	links, err := object.ListLinks(s.NS)
	if err != nil {
		return true, err
	}
	why := ""
	if stamp := object.StampOf(r.topology, r.cookie, links); stamp.Class == plan.Ours || stamp.Final {
		why = cmp.Or(stamp.Why, stillMade)
	}
	same := func(other *object.Section) bool { return other != nil && other.NS.ID() == s.NS.ID() }
	if i := slices.IndexFunc(attached, same); i >= 0 {
		why = "is the same namespace as " + attached[i].NS.Name + ": leave one of them out"
	}
	if i := slices.IndexFunc(owned, same); i >= 0 {
		why = "is namespace " + owned[i].NS.Name + " of the topology's own: leave one of them out"
		if i == 0 {
			why = "is the host's own namespace: what the host has stands at the top of the file"
		}
	}
	if why != "" {
		r.env.Foreign[s.NS.Name] = object.NamespaceStamp{Class: plan.Foreign, Final: true, Why: why}
	}
	return why != "", nil
}

// openWanted opens the namespace that a section is to be attached to.
func (r *run) openWanted(n kinds.Namespace, before map[string]*object.Section) (*object.Section, error) {
	f, started, err := r.locate(n.Attach)
	if err != nil {
		return nil, err
	}
	return r.openFile(f, object.Attachment{Name: n.Name, From: n.Attach, Started: started}, n.Name, before)
}

// locate finds a namespace of somebody else's. Started is when the process was that the file names by its number.
func (r *run) locate(from object.Attach) (f kernel.File, started uint64, err error) {
	switch way, to := from.Split(); way {
	case object.AttachDocker:
		f, err = r.locateContainer(engine.Docker(os.Getenv("DOCKER_HOST")), to)
	case object.AttachPodman:
		f, err = r.locateContainer(engine.Podman(), to)
	case object.AttachPID:
		pid, _ := strconv.Atoi(to) // the file's check has read it
		f, started, err = kernel.OpenProcess(pid)
		if err == nil && r.takenOver(from, started) {
			f.Close()
			err = fmt.Errorf("process %d is not the one that was attached: that has ended, and another has got its number; "+
				"if that is meant, plumb destroy %s first", pid, r.topology)
		}
	case object.AttachNetns:
		f, err = kernel.OpenPath(kernel.NetnsDir + "/" + to)
	default:
		f, err = kernel.OpenPath(to)
	}
	return f, started, err
}

func (r *run) locateContainer(e engine.Engine, name string) (kernel.File, error) {
	pid, err := e.Process(r.ctx, name)
	if err != nil {
		return kernel.File{}, err
	}
	f, _, err := kernel.OpenProcess(pid)
	if errors.Is(err, kernel.ErrNoProcess) {
		err = fmt.Errorf("container %s has ended: %w", name, err)
	}
	return f, err
}

// takenOver says whether a process has the number of one that was attached, and was started at another time.
func (r *run) takenOver(from object.Attach, started uint64) bool {
	return slices.ContainsFunc(r.known(), func(a object.Attachment) bool {
		return a.From == from && a.Started != 0 && a.Started != started
	})
}

// openFile opens a namespace of somebody else's as a section of a name. It takes over f.
func (r *run) openFile(f kernel.File, a object.Attachment, name string, before map[string]*object.Section) (
	*object.Section, error,
) {
	a.Dev, a.Ino = f.ID.Dev, f.ID.Ino
	// What is open still has its number, and no other can have it.
	if s := before[name]; s != nil && s.Attached != nil && s.NS.ID() == f.ID {
		f.Close()
		a.Cookie = s.NS.Cookie()
		s.Attached = &a
		return s, nil
	}
	var s *object.Section
	err := kernel.OnThread(func(t kernel.Thread) error {
		n, err := kernel.Attach(t, name, f, r.Seam)
		if err != nil {
			return err
		}
		a.Cookie = n.Cookie()
		s = object.NewSection(n)
		s.Attached = &a
		return nil
	})
	return s, err
}

// known are the namespaces that the topology's sections were attached to when plumb last told: in the host record, or
// where that is lost, in the copy of what was applied.
func (r *run) known() []object.Attachment {
	if list := r.record.Attached[r.topology]; len(list) > 0 || r.recorded() {
		return list
	}
	if copied, err := loadApplied(r.dir, r.topology); err == nil {
		return copied.Attached
	}
	return nil
}

// recorded says whether the record tells of the topology.
func (r *run) recorded() bool { return slices.Contains(r.record.Topologies(), r.topology) }

// openLeft opens the namespaces that sections were attached to and are no longer, as far as they are alive. They may
// have no name, so that they are looked for among those that processes are in, or that are mounted anywhere.
func (r *run) openLeft(found []*object.Section, before map[string]*object.Section) (list []*object.Section, err error) {
	known := slices.DeleteFunc(slices.Clone(r.known()), func(a object.Attachment) bool { return isAmong(found, a.ID()) })
	if len(known) == 0 {
		return r.openStray(found, before)
	}
	other := func(id kernel.ID) bool {
		return !slices.ContainsFunc(known, func(a object.Attachment) bool { return a.ID() == id })
	}
	err = kernel.Others(other, func(f kernel.File) error {
		a := known[slices.IndexFunc(known, func(a object.Attachment) bool { return a.ID() == f.ID })]
		s, err := r.openFile(f, a, r.spareName(a, append(found, list...)), before)
		switch {
		case err != nil:
			return err
		case s.NS.Cookie() != a.Cookie: // another has got its number
			discard(s, before)
		default:
			list = append(list, s)
		}
		return nil
	})
	return list, err
}

func isAmong(sections []*object.Section, id kernel.ID) bool {
	return slices.ContainsFunc(sections, func(s *object.Section) bool { return s != nil && s.NS.ID() == id })
}

// spareName is what a section is called whose name another one may have by now.
func (r *run) spareName(a object.Attachment, found []*object.Section) string {
	taken := func(s *object.Section) bool { return s != nil && s.NS.Name == a.Name }
	if !r.env.Wanted(object.NamespaceKey(a.Name)) && !slices.ContainsFunc(found, taken) {
		return a.Name
	}
	return fmt.Sprintf("%s@%d", a.Name, a.Cookie)
}

// openStray opens, for a destroy of which nothing is told, the namespaces in which links bear the topology's stamp. A
// topology of the same name on another host that this one sees, as inside a container, is left alone: a cable must lead
// to a namespace that is known.
func (r *run) openStray(found []*object.Section, before map[string]*object.Section) (
	list []*object.Section, err error,
) {
	if !r.leaving || r.recorded() || hasApplied(r.dir, r.topology) {
		return nil, nil
	}
	known := func(id kernel.ID) bool { return isAmong(found, id) }
	err = kernel.Others(known, func(f kernel.File) error {
		s, err := r.openFile(f, object.Attachment{}, "?", before)
		if err != nil {
			return err
		}
		if s.Attached.Name, err = r.stampedIn(s, append(found, list...)); err != nil || s.Attached.Name == "" {
			s.NS.Close()
			return err
		}
		s.NS.Name = r.spareName(*s.Attached, append(found, list...))
		list = append(list, s)
		return nil
	})
	return list, err
}

// stampedIn is the section that links in a namespace bear in their stamps, if a cable of theirs leads to one of the
// known ones; else it is empty.
func (r *run) stampedIn(s *object.Section, known []*object.Section) (name string, err error) {
	links, err := object.ListLinks(s.NS)
	if err != nil {
		return "", err
	}
	if lo := object.LoopbackOf(links); lo == nil || lo.Alias != "" {
		return "", nil // it is a namespace of a topology's own, and of another host
	}
	for _, l := range links {
		topology, ns, _, ok := object.ParseAlias(l.Alias)
		if !ok || topology != r.topology || l.Group != object.Group(topology) || ns == "" || l.LowerNSID < 0 {
			continue
		}
		for _, other := range known {
			if other == nil {
				continue
			}
			number, err := s.NS.NumberOf(other.NS)
			if err != nil {
				return "", err
			}
			if number == l.LowerNSID {
				return ns, nil
			}
		}
	}
	return "", nil
}
