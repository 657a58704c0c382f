package link

import (
	"fmt"
	"iter"
	"maps"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/plumbnet/plumb/pkg/kernel"
	"github.com/plumbnet/plumb/pkg/object"
	"github.com/plumbnet/plumb/pkg/plan"
)

// numbers are those by which a section knows other namespaces (network_namespaces(7): nsid).
type numbers struct {
	host int // that of the host's own, -1 for none
	of   map[kernel.ID]int
}

func numbersOf(s *object.Section) *numbers { return object.In[numbers](s) }

// sectionLink is a live link and where it is.
type sectionLink struct {
	section *object.Section
	*object.LiveLink
}

// ends are the indexes of a cable's two ends, as one of them shows them.
type ends struct{ own, peer int }

// Join finds for each end of a cable between namespaces the section that the other end is in, and for other links the
// section that they are made from. An end shows its peer's index and a number for its namespace, and the kernel only
// tells which number a namespace has. So those are asked for that have an end which shows the same two indexes the
// other way round: first the one that the topology wants it to be, then all. What an earlier look has found is asked
// for no more.
func Join(e *object.Env) error {
	for _, s := range e.Sections {
		for l := range betweenNamespaces(s) {
			still(e, s, l)
		}
	}
	if err := ask(e, declared(e)); err != nil {
		return err
	}
	if err := ask(e, candidates(e)); err != nil {
		return err
	}
	for _, s := range e.Sections {
		for i := range s.Links {
			renamed(e, s, &s.Links[i])
		}
	}
	return nil
}

// still forgets what an earlier look has found of a link, where that is so no more. Else the other end, which may have
// been read anew since, leads back here.
func still(e *object.Env, s *object.Section, l *object.LiveLink) {
	switch {
	case l.Far == nil:
	case e.Sections[l.Far.NS.Name] != l.Far:
		l.Far = nil
	case IsPair(l.Type):
		if far := opposite(l.Far, l); far == nil {
			l.Far = nil
		} else if far.Far == nil {
			far.Far = s
		}
	}
}

// renamed has an end of a cable of ours known by the name that the file gives it now: it is renamed in place, as one
// that a hand has renamed. That the file means this end follows from the other one.
func renamed(e *object.Env, s *object.Section, l *object.LiveLink) {
	if l.Class != plan.Ours || l.Collides || !IsPair(l.Type) || e.Wanted(object.LinkKey(s.NS.Name, l.Known)) {
		return
	}
	there := s
	if l.LowerNSID >= 0 {
		there = l.Far
	}
	if there == nil {
		return
	}
	far := there.At(l.Lower)
	if far == nil || far.Class != plan.Ours || far.Type != l.Type {
		return
	}
	want, _ := e.Want(object.LinkKey(there.NS.Name, far.Known)).(Link)
	k, ok := want.Pair()
	taken := s.Known(k.Name) != 0 && s.Known(k.Name) != l.Index // it has the name, where a crash came before the stamp
	if ok && k.NS == s.NS.Name && want.Type == l.Type && s.Link(k.Name) == nil && !taken {
		s.Rekey(l, k.Name)
	}
}

// opposite finds the link of a section that shows the two indexes of a cable's end the other way round.
func opposite(s *object.Section, near *object.LiveLink) *object.LiveLink {
	if far := s.At(near.Lower); far != nil && far.Type == near.Type && far.Lower == near.Index {
		return far
	}
	return nil
}

// ask notes the other ends that sections find.
func ask(e *object.Env, list []search) error {
	found := make([][][2]sectionLink, len(list))
	err := kernel.Each(e.Workers, len(list), func(t kernel.Thread, i int) (err error) {
		found[i], err = list[i].cables(t)
		return err
	})
	for _, c := range slices.Concat(found...) {
		if c[0].Far = c[1].section; c[1].LiveLink != nil {
			c[1].Far = c[0].section
		}
	}
	for _, a := range list {
		maps.Copy(a.of, a.learned)
	}
	return err
}

// search is a section with links that lead to other sections, which are to be found.
type search struct {
	*object.Section
	*numbers
	near    []*object.LiveLink
	far     [][]sectionLink   // where each may lead to: of a cable the other end, else the section alone
	learned map[kernel.ID]int // beside those that are known, which others read meanwhile
}

// askAbout lists the links of which it is not known where they lead to, and may be what others tells.
func askAbout(e *object.Env, others func(sectionLink) []sectionLink) (list []search) {
	for _, s := range e.Sections {
		a := search{Section: s, numbers: numbersOf(s)}
		for l := range betweenNamespaces(s) {
			if l.Far != nil {
				continue
			}
			if far := others(sectionLink{s, l}); len(far) > 0 {
				a.near, a.far = append(a.near, l), append(a.far, far)
			}
		}
		if len(a.near) > 0 {
			a.learned = make(map[kernel.ID]int)
			list = append(list, a)
		}
	}
	return list
}

// declared lists the links with those that the topology wants them to lead to.
func declared(e *object.Env) []search {
	return askAbout(e, func(near sectionLink) []sectionLink {
		want, _ := e.Want(object.LinkKey(near.section.NS.Name, near.Known)).(Link)
		pair, ok := want.Pair()
		if !ok && !IsPair(near.Type) {
			pair.NS = want.Underlay()
		}
		s := e.Sections[pair.NS]
		if s == nil || want.Type != near.Type {
			return nil
		}
		if !IsPair(near.Type) {
			return []sectionLink{{s, nil}}
		}
		far := opposite(s, near.LiveLink)
		if far == nil || far.Name != pair.Name {
			return nil
		}
		return []sectionLink{{s, far}}
	})
}

// candidates lists the links with all that they can lead to.
func candidates(e *object.Env) []search {
	shown := make(map[ends][]sectionLink)
	var all []sectionLink
	for _, s := range e.Sections {
		all = append(all, sectionLink{section: s})
		for l := range betweenNamespaces(s) {
			if l.Far == nil && IsPair(l.Type) {
				k := ends{l.Index, l.Lower}
				shown[k] = append(shown[k], sectionLink{s, l})
			}
		}
	}
	return askAbout(e, func(near sectionLink) []sectionLink {
		if !IsPair(near.Type) {
			return all
		}
		return shown[ends{near.Lower, near.Index}]
	})
}

// betweenNamespaces lists the links that lead to other namespaces, as far as plumb knows their types.
func betweenNamespaces(s *object.Section) iter.Seq[*object.LiveLink] {
	return func(yield func(*object.LiveLink) bool) {
		for i := range s.Links {
			if l := &s.Links[i]; l.LowerNSID >= 0 && typeOf(l.Type).New != nil && !yield(l) {
				return
			}
		}
	}
}

// cables finds where links lead to. Of two sections one asks for the cables between them.
func (a search) cables(t kernel.Thread) (list [][2]sectionLink, err error) {
	a.NS.Use(t)
	for i, l := range a.near {
		near := sectionLink{a.Section, l}
		for _, far := range near.matches(a.far[i]) {
			if !a.asks(l, far.section) {
				continue
			}
			number, err := a.number(far.section)
			if err != nil {
				return nil, err
			}
			if number == l.LowerNSID {
				list = append(list, [2]sectionLink{near, far})
				break
			}
		}
	}
	return list, nil
}

// asks says whether the section asks whether another has the other end of a link. Of two sections one does, if it can
// the one that knows already; never the host, which has a number for each namespace, and the kernel looks through all
// of them to find one. The host's own is known, mostly.
func (a search) asks(l *object.LiveLink, other *object.Section) bool {
	host := other.NS.Name == ""
	switch {
	case !IsPair(l.Type):
		return other != a.Section // no other link tells of it
	case a.NS.Name == "" || a.host >= 0 && host != (l.LowerNSID == a.host):
		return false
	}
	_, knows := a.of[other.NS.ID()]
	if _, theOther := numbersOf(other).of[a.NS.ID()]; knows != theOther {
		return knows
	}
	return host || a.NS.Name < other.NS.Name
}

// matches are those of the ends that can be the other one. Of many, as in a line of routers that all have the same
// indexes, the kernel is asked for the link that the other end is; it does not tell where that is.
func (near sectionLink) matches(far []sectionLink) []sectionLink {
	const few = 2
	if len(far) <= few || near.LowerNSID == numbersOf(near.section).host || !IsPair(near.Type) {
		return far
	}
	peer, err := findPeer(near.section.NS, near.LiveLink)
	if err != nil { // it may have changed meanwhile
		return far
	}
	return like(peer, far)
}

// like are the ends that look like a link, or all when none does: it may have changed meanwhile.
func like(l object.LiveLink, list []sectionLink) (alike []sectionLink) {
	for _, end := range list {
		if end.MAC == l.MAC && end.Alias == l.Alias {
			alike = append(alike, end)
		}
	}
	if len(alike) == 0 {
		return list
	}
	return alike
}

// findPeer reads the other end of a cable from where this one is.
func findPeer(n *kernel.Namespace, l *object.LiveLink) (object.LiveLink, error) {
	m := linkAt(l.Lower)
	m.U32(unix.IFLA_TARGET_NETNSID, uint32(l.LowerNSID))
	return object.ReadLink(n, object.LinkQuery(m))
}

// number asks for the number of another namespace, -1 for none. That of the host was asked for before the links, whose
// listing may have given it one.
func (a search) number(other *object.Section) (number int, err error) {
	if other.NS.Name == "" && a.host >= 0 {
		return a.host, nil
	}
	for _, known := range []map[kernel.ID]int{a.of, a.learned} {
		if number, ok := known[other.NS.ID()]; ok {
			return number, nil
		}
	}
	if number, err = a.NS.NumberOf(other.NS); err == nil {
		a.learned[other.NS.ID()] = number
	}
	return number, err
}

// First asks for the numbers of the host's namespace, and of those that the topology wants links to lead to.
func First(e *object.Env, s *object.Section, host *kernel.Namespace) (list []object.Question, done func(), err error) {
	fd, err := host.FD()
	if err != nil {
		return nil, nil, err
	}
	n := numbersOf(s)
	n.of = make(map[kernel.ID]int)
	list = append(list, object.Question{Query: kernel.NSIDQuery(fd), Answer: func(r kernel.Reply) (err error) {
		n.host, err = kernel.NSID(r)
		return err
	}})
	others := openOthers(e, s.NS.Name)
	for _, f := range others {
		note := func(r kernel.Reply) error { return n.note(f.ID, r) }
		list = append(list, object.Question{Query: kernel.NSIDQuery(f.FD), Answer: note})
	}
	return list, func() {
		for _, f := range others {
			f.Close()
		}
	}, nil
}

// note notes the number of another namespace. One that has none yet may get one when the links are listed.
func (n *numbers) note(id kernel.ID, r kernel.Reply) error {
	number, err := kernel.NSID(r)
	if err == nil && number >= 0 {
		n.of[id] = number
	}
	return err
}

// openOthers opens the namespaces that the topology wants links of another to lead to, as far as it is that one's to
// ask for them: see asks. They are a few; what is not among them is asked for when it is needed.
func openOthers(e *object.Env, ns string) (files []kernel.File) {
	const few = 4 // descriptors at once, of each thread
	var names []string
	for _, o := range e.WantedHere(ns, object.KindLink) {
		l, _ := o.(Link)
		pair, ok := l.Pair()
		if !ok || ns == "" || ns >= pair.NS || slices.Contains(names, pair.NS) || len(names) == few {
			continue
		}
		names = append(names, pair.NS)
		if f, err := kernel.OpenFile(pair.NS); err == nil {
			files = append(files, f)
		}
	}
	return files
}

// giveNumber is the number by which a section knows another namespace, which it gets if it has none.
func giveNumber(s, other *object.Section) (number int, err error) {
	what := fmt.Sprintf("give namespace %s a number in %s", sectionName(other.NS.Name), sectionName(s.NS.Name))
	return s.NS.GiveNumber(what, other.NS)
}
