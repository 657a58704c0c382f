package kinds

import (
	"fmt"
	"slices"
	"strings"

	"github.com/plumbnet/plumb/pkg/kernel"
	"github.com/plumbnet/plumb/pkg/link"
	"github.com/plumbnet/plumb/pkg/object"
	"github.com/plumbnet/plumb/pkg/plan"
)

// disableIPv6 is the parameter that switches IPv6 off, on a link or on all: with it the kernel takes the addresses,
// routes and static neighbours of IPv6 (net/ipv6/addrconf.c: dev_disable_change).
const disableIPv6 = "disable_ipv6"

// switchesOf6 lists those that the topology wants in a section, or has claimed there.
func switchesOf6(e *object.Env, s *object.Section) []plan.Key {
	return slices.DeleteFunc(sysctlKeys(e, s), func(k plan.Key) bool {
		return !strings.HasSuffix(k.Name, "."+disableIPv6)
	})
}

// offOnAll is the switch of all links of a section.
func offOnAll(ns string) plan.Key {
	return object.SysctlKey(ns, object.ConfName(object.IPv6, "all", disableIPv6))
}

// cuts6 says whether a change of that switch takes what is of IPv6 on a link, be it for a moment.
func cuts6(old, now plan.Object) bool {
	if v, stays := now.(Sysctl); stays {
		return object.IsOn(v.Value)
	}
	v, ok := old.(Sysctl)
	return ok && object.IsOn(v.restored)
}

// without6 tells on which links of others IPv6 will be off once the parameters of a section are as the topology wants
// them.
func without6(e *object.Env, s *object.Section) link.Without6 {
	keys := switchesOf6(e, s)
	if len(keys) == 0 { // as mostly
		return func(l *object.LiveLink) (will, blinks bool) { return l.Disabled6, false }
	}
	become := make(map[string]string)
	for _, k := range keys {
		if value, ok := becomes(e, s, k); ok {
			become[object.SysctlPath(k.Name)] = value
		}
	}
	all := offOnAll(s.NS.Name)
	value, known := become[object.SysctlPath(all.Name)]
	is := (*object.In[values](s))[object.SysctlPath(all.Name)]
	written := known && is != nil && (*is != value || !e.Wanted(all))
	each := restored6(e, s, all)
	return func(l *object.LiveLink) (will, blinks bool) {
		path := object.SysctlPath(object.ConfName(object.IPv6, l.Name, disableIPv6))
		own, ok := become[path]
		if !ok {
			own, ok = each[path]
		}
		switch {
		case ok:
			will = object.IsOn(own)
		case written && bearer(e, s, l) == "": // links of other topologies get back what they had
			will = object.IsOn(value)
		default:
			will = l.Disabled6
		}
		// A rollback writes what is there now.
		blinks = written && (!will && object.IsOn(value) || !l.Disabled6 && object.IsOn(*is))
		return will, blinks
	}
}

// becomes is the value that a parameter will have because the topology wants it so, or no longer does; ok is false
// where it stays.
func becomes(e *object.Env, s *object.Section, k plan.Key) (value string, ok bool) {
	if v, wanted := e.Want(k).(Sysctl); wanted {
		return v.Value, true
	}
	is := (*object.In[values](s))[sysctlPath(s, k.Name)]
	if is == nil {
		return "", false
	}
	if h, claimed := claimedSysctl(e, s, Sysctl{NS: k.NS, Name: k.Name, Value: *is}); !claimed || h.Class != plan.Ours {
		return "", false
	}
	claim, _ := e.Record.Claim(k)
	return original(e, s, k, claim)
}

// restored6 tells what the switches of all links become, by path, when that of all is given back; nil while it is not.
func restored6(e *object.Env, s *object.Section, all plan.Key) map[string]string {
	claim, claimed := e.Record.Claim(all)
	if _, ok := becomes(e, s, all); !claimed || !ok || e.Wanted(all) {
		return nil
	}
	before := make(map[string]string)
	for _, l := range s.Links {
		name := object.ConfName(object.IPv6, l.Name, disableIPv6)
		before[object.SysctlPath(name)] = fmt.Sprint(kernel.Bit(l.Disabled6))
	}
	return kept(e, s, all, s.Links, before, &claim)
}
