package kinds

import (
	"maps"
	"slices"
	"strings"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/plumbnet/plumb/pkg/kernel"
	"github.com/plumbnet/plumb/pkg/object"
	"github.com/plumbnet/plumb/pkg/plan"
)

// uplinks lists the accept_ra that IPv6 forwarding of a section asks for: with forwarding, an interface that has its
// routes from router advertisements only keeps them with accept_ra 2.
func uplinks(e *object.Env, o plan.Object) (want []plan.Object) {
	v, ok := o.(Sysctl)
	s := e.Sections[o.Key().NS]
	if !ok || s == nil || v.Name != object.Forwarding6 || v.Value != "1" {
		return nil
	}
	learned := learnedRoutes(s)
	keys := make(map[string]bool)
	for _, l := range s.Links {
		name := "net.ipv6.conf." + strings.ReplaceAll(l.Name, ".", "/") + ".accept_ra"
		if l.Class != plan.Ours && (l.AcceptRA == 1 && learned[l.Index] || raised(e, s, name)) {
			keys[name] = true
		}
	}
	for _, k := range e.Record.Claimed(s.NS.Name) {
		link, ok := object.SysctlOfLink(k.Name)
		l := s.At(s.Known(link))
		// A claim on a link of ours comes from the file.
		if ok && strings.HasSuffix(k.Name, ".accept_ra") && l != nil && l.Class != plan.Ours {
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
func raised(e *object.Env, s *object.Section, name string) bool {
	claim, _ := e.Record.Claim(object.SysctlKey(s.NS.Name, name))
	return claim.Original == "1" && slices.Contains(slices.Collect(maps.Values(claim.Wants)), "2")
}

// learnedRoutes tells which links have routes from router advertisements, by index.
func learnedRoutes(s *object.Section) map[int]bool {
	learned := make(map[int]bool)
	for _, b := range s.Messages(object.RouteDump) {
		m := nl.DeserializeRtMsg(b)
		if m.Protocol == unix.RTPROT_RA {
			learned[int(kernel.Attrs(b[m.Len():]).U32(unix.RTA_OIF))] = true
		}
	}
	return learned
}
