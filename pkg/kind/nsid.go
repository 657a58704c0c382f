package kind

import (
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

// farEnd finds the section that the other end of a cable is in; nil when it is none of the open ones. The end shows
// its peer's index and a number for its namespace. The kernel only tells which number a namespace has, so those are
// asked for that have an end which shows the same two indexes the other way round: nearly always that is one.
func (e *Env) farEnd(s *Section, l *LiveLink) *Section {
	for _, other := range e.cables[ends{l.Peer, l.Index}] {
		if other != s && leadsTo(s, l, other) {
			return other
		}
	}
	return nil
}

func (e *Env) findCables() {
	e.cables = make(map[ends][]*Section)
	for _, s := range e.Sections {
		for i := range s.Links {
			if l := &s.Links[i]; l.Type == Veth {
				k := ends{l.Index, l.Peer}
				e.cables[k] = append(e.cables[k], s)
			}
		}
	}
}

// leadsTo says whether the link's other end is the one of those indexes in the other section. It asks one side for the
// number that the other has there, and leaves the host alone: that has a number for each namespace, and the kernel
// looks through all of them to find one. A cable inside the other section, whose ends show no number, is another one.
func leadsTo(s *Section, l *LiveLink, other *Section) bool {
	far := other.byIndex[l.Peer]
	switch {
	case far == nil || far.PeerNSID < 0 || l.PeerNSID < 0:
		return false
	case s.NS.Name != "":
		return s.nsidOf(other) == l.PeerNSID
	}
	return other.nsidOf(s) == far.PeerNSID
}

// nsidOf asks for the number of another namespace, -1 for none. That of the host was asked for before the links, whose
// listing may have given it one.
func (s *Section) nsidOf(other *Section) int {
	if other.NS.Name == "" && s.hostNSID >= 0 {
		return s.hostNSID
	}
	if id, ok := s.nsids[other]; ok {
		return id
	}
	if s.nsids == nil {
		s.nsids = make(map[*Section]int)
	}
	q := nsidQuery(other.NS)
	msgs, err := s.NS.Read(q.Request, q.Answer)
	s.nsids[other] = nsid(kernel.Reply{Answers: msgs, Err: err})
	return s.nsids[other]
}

func nsidQuery(of *kernel.Namespace) kernel.Query {
	req := kernel.Request(unix.RTM_GETNSID, 0)
	req.AddData(nl.NewRtGenMsg())
	message{req}.u32(netnsaFD, uint32(of.FD()))
	return kernel.Query{Request: req, Answer: unix.RTM_NEWNSID}
}

func nsid(r kernel.Reply) int {
	if r.Err != nil || len(r.Answers) == 0 {
		return -1 // the namespace went meanwhile
	}
	head := nl.DeserializeRtGenMsg(r.Answers[0])
	return int(int32(attrs(r.Answers[0][head.Len():]).u32(netnsaNSID)))
}
