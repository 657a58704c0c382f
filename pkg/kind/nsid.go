package kind

import (
	"fmt"
	"iter"
	"maps"
	"slices"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/plumbnet/plumb/pkg/kernel"
)

// Attributes of RTM_GETNSID, linux/net_namespace.h.
const (
	netnsaNSID = 1
	netnsaFD   = 3
)

// ends are the indexes of a cable's two ends, as one of them shows them.
type ends struct{ own, peer int }

// findCables finds for each end of a cable between namespaces the section that the other end is in. An end shows its peer's index
// and a number for its namespace, and the kernel only tells which number a namespace has. So those are asked for that have an
// end which shows the same two indexes the other way round: first the one that the topology wants it to be, then all. What an
// earlier look has found is asked for no more.
func (e *Env) findCables(before *Env) error {
	e.farEnds = make(map[*LiveLink]*Section)
	if before != nil {
		e.keepCables(before)
	}
	if err := e.ask(e.declared()); err != nil {
		return err
	}
	return e.ask(e.candidates())
}

// keepCables takes over the cables of links that were not read again, if the other end still shows that it is one.
func (e *Env) keepCables(before *Env) {
	for _, s := range e.Sections {
		for l := range s.betweenNamespaces() {
			other := before.farEnds[l]
			if other == nil || e.Sections[other.NS.Name] != other {
				continue
			}
			if far := other.opposite(l); far != nil {
				e.farEnds[l], e.farEnds[far] = other, s
			}
		}
	}
}

// opposite finds the link of a section that shows the two indexes of a cable's end the other way round.
func (s *Section) opposite(near *LiveLink) *LiveLink {
	if far := s.byIndex[near.Peer]; far != nil && far.Type == Veth && far.Peer == near.Index {
		return far
	}
	return nil
}

// ask notes the other ends that sections find.
func (e *Env) ask(list []asking) error {
	cables := make([][][2]sectionLink, len(list))
	err := kernel.Each(e.Workers, len(list), func(t kernel.Thread, i int) (err error) {
		cables[i], err = list[i].cables(t)
		return err
	})
	for _, c := range slices.Concat(cables...) {
		e.farEnds[c[0].LiveLink], e.farEnds[c[1].LiveLink] = c[1].section, c[0].section
	}
	for _, a := range list {
		maps.Copy(a.nsids, a.learned)
	}
	return err
}

// asking is a section with ends whose other ends are to be found.
type asking struct {
	*Section
	near    []*LiveLink
	far     [][]sectionLink   // those that show the two indexes of each the other way round
	learned map[kernel.ID]int // beside nsids, which others read meanwhile
}

// asking lists the ends whose other ends are not known, and may be among those that others tells.
func (e *Env) asking(others func(sectionLink) []sectionLink) (list []asking) {
	for _, s := range e.Sections {
		a := asking{Section: s}
		for l := range s.betweenNamespaces() {
			if e.farEnds[l] != nil {
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

// declared lists the ends with those that the topology wants them to lead to.
func (e *Env) declared() []asking {
	return e.asking(func(near sectionLink) []sectionLink {
		want, _ := e.want[LinkKey(near.section.NS.Name, near.Name)].(Link)
		pair, _ := want.Pair()
		s := e.Sections[pair.NS]
		if s == nil {
			return nil
		}
		far := s.opposite(near.LiveLink)
		if far == nil || far.Name != pair.Name {
			return nil
		}
		return []sectionLink{{s, far}}
	})
}

// candidates lists the ends with all that they can lead to.
func (e *Env) candidates() []asking {
	shown := make(map[ends][]sectionLink)
	for _, s := range e.Sections {
		for l := range s.betweenNamespaces() {
			if e.farEnds[l] == nil {
				k := ends{l.Index, l.Peer}
				shown[k] = append(shown[k], sectionLink{s, l})
			}
		}
	}
	return e.asking(func(near sectionLink) []sectionLink { return shown[ends{near.Peer, near.Index}] })
}

// betweenNamespaces lists the ends of cables whose other ends are in other namespaces.
func (s *Section) betweenNamespaces() iter.Seq[*LiveLink] {
	return func(yield func(*LiveLink) bool) {
		for i := range s.Links {
			if l := &s.Links[i]; l.Type == Veth && l.PeerNSID >= 0 && !yield(l) {
				return
			}
		}
	}
}

// cables finds the other ends. Of two sections one asks for the cables between them.
func (a asking) cables(t kernel.Thread) (list [][2]sectionLink, err error) {
	a.NS.Use(t)
	for i, l := range a.near {
		near := sectionLink{a.Section, l}
		for _, far := range near.likely(a.far[i]) {
			if !a.asks(l, far.section) {
				continue
			}
			number, err := a.number(far.section)
			if err != nil {
				return nil, err
			}
			if number == l.PeerNSID {
				list = append(list, [2]sectionLink{near, far})
				break
			}
		}
	}
	return list, nil
}

// asks says whether the section asks whether another has the other end of a link. Of two sections one does, if it can the one that knows
// already; never the host, which has a number for each namespace, and the kernel looks through all of them to find one. The host's
// own is known, mostly.
func (s *Section) asks(l *LiveLink, other *Section) bool {
	host := other.NS.Name == ""
	if s.NS.Name == "" || s.hostNSID >= 0 && host != (l.PeerNSID == s.hostNSID) {
		return false
	}
	_, knows := s.nsids[other.NS.ID()]
	if _, theOther := other.nsids[s.NS.ID()]; knows != theOther {
		return knows
	}
	return host || s.NS.Name < other.NS.Name
}

// likely are those of the ends that can be the other one. Of many, as in a line of routers that all have the same indexes, the
// kernel is asked for the link that the other end is; it does not tell where that is.
func (near sectionLink) likely(far []sectionLink) []sectionLink {
	const few = 2
	if len(far) <= few || near.PeerNSID == near.section.hostNSID {
		return far
	}
	peer, err := findPeer(near.section.NS, near.LiveLink)
	if err != nil { // it may have changed meanwhile
		return far
	}
	return like(peer, far)
}

// like are the ends that look like a link, or all when none does: it may have changed meanwhile.
func like(l LiveLink, list []sectionLink) (alike []sectionLink) {
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
func findPeer(n *kernel.Namespace, l *LiveLink) (LiveLink, error) {
	m := indexRequest(l.Peer, 0, 0)
	m.req.Type = unix.RTM_GETLINK
	m.u32(unix.IFLA_TARGET_NETNSID, uint32(l.PeerNSID))
	return readLink(n, m.query())
}

// number asks for the number of another namespace, -1 for none. That of the host was asked for before the links, whose listing may
// have given it one.
func (a asking) number(other *Section) (number int, err error) {
	if other.NS.Name == "" && a.hostNSID >= 0 {
		return a.hostNSID, nil
	}
	for _, known := range []map[kernel.ID]int{a.nsids, a.learned} {
		if number, ok := known[other.NS.ID()]; ok {
			return number, nil
		}
	}
	err = other.NS.Borrow(func(fd int) error {
		return a.NS.ReadAll([]kernel.Query{nsidQuery(fd)}, func(replies []kernel.Reply) (err error) {
			if number, err = nsid(replies[0]); err == nil {
				a.learned[other.NS.ID()] = number
			}
			return err
		})
	})
	return number, err
}

// openPeers opens the namespaces that the topology wants cables of another to lead to, as far as it is that one's to ask for them: see
// asks. They are a few; what is not among them is asked for when it is needed.
func (e *Env) openPeers(ns string) (files []kernel.File) {
	const few = 4 // descriptors at once, of each thread
	var names []string
	for _, o := range e.wantIn[section{ns, KindLink}].objects {
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

func closeFiles(files []kernel.File) {
	for _, f := range files {
		f.Close()
	}
}

// numbered notes the numbers of other namespaces. One that has none yet may get one when the links are listed.
func (s *Section) numbered(others []kernel.File, replies []kernel.Reply) error {
	s.nsids = make(map[kernel.ID]int, len(others))
	for i, f := range others {
		switch number, err := nsid(replies[i]); {
		case err != nil:
			return err
		case number >= 0:
			s.nsids[f.ID] = number
		}
	}
	return nil
}

func nsidQuery(fd int) kernel.Query {
	req := kernel.Request(unix.RTM_GETNSID, 0)
	req.AddData(nl.NewRtGenMsg())
	message{req}.u32(netnsaFD, uint32(fd))
	return kernel.NewQuery(req, unix.RTM_NEWNSID)
}

// nsid reads the answer, -1 for none.
func nsid(r kernel.Reply) (number int, err error) {
	if r.Err != nil {
		return 0, fmt.Errorf("ask for the number of a namespace: %w", r.Err)
	}
	number = -1
	for _, m := range r.Answers {
		head := nl.DeserializeRtGenMsg(m)
		number = int(int32(attrs(m[head.Len():]).u32(netnsaNSID)))
	}
	return number, nil
}
