package kind

import (
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

// cableEnd is an end of a cable between namespaces.
type cableEnd struct {
	section *Section
	link    *LiveLink
}

// findCables finds for each end of a cable the section that the other end is in. An end shows its peer's index and a number
// for its namespace, and the kernel only tells which number a namespace has. So those are asked for that have an end which
// shows the same two indexes the other way round.
func (e *Env) findCables() {
	var all []cableEnd
	showing := make(map[ends][]cableEnd)
	for _, name := range slices.Sorted(maps.Keys(e.Sections)) {
		s := e.Sections[name]
		for i := range s.Links {
			if l := &s.Links[i]; l.Type == Veth && l.PeerNSID >= 0 {
				end, k := cableEnd{s, l}, ends{l.Index, l.Peer}
				all, showing[k] = append(all, end), append(showing[k], end)
			}
		}
	}
	e.farEnds = make(map[*LiveLink]*Section, len(all))
	for _, near := range all {
		if e.farEnds[near.link] != nil {
			continue
		}
		for _, far := range near.likely(showing[ends{near.link.Peer, near.link.Index}]) {
			if near.leadsTo(far) {
				e.farEnds[near.link] = far.section
				if e.farEnds[far.link] == nil {
					e.farEnds[far.link] = near.section
				}
				break
			}
		}
	}
}

// likely are those of the ends that can be the other one. Of many, as in a line of routers that all have the same indexes, the
// kernel is asked for the link that the other end is; it does not tell where that is.
func (near cableEnd) likely(list []cableEnd) []cableEnd {
	const few = 2
	if len(list) > few {
		if peer, err := findPeer(near.section.NS, near.link); err == nil {
			list = like(peer, list)
		}
	}
	return slices.DeleteFunc(slices.Clone(list), func(far cableEnd) bool { return far.section == near.section })
}

// like are the ends that look like a link, or all when none does: it may have changed meanwhile.
func like(l LiveLink, list []cableEnd) (alike []cableEnd) {
	for _, end := range list {
		if end.link.MAC == l.MAC && end.link.Alias == l.Alias {
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
	return readLink(n, m)
}

// leadsTo says whether a cable has these two ends. It asks one side for the number that the other has there, and leaves the
// host alone: that has a number for each namespace, and the kernel looks through all of them to find one.
func (near cableEnd) leadsTo(far cableEnd) bool {
	if near.section.NS.Name == "" {
		near, far = far, near
	}
	return near.section.nsidOf(far.section) == near.link.PeerNSID
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
