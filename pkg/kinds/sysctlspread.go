package kinds

import (
	"cmp"
	"errors"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"github.com/plumbnet/plumb/pkg/object"
	"github.com/plumbnet/plumb/pkg/plan"
)

// spreadKeys are the IPv6 parameters of all links that the kernel copies to each link, and to the default for new ones
// but where it says false (net/ipv6/addrconf.c). Of IPv4 only forwarding is one.
var spreadKeys = map[string]bool{
	"forwarding": true, "disable_ipv6": true, "addr_gen_mode": true, "ignore_routes_with_linkdown": true,
	"force_forwarding": false,
}

// spreads lists what writing a parameter writes beside itself, as paths in which * stands for each link and for
// default; nil for nothing. A default of IPv4 is copied to those links that never had a value of their own
// (net/ipv4/devinet.c: devinet_copy_dflt_conf); in a namespace of the topology's these are plumb's.
func spreads(e *object.Env, k plan.Key) []string {
	path := object.SysctlPath(k.Name)
	part := strings.Split(path, "/")
	switch {
	case k.Name == object.Forwarding4:
		return []string{"net/ipv4/conf/*/forwarding", "net/ipv4/conf/all/accept_redirects"}
	case len(part) != 5 || part[2] != "conf":
		return nil
	}
	_, all6 := spreadKeys[part[4]]
	if part[1] == "ipv6" && part[3] == "all" && all6 || !e.Owns(k.NS) && isDefault4(k.Name) {
		return []string{"net/" + part[1] + "/conf/*/" + part[4]}
	}
	return nil
}

// isDefault4 says whether a parameter is a default that IPv4 copies.
func isDefault4(name string) bool {
	key, ok := strings.CutPrefix(name, object.ConfName(object.IPv4, "default", ""))
	return ok && key != "forwarding"
}

// onDefault is a path of [spreads] for new links.
func onDefault(path string) string { return strings.Replace(path, "*", "default", 1) }

// beside lists the paths of what a parameter writes beside itself.
func beside(e *object.Env, k plan.Key, links []object.LiveLink) (paths []string) {
	for _, path := range spreads(e, k) {
		for _, l := range links {
			if strings.Contains(path, "*") {
				paths = append(paths, strings.Replace(path, "*", l.Name, 1))
			}
		}
		if path = onDefault(path); path != object.SysctlPath(k.Name) {
			paths = append(paths, path)
		}
	}
	return paths
}

// bornValue is what a link would have got that was born before a parameter of all links was written: by the path of its
// default.
func bornValue(path string, all object.Claim) string { return cmp.Or(all.Beside[path], all.Original) }

// beforeSpread is what a parameter was before another one was written that writes it too.
func beforeSpread(e *object.Env, k plan.Key, value string) string {
	this := Sysctl{NS: k.NS, Name: k.Name}
	path := object.SysctlPath(k.Name)
	for _, above := range []string{this.global(), this.def()} {
		all, ok := e.Record.Claim(object.SysctlKey(k.NS, above))
		if !ok {
			continue
		}
		if was, known := all.Beside[path]; known {
			return was
		}
		if _, ofLink := object.SysctlOfLink(k.Name); ofLink { // it was born since
			return bornValue(object.SysctlPath(object.SysctlOn(k.Name, "default")), all)
		}
	}
	return value
}

// restorable is what a parameter has written beside itself and must be given back with it: not what has a claim of its
// own, nor whether plumb's links forward, nor what the kernel gives back with the default of IPv4.
func restorable(e *object.Env, s *object.Section, k plan.Key, claim object.Claim) map[string]string {
	if isDefault4(k.Name) {
		return nil
	}
	rest := maps.Clone(claim.Beside)
	maps.DeleteFunc(rest, func(path, _ string) bool {
		c, ok := e.Record.Claim(object.SysctlKey(k.NS, object.SysctlPath(path)))
		return ok && len(c.Wants) > 0
	})
	for i := range s.Links {
		if l := &s.Links[i]; isSwitch(k.Name) && bearer(e, s, l) != "" {
			delete(rest, strings.Replace(spreads(e, k)[0], "*", l.Name, 1))
		}
	}
	return rest
}

// writeSysctl writes a sysctl. One of all links writes every interface's too: those of links that another topology owns
// get back what they had. With a claim, the write is a restore: each parameter gets back what the claim says,
// interfaces born since get what a new one would have got then, and our own links keep whether they forward.
func writeSysctl(e *object.Env, s *object.Section, v Sysctl, restore *object.Claim) error {
	path := object.SysctlPath(v.Name)
	s.Plain = false
	if v.NS == "" {
		forgetInherited(e)
	}
	if restore != nil && !e.Owns(v.NS) && v.Name == object.ConfName(object.IPv6, "default", acceptRA) {
		if err := lowerBorn(e, s, v.Value); err != nil {
			return err
		}
	}
	if restore == nil && !e.Owns(v.NS) && isDefault4(v.Name) {
		if err := pinParameters(e, s, v.Key()); err != nil {
			return err
		}
	}
	if spreads(e, v.Key()) == nil || isDefault4(v.Name) || e.Owns(v.NS) && isSwitch(v.Name) {
		return s.NS.WriteSysctl(path, v.Value)
	}
	links, err := object.ListLinks(s.NS)
	if err != nil {
		return err
	}
	paths := beside(e, v.Key(), links)
	before, err := s.NS.ReadSysctls(paths)
	if err != nil {
		return err
	}
	if err := s.NS.WriteSysctl(path, v.Value); err != nil {
		return err
	}
	after, err := s.NS.ReadSysctls(paths)
	if err != nil {
		return err
	}
	keep := kept(e, s, v.Key(), links, before, restore)
	maps.DeleteFunc(keep, func(path, want string) bool {
		have, there := after[path]
		return !there || have == want
	})
	return writeBack(s, keep)
}

// writeBack gives parameters their values, but those of links that have gone.
func writeBack(s *object.Section, values map[string]string) error {
	for _, path := range slices.Sorted(maps.Keys(values)) {
		if err := s.NS.WriteSysctl(path, values[path]); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// bearer is the topology whose stamp a link bears; empty for none, and for a copy of a stamp.
func bearer(e *object.Env, s *object.Section, l *object.LiveLink) string {
	topology, _, _, _ := object.ParseAlias(l.Alias)
	if l.Plumbs() && e.Copied(s, l.Index) == "" {
		return topology
	}
	return ""
}

// pinParameters has the links that are not the topology's keep what they have of a parameter whose default is about
// to be written: the kernel copies that to a link on which nobody has written the parameter, as long as it has had no
// IPv4 address. What is written once, be it the same, is its own from then on.
func pinParameters(e *object.Env, s *object.Section, k plan.Key) error {
	links, err := object.ListLinks(s.NS)
	if err != nil {
		return err
	}
	links = slices.DeleteFunc(links, func(l object.LiveLink) bool {
		own := s.At(l.Index)
		return own != nil && own.Class == plan.Ours
	})
	values, err := s.NS.ReadSysctls(beside(e, k, links))
	if err != nil {
		return err
	}
	return writeBack(s, values)
}

// isSwitch says whether a parameter is a global switch of forwarding.
func isSwitch(name string) bool { return name == object.Forwarding4 || name == object.Forwarding6 }

// kept tells what the parameters that one of all links writes beside itself shall be after it.
func kept(e *object.Env, s *object.Section, k plan.Key, links []object.LiveLink, before map[string]string,
	restore *object.Claim) map[string]string {
	keep := make(map[string]string)
	if restore != nil {
		for path := range restore.Beside {
			keep[path] = before[path] // what has a claim of its own is restored by that
		}
		maps.Copy(keep, restorable(e, s, k, *restore))
	}
	each := spreads(e, k)[0]
	for i := range links {
		path := strings.Replace(each, "*", links[i].Name, 1)
		topology := bearer(e, s, &links[i])
		switch _, known := keep[path]; {
		case known && topology != e.Topology && topology != "" && before[path] == restore.Reads(restore.Wants[e.Topology]):
			// It was not put back when the one of all was written.
		case topology != "" && (topology != e.Topology || restore != nil && isSwitch(k.Name)):
			keep[path] = before[path]
		case !known && restore != nil:
			keep[path] = bornValue(onDefault(each), *restore)
		}
	}
	return keep
}
