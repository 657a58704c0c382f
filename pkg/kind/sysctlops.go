package kind

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/plumbnet/plumb/pkg/kernel"
	"github.com/plumbnet/plumb/pkg/plan"
)

// Attributes of RTM_GETNETCONF, linux/netconf.h.
const (
	netconfaIfindex    = 1
	netconfaForwarding = 2
	netconfAll         = -1
)

// forwardingQueries ask for the global forwarding switches of a namespace: those of IPv4 and of IPv6.
var forwardingQueries = []kernel.Query{forwardingQuery(unix.AF_INET), forwardingQuery(unix.AF_INET6)}

// forwardingPaths are the paths of the parameters that say the same.
var forwardingPaths = []string{SysctlPath(Forwarding4), SysctlPath(Forwarding6)}

func forwardingQuery(family uint8) kernel.Query {
	req := kernel.Request(unix.RTM_GETNETCONF, 0)
	head := nl.NewRtGenMsg() // struct netconfmsg has the same form
	head.Family = family
	req.AddData(head)
	message{req}.u32(netconfaIfindex, uint32(0xffffffff))
	return kernel.NewQuery(req, unix.RTM_NEWNETCONF)
}

// forwarding reads the answer: the value that the parameter has too, empty without one, as of IPv6 in a kernel that has none.
func forwarding(r kernel.Reply) (value string, err error) {
	if r.Err != nil && !errors.Is(r.Err, unix.EAFNOSUPPORT) && !errors.Is(r.Err, unix.EOPNOTSUPP) {
		return "", fmt.Errorf("read whether packets are forwarded: %w", r.Err)
	}
	for _, m := range r.Answers {
		value = strconv.Itoa(int(int32(attrs(m[4:]).u32(netconfaForwarding))))
	}
	return value, nil
}

// forwards says whether a switch is on.
func forwards(value string) bool { return value != "" && value != "0" }

// values are those of parameters, by path, of which some may not exist.
type values struct {
	paths  []string
	byPath map[string]string
}

// ReadSysctls reads what listing the sysctls of a section will ask for, if its links have the names that they should, but for the
// switches, which came with the links. The calling thread is in the namespace.
func (e *Env) ReadSysctls(s *Section) error {
	paths := e.sysctlPaths(s, e.sysctlKeys(s))
	if len(paths) == 0 {
		s.sysctls = values{}
		return nil
	}
	byPath := make(map[string]string, len(paths))
	for i, value := range []string{s.forwarding4, s.forwarding6} {
		if value != "" {
			byPath[forwardingPaths[i]] = value
		}
	}
	s.sysctls = values{paths, byPath}
	rest := slices.DeleteFunc(slices.Clone(paths), func(path string) bool { return byPath[path] != "" })
	if len(rest) == 0 {
		return nil
	}
	others, err := kernel.ReadSysctlsHere(rest)
	maps.Copy(byPath, others)
	return err
}

// sysctlKeys lists the sysctls that the topology wants in a section, and those that it has claimed there.
func (e *Env) sysctlKeys(s *Section) []plan.Key {
	keys := e.Record.Sysctls(s.NS.Name)
	for _, o := range e.wantIn[section{s.NS.Name, KindSysctl}].objects {
		keys = append(keys, o.Key())
	}
	slices.SortFunc(keys, plan.Key.Compare)
	return slices.Compact(keys)
}

func (e *Env) sysctlPaths(s *Section, keys []plan.Key) []string {
	paths := make([]string, len(keys))
	for i, k := range keys {
		paths[i] = e.sysctlPath(s, k.Name)
	}
	return paths
}

// listSysctls lists the sysctls of a section.
func listSysctls(e *Env, s *Section) ([]plan.Have, error) {
	keys := e.sysctlKeys(s)
	paths := e.sysctlPaths(s, keys)
	values := s.sysctls.byPath
	if !slices.Equal(paths, s.sysctls.paths) {
		var err error
		if values, err = s.NS.ReadSysctls(paths); err != nil {
			return nil, err
		}
	}
	var have []plan.Have
	for i, k := range keys {
		if value, ok := values[paths[i]]; ok {
			if h, ok := e.sysctl(s, k, value); ok {
				have = append(have, h)
			}
		}
	}
	return have, nil
}

// sysctlPath is the path of a sysctl, by the name that its link has now.
func (e *Env) sysctlPath(s *Section, name string) string {
	path := SysctlPath(name)
	link, ok := SysctlOfLink(name)
	if live := s.byKey[link]; ok && live != nil && live.Name != link {
		part := strings.Split(path, "/")
		part[3] = live.Name
		path = strings.Join(part, "/")
	}
	return path
}

// sysctl tells whose the value of a sysctl is; ok is false when there is nothing to plan about it.
func (e *Env) sysctl(s *Section, k plan.Key, value string) (h plan.Have, ok bool) {
	h = plan.Have{Object: Sysctl{NS: k.NS, Name: k.Name, Value: value}, Class: plan.Loose}
	claim, claimed := e.Record.Sysctl(k)
	if want, wanted := e.want[k].(Sysctl); wanted {
		for _, other := range slices.Sorted(maps.Keys(claim.Wants)) {
			if other != e.Topology && claim.Wants[other] != want.Value {
				h.Class, h.Final = plan.Foreign, true
				h.Why = fmt.Sprintf("topology %s wants %s: the two cannot be on one host", other, claim.Wants[other])
			}
		}
		if owner := e.ownerOfLink(s, k.Name); owner != "" {
			h.Class, h.Final, h.Why = plan.Foreign, true, "the link belongs to topology "+owner+", which decides that"
		}
		return h, true
	}
	wrote, mine := claim.Wants[e.Topology]
	if !claimed || !mine || len(claim.Wants) > 1 {
		return h, false
	}
	if s.Owned && (k.Name == Forwarding4 || k.Name == Forwarding6) {
		return h, false // the namespace's own default
	}
	if link, ok := SysctlOfLink(k.Name); ok && claim.Original == "" && e.copied(s, s.index[link]) != "" {
		return h, false // nobody knows whether it stands on a link of ours
	}
	original := e.original(s, k, claim)
	switch {
	case value != wrote && value != original && !e.Record.Pending(k):
		s.warn("sysctl %s is %s, which is neither what was written (%s) nor what it was before (%s): left alone",
			k.Place(), value, wrote, original)
		return h, false
	case value == original && !differs(s, e.unclaimed(claim.Beside)):
		return h, false
	}
	h.Class, h.Why = plan.Ours, "restored to "+original
	return h, true
}

// unclaimed leaves out the parameters of the host that a claim of their own is on.
func (e *Env) unclaimed(values map[string]string) map[string]string {
	rest := maps.Clone(values)
	maps.DeleteFunc(rest, func(path, _ string) bool {
		c, ok := e.Record.Sysctl(SysctlKey("", SysctlPath(path)))
		return ok && len(c.Wants) > 0
	})
	return rest
}

// differs says whether one of the parameters that are there has another value.
func differs(s *Section, values map[string]string) bool {
	live, err := s.NS.ReadSysctls(slices.Collect(maps.Keys(values)))
	if err != nil {
		return true // the restore will say why
	}
	for path, value := range live {
		if values[path] != value {
			return true
		}
	}
	return false
}

// ownerOfLink names the other topology that manages a parameter, because it is an attribute of a link of its own.
func (e *Env) ownerOfLink(s *Section, name string) string {
	link, ok := SysctlOfLink(name)
	if !ok || !strings.HasSuffix(name, ".forwarding") && !strings.HasSuffix(name, ".promote_secondaries") {
		return ""
	}
	for _, l := range s.Links {
		if topology, _, _, stamped := ParseAlias(l.Alias); l.Name == link && stamped && topology != e.Topology && l.Group == Group(topology) {
			return topology
		}
	}
	return ""
}

// original is the value that a sysctl goes back to. A link of ours has none of its own: it takes the section's
// default, as a new one does.
func (e *Env) original(s *Section, k plan.Key, claim Claim) string {
	this := Sysctl{NS: k.NS, Name: k.Name}
	if all := this.global(); all != "" {
		// What a switch writes too is what the switch says.
		if v, ok := e.want[SysctlKey(k.NS, all)].(Sysctl); ok {
			return this.follows(v.Value)
		}
		if s.Owned && (all == Forwarding4 || all == Forwarding6) {
			return this.follows("0")
		}
	}
	if claim.Original != "" {
		return claim.Original
	}
	part := strings.Split(SysctlPath(k.Name), "/")
	if _, ok := SysctlOfLink(k.Name); !ok {
		return ""
	}
	part[3] = "default"
	path := strings.Join(part, "/")
	def := SysctlKey(k.NS, SysctlPath(path))
	if c, ok := e.Record.Sysctl(def); ok && !e.Wanted(def) && len(c.Wants) == 1 && c.Wants[e.Topology] != "" {
		return c.Original // the default is about to be restored too
	}
	values, err := s.NS.ReadSysctls([]string{path})
	if err != nil {
		e.Warn(fmt.Sprintf("sysctl %s: %v", k.Place(), err))
	}
	return values[path]
}

// OriginalOf reads what a claim on a sysctl must remember before the first write to it. A sysctl of a link of ours
// needs nothing; a switch of forwarding needs all that it writes beside itself.
func OriginalOf(e *Env, k plan.Key) (Claim, error) {
	c := Claim{Wants: make(map[string]string)}
	s := e.Section(k.NS)
	if s == nil {
		return c, nil
	}
	if link, ok := SysctlOfLink(k.Name); ok && e.ownLink(s, link) {
		return c, nil
	}
	path := SysctlPath(k.Name)
	values, err := s.NS.ReadSysctls([]string{path})
	if err != nil {
		return c, err
	}
	c.Original = values[path]
	if k.NS != "" {
		return c, nil
	}
	for _, name := range []string{Forwarding4, Forwarding6} {
		if all, ok := e.Record.Sysctl(SysctlKey("", name)); ok {
			c.Original = cmp.Or(all.Beside[path], c.Original) // what it was before the switch was written
		}
	}
	if k.Name == Forwarding4 || k.Name == Forwarding6 {
		c.Beside, err = s.NS.ReadSysctls(besides(k.Name, s.Links))
	}
	for path := range c.Beside {
		if own, ok := e.Record.Sysctl(SysctlKey("", SysctlPath(path))); ok {
			c.Beside[path] = cmp.Or(own.Original, c.Beside[path])
		}
	}
	return c, err
}

func (e *Env) ownLink(s *Section, name string) bool {
	l := s.byKey[name]
	if l == nil {
		return e.Wanted(LinkKey(s.NS.Name, name))
	}
	return e.stamp(s, l).class == plan.Ours
}

// besides lists the paths of what a global forwarding switch writes beside itself (net/ipv4/devinet.c:
// inet_forward_change, net/ipv6/addrconf.c: addrconf_fixup_forwarding).
func besides(key string, links []LiveLink) []string {
	family, paths := "ipv6", []string{"net/ipv6/conf/default/forwarding"}
	if key == Forwarding4 {
		family, paths = "ipv4", []string{"net/ipv4/conf/default/forwarding", "net/ipv4/conf/all/accept_redirects"}
	}
	for _, l := range links {
		paths = append(paths, "net/"+family+"/conf/"+l.Name+"/forwarding")
	}
	return paths
}

// putSysctl writes a sysctl.
func putSysctl(e *Env, changes []plan.Change) error {
	for _, c := range changes {
		v, ok := c.New.(Sysctl)
		if !ok {
			return wrongType(KindSysctl, c.New)
		}
		s, err := e.section(v.NS)
		if err != nil {
			return err
		}
		if err := e.writeSysctl(s, v, nil); err != nil {
			return err
		}
	}
	return nil
}

// writeSysctl writes a sysctl. A switch of the host's forwarding writes every interface's too: those of links that
// another topology owns get back what they had. With a claim, the write is a restore: each parameter gets back what the
// claim says, interfaces born since get what a new one would have got then, and our own links keep what they have.
func (e *Env) writeSysctl(s *Section, v Sysctl, restore *Claim) error {
	path := SysctlPath(v.Name)
	s.plain = false
	if v.NS == "" {
		e.forgetInherited()
	}
	if v.NS != "" || v.Name != Forwarding4 && v.Name != Forwarding6 {
		return s.NS.WriteSysctl(path, v.Value)
	}
	links, err := ListLinks(s.NS)
	if err != nil {
		return err
	}
	paths := besides(v.Name, links)
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
	for path, want := range e.kept(s, v.Name, links, before, restore) {
		if have, there := after[path]; !there || have == want {
			continue
		}
		if err := s.NS.WriteSysctl(path, want); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// kept tells what the parameters that a forwarding switch writes beside itself shall be after it.
func (e *Env) kept(s *Section, name string, links []LiveLink, before map[string]string, restore *Claim) map[string]string {
	keep := make(map[string]string)
	if restore != nil {
		for path := range restore.Beside {
			keep[path] = before[path] // what has a claim of its own is restored by that
		}
		maps.Copy(keep, e.unclaimed(restore.Beside))
	}
	for _, l := range links {
		paths := besides(name, []LiveLink{l})
		path := paths[len(paths)-1]
		topology, _, _, marked := ParseAlias(l.Alias)
		stamped := marked && l.Group == Group(topology) && e.copied(s, l.Index) == ""
		switch _, known := keep[path]; {
		case stamped && (topology != e.Topology || restore != nil):
			keep[path] = before[path]
		case !known && restore != nil:
			keep[path] = cmp.Or(restore.Beside[paths[0]], restore.Original)
		}
	}
	return keep
}

// delSysctls restores sysctls to what they were before any topology wanted them.
func delSysctls(e *Env, objects []plan.Object) error {
	for _, o := range objects {
		v, ok := o.(Sysctl)
		if !ok {
			return wrongType(KindSysctl, o)
		}
		s, err := e.section(v.NS)
		if err != nil {
			continue // the namespace is gone, and its sysctls
		}
		claim, _ := e.Record.Sysctl(v.Key())
		if v.Value = e.original(s, v.Key(), claim); v.Value == "" {
			continue
		}
		if err := e.writeSysctl(s, v, &claim); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}
