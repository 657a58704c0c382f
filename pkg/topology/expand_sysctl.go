package topology

import (
	"cmp"
	"slices"
	"strings"

	"github.com/plumbnet/plumb/pkg/file"
	"github.com/plumbnet/plumb/pkg/kinds"
	"github.com/plumbnet/plumb/pkg/object"
)

// perLink is a parameter that a section asks for all links, or for new ones.
type perLink struct {
	family, key string
	sysctl      *sysctl
}

// defaults lists the parameters for new links, which hold for the links that are there as well, but those that are
// part of [links.Link].
func (s *section) defaults() []perLink {
	var list []perLink
	for _, e := range s.Sysctls {
		v := s.sysctls[string(e.Key)]
		for _, family := range []string{ipv4, ipv6} {
			key, ok := strings.CutPrefix(v.name, confName(family, "default", ""))
			if ok && !ofLink(family, key) {
				list = append(list, perLink{family, key, &v})
			}
		}
	}
	const disable = "disable_ipv6"
	if v := s.conf(ipv6, "all", disable); v != nil && s.conf(ipv6, "default", disable) == nil {
		list = append(list, perLink{ipv6, disable, v})
	}
	return list
}

// ofLink says whether a parameter is an attribute of [links.Link].
func ofLink(family, key string) bool {
	return key == "forwarding" || family == ipv4 && key == "promote_secondaries"
}

// isOfLink says whether a sysctl is an attribute of one of the section's links.
func (s *section) isOfLink(name string) bool {
	of, ok := object.SysctlOfLink(name)
	l := s.links[of]
	if !ok || l == nil || l.kind == "" {
		return false
	}
	return name == confName(ipv4, of, "forwarding") || name == confName(ipv6, of, "forwarding") ||
		name == confName(ipv4, of, "promote_secondaries")
}

// sysctls adds what the section declares, the forwarding that its nat needs, and what the defaults for new links come
// to on its links.
func (x *expansion) sysctls(s *section) {
	type placed struct {
		kinds.Sysctl
		at file.Span
	}
	var list []placed
	add := func(name, value string, at file.Span) {
		list = append(list, placed{kinds.Sysctl{NS: s.name, Name: name, Value: value}, at})
	}
	for _, v := range s.sysctls {
		if !s.isOfLink(v.name) {
			add(v.name, v.value, v.at)
		}
	}
	for _, name := range []string{object.Forwarding4, object.Forwarding6} {
		if _, given := s.sysctls[name]; given {
			continue
		}
		if _, at, asked := s.forwarding(name); asked {
			add(name, "1", at)
		}
	}
	for _, d := range s.defaults() {
		for _, l := range s.list {
			name := confName(d.family, l.name, d.key)
			_, given := s.sysctls[name]
			if l.kind == "" || given || d.family == ipv6 && l.mtuOr() < object.MinIPv6MTU {
				continue
			}
			add(name, d.sysctl.value, d.sysctl.at)
		}
	}
	slices.SortFunc(list, func(a, b placed) int { return cmp.Compare(a.Name, b.Name) })
	for _, v := range list {
		x.add(v.Sysctl, v.at)
	}
}
