package kind

import (
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/plumbnet/plumb/pkg/plan"
)

// Uplinks lists the accept_ra that IPv6 forwarding of a section asks for: with forwarding, an interface that has its
// routes from router advertisements only keeps them with accept_ra 2.
func (e *Env) Uplinks(s *Section) (want []plan.Object) {
	learned := learnedRoutes(s)
	keys := make(map[string]bool)
	for _, l := range s.Links {
		name := "net.ipv6.conf." + strings.ReplaceAll(l.Name, ".", "/") + ".accept_ra"
		if e.stamp(s, &l).class != plan.Ours && (l.AcceptRA == 1 && learned[l.Index] || e.raised(s, name)) {
			keys[name] = true
		}
	}
	for _, k := range e.Record.Sysctls(s.NS.Name) {
		link, ok := SysctlOfLink(k.Name)
		l := s.byIndex[s.index[link]]
		// A claim on a link of ours comes from the file.
		if ok && strings.HasSuffix(k.Name, ".accept_ra") && l != nil && e.stamp(s, l).class != plan.Ours {
			keys[k.Name] = true
		}
	}
	for _, name := range slices.Sorted(maps.Keys(keys)) {
		if v := (Sysctl{NS: s.NS.Name, Name: name, Value: "2"}); !e.Wanted(v.Key()) {
			want = append(want, v)
		}
	}
	return want
}

// raised says whether another topology forwards too, and has raised accept_ra: it must stay so when that one leaves.
func (e *Env) raised(s *Section, name string) bool {
	claim, _ := e.Record.Sysctl(SysctlKey(s.NS.Name, name))
	return claim.Original == "1" && slices.Contains(slices.Collect(maps.Values(claim.Wants)), "2")
}

// learnedRoutes tells which links have routes from router advertisements, by index.
func learnedRoutes(s *Section) map[int]bool {
	learned := make(map[int]bool)
	for _, b := range s.routes {
		m := nl.DeserializeRtMsg(b)
		if m.Protocol == unix.RTPROT_RA {
			learned[int(attrs(b[m.Len():]).u32(unix.RTA_OIF))] = true
		}
	}
	return learned
}

// DefaultDev is the interface that the default route of a section leaves by, empty without one.
func DefaultDev(s *Section, v4 bool) string {
	for _, r := range DefaultRoutes(s) {
		if r.V4 == v4 && len(r.Devs) > 0 {
			return r.Devs[0]
		}
	}
	return ""
}

// DefaultRoute is a way from a section to everywhere, in the main table.
type DefaultRoute struct {
	V4     bool
	Devs   []string // the interfaces that it leaves by: several for a multipath route
	Via    netip.Addr
	Metric uint32
	Proto  uint8
}

// DefaultRoutes lists the default routes that the section was found with.
func DefaultRoutes(s *Section) (list []DefaultRoute) {
	for _, b := range s.routes {
		m := nl.DeserializeRtMsg(b)
		if m.Dst_len != 0 || m.Table != unix.RT_TABLE_MAIN || m.Type != unix.RTN_UNICAST {
			continue
		}
		a := attrs(b[m.Len():])
		r := DefaultRoute{
			V4: m.Family == unix.AF_INET, Via: a.addr(unix.RTA_GATEWAY), Metric: a.u32(unix.RTA_PRIORITY), Proto: m.Protocol,
		}
		r.leavesBy(s, a.u32(unix.RTA_OIF))
		for h := range nextHops(a.get(unix.RTA_MULTIPATH)) {
			r.leavesBy(s, h.index)
		}
		list = append(list, r)
	}
	return list
}

func (r *DefaultRoute) leavesBy(s *Section, index uint32) {
	if l := s.byIndex[int(index)]; l != nil {
		r.Devs = append(r.Devs, l.Name)
	}
}
