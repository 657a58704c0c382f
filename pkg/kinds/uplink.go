package kinds

import (
	"errors"
	"io/fs"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/plumbnet/plumb/pkg/object"
	"github.com/plumbnet/plumb/pkg/plan"
)

// uplinks lists the accept_ra that IPv6 forwarding asks for where a sysctl switches it on: an interface that forwards
// only takes routes from router advertisements with accept_ra 2, and the first of these may be yet to come. On the host
// links that come later take that from the default.
func uplinks(e *object.Env, o plan.Object) (want []plan.Object) {
	v, ok := o.(Sysctl)
	s := e.Sections[o.Key().NS]
	if !ok || s == nil || v.Value == "0" || !strings.HasSuffix(v.Name, ".forwarding") {
		return nil
	}
	part := strings.Split(object.SysctlPath(v.Name), "/") // net/ipv6/conf/all/forwarding
	if len(part) != 5 || part[1] != "ipv6" || part[2] != "conf" || v.Name == object.Forwarding6 && forwarded(e, s) {
		return nil
	}
	for _, name := range raises(e, s, part[3]) {
		if v := (Sysctl{NS: s.NS.Name, Name: name, Value: "2"}); !e.Wanted(v.Key()) {
			want = append(want, v)
		}
	}
	return want
}

// forwarded says whether a host forwarded before any topology asked for it: what its links take is as its owner has it.
func forwarded(e *object.Env, s *object.Section) bool {
	if s.Owned {
		return false
	}
	if claim, ok := e.Record.Claim(object.SysctlKey(s.NS.Name, object.Forwarding6)); ok {
		return claim.Original == "1"
	}
	return object.IsOn(object.In[switches](s).six)
}

// raises names the accept_ra of those that a switch is of: of one link, of "all", or of "default". They are 1, or were
// before this topology raised them or another one that forwards: then they must stay so when that one leaves. Or they
// are to become 1 again, because this topology has wanted something else and gives it back.
func raises(e *object.Env, s *object.Section, of string) []string {
	names := make(map[string]bool)
	add := func(link string, value uint32) {
		name := object.ConfName(object.IPv6, link, acceptRA)
		claim, _ := e.Record.Claim(object.SysctlKey(s.NS.Name, name))
		raised := slices.Contains(slices.Collect(maps.Values(claim.Wants)), "2")
		givenBack := len(claim.Wants) == 1 && claim.Wants[e.Topology] != ""
		if value == 1 || claim.Original == "1" && (raised || givenBack) {
			names[name] = true
		}
	}
	for i := range s.Links {
		l := &s.Links[i]
		if (of == "all" || of == l.Name) && l.Class != plan.Ours && !l.Plumbs() && l.Type != object.Loopback && !fallback(l) {
			add(l.Name, l.AcceptRA)
		}
	}
	if !s.Owned && (of == "all" || of == "default") {
		add("default", defaultAcceptRA(e, s))
	}
	return slices.Sorted(maps.Keys(names))
}

// defaultAcceptRA is what a new link of the section takes; 0 without IPv6.
func defaultAcceptRA(e *object.Env, s *object.Section) uint32 {
	path := object.SysctlPath(object.ConfName(object.IPv6, "default", acceptRA))
	known := object.In[values](s)
	value := (*known)[path]
	if value == nil {
		found, err := s.NS.ReadSysctls([]string{path})
		if err != nil {
			e.Warn(err.Error())
		}
		value = orNil(found[path])
	}
	if value == nil {
		return 0
	}
	n, _ := strconv.ParseUint(*value, 10, 32) // a negative one is not 1
	return uint32(n)
}

// lowerBorn gives links of others that were born while the default was raised what a new one would have got otherwise.
// They are those that were not there when the switch of forwarding was recorded.
func lowerBorn(e *object.Env, s *object.Section, value string) error {
	forwarding, recorded := e.Record.Claim(object.SysctlKey(s.NS.Name, object.Forwarding6))
	links, err := object.ListLinks(s.NS)
	if err != nil || !recorded {
		return err
	}
	for _, l := range links {
		path := func(key string) string { return object.SysctlPath(object.ConfName(object.IPv6, l.Name, key)) }
		_, old := forwarding.Beside[path("forwarding")]
		if old || l.AcceptRA != 2 || l.Plumbs() {
			continue
		}
		if err := s.NS.WriteSysctl(path(acceptRA), value); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}
