package kind

import (
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

// sectionByNSID finds which of the open namespaces has a number in the view of s; nil when it is none of them. The
// kernel only answers the reverse question, so each namespace is asked for, the host's first: most cables end there.
func (e *Env) sectionByNSID(s *Section, nsid int) *Section {
	if found, ok := s.nsids[nsid]; ok {
		return found
	}
	if s.nsids == nil {
		s.nsids = make(map[int]*Section)
		s.unasked = e.others(s)
	}
	for len(s.unasked) > 0 {
		other := e.Sections[s.unasked[0]]
		s.unasked = s.unasked[1:]
		id := s.nsidOf(other)
		if id >= 0 {
			s.nsids[id] = other
		}
		if id == nsid {
			return other
		}
	}
	s.nsids[nsid] = nil
	return nil
}

func (e *Env) others(s *Section) []string {
	names := make([]string, 0, len(e.Sections))
	for name := range e.Sections {
		if name != s.NS.Name {
			names = append(names, name)
		}
	}
	slices.Sort(names) // "" comes first
	return names
}

// nsidOf asks for the number of another namespace, -1 for none.
func (s *Section) nsidOf(other *Section) int {
	req := kernel.Request(unix.RTM_GETNSID, 0)
	req.AddData(nl.NewRtGenMsg())
	message{req}.u32(netnsaFD, uint32(other.NS.FD()))
	msgs, err := s.NS.Read(req, unix.RTM_NEWNSID)
	if err != nil || len(msgs) == 0 {
		return -1 // the namespace went meanwhile
	}
	head := nl.DeserializeRtGenMsg(msgs[0])
	return int(int32(parseAttrs(msgs[0][head.Len():]).u32(netnsaNSID)))
}
