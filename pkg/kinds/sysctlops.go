package kinds

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/plumbnet/plumb/pkg/kernel"
	"github.com/plumbnet/plumb/pkg/object"
	"github.com/plumbnet/plumb/pkg/plan"
)

// Attributes of RTM_GETNETCONF, linux/netconf.h.
const (
	netconfaIfindex    = 1
	netconfaForwarding = 2
	netconfAll         = -1
)

// switches are the global forwarding switches of a section, empty where there is none.
type switches struct{ four, six string }

// askSwitches asks for them.
func askSwitches(_ *object.Env, s *object.Section, _ *kernel.Namespace) ([]object.Question, func(), error) {
	found := object.In[switches](s)
	four, six := forwardingQuestion(unix.AF_INET, &found.four), forwardingQuestion(unix.AF_INET6, &found.six)
	return []object.Question{four, six}, func() {}, nil
}

func forwardingQuestion(family uint8, value *string) object.Question {
	head := nl.NewRtGenMsg() // struct netconfmsg has the same form
	head.Family = family
	m := kernel.NewMessage(unix.RTM_GETNETCONF, 0, head)
	m.U32(netconfaIfindex, uint32(0xffffffff))
	query := kernel.NewQuery(m.NetlinkRequest, unix.RTM_NEWNETCONF)
	return object.Question{Query: query, Answer: func(r kernel.Reply) (err error) {
		*value, err = forwarding(r)
		return err
	}}
}

// forwarding reads the answer: the value that the parameter has too, empty without one, as of IPv6 in a kernel that
// has none.
func forwarding(r kernel.Reply) (value string, err error) {
	if r.Err != nil && !errors.Is(r.Err, unix.EAFNOSUPPORT) && !errors.Is(r.Err, unix.EOPNOTSUPP) {
		return "", fmt.Errorf("read whether packets are forwarded: %w", r.Err)
	}
	for _, m := range r.Answers {
		value = strconv.Itoa(int(int32(kernel.Attrs(m[4:]).U32(netconfaForwarding))))
	}
	return value, nil
}

// values are those of parameters, by path; nil of one that does not exist.
type values map[string]*string

// fetchSysctls reads the parameters that the topology wants or claims in a section, but for the switches, which came
// with the links.
func fetchSysctls(e *object.Env, s *object.Section, enter func(func() error) error) error {
	known, on := object.In[values](s), object.In[switches](s)
	if *known == nil {
		*known = values{
			object.SysctlPath(object.Forwarding4): orNil(on.four),
			object.SysctlPath(object.Forwarding6): orNil(on.six),
		}
	}
	var missing []string
	for _, k := range sysctlKeys(e, s) {
		path := sysctlPath(s, k.Name)
		if _, asked := (*known)[path]; !asked {
			missing = append(missing, path)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	return enter(func() error {
		found, err := kernel.ReadSysctlsHere(missing)
		for _, path := range missing {
			(*known)[path] = nil
			if v, ok := found[path]; ok {
				(*known)[path] = &v
			}
		}
		return err
	})
}

func orNil(value string) *string {
	if value == "" {
		return nil
	}
	return &value
}

// sysctlKeys lists the sysctls that the topology wants in a section, and those that it has claimed there.
func sysctlKeys(e *object.Env, s *object.Section) []plan.Key {
	keys := slices.DeleteFunc(e.Record.Claimed(s.NS.Name), func(k plan.Key) bool { return k.Kind != object.KindSysctl })
	for _, o := range e.WantedHere(s.NS.Name, object.KindSysctl) {
		keys = append(keys, o.Key())
	}
	slices.SortFunc(keys, plan.Key.Compare)
	return slices.Compact(keys)
}

// readSysctls streams those parameters.
func readSysctls(e *object.Env, s *object.Section) iter.Seq[object.Live] {
	return func(yield func(object.Live) bool) {
		known := *object.In[values](s)
		for _, k := range sysctlKeys(e, s) {
			value := known[sysctlPath(s, k.Name)]
			if value == nil {
				continue
			}
			live := Sysctl{NS: k.NS, Name: k.Name, Value: *value}
			if !yield(object.Live{Object: asWritten(e, live)}) {
				return
			}
		}
	}
}

// asWritten gives a live value the form in which the file has it, where the kernel is known to have made the one of the
// other.
func asWritten(e *object.Env, live Sysctl) Sysctl {
	want, wanted := e.Want(live.Key()).(Sysctl)
	if !wanted || want.Value == live.Value {
		return live
	}
	if claim, _ := e.Record.Claim(live.Key()); claim.Reads(want.Value) == live.Value {
		return want
	}
	return live
}

// sysctlPath is the path of a sysctl, by the name that its link has now.
func sysctlPath(s *object.Section, name string) string {
	path := object.SysctlPath(name)
	link, ok := object.SysctlOfLink(name)
	if live := s.Link(link); ok && live != nil && live.Name != link {
		part := strings.Split(path, "/")
		part[3] = live.Name
		path = strings.Join(part, "/")
	}
	return path
}

// claimedSysctls is the [object.Owner] of parameters: the host record tells who wants what.
func claimedSysctls(e *object.Env, s *object.Section, live iter.Seq[object.Live]) (have []plan.Have, err error) {
	for l := range live {
		v, ok := l.Object.(Sysctl)
		if !ok {
			return nil, object.WrongType(object.KindSysctl, l.Object)
		}
		if h, ok := claimedSysctl(e, s, v); ok {
			have = append(have, h)
		}
	}
	return have, nil
}

// claimedSysctl tells whose the value of a parameter is; ok is false when there is nothing to plan about it.
func claimedSysctl(e *object.Env, s *object.Section, v Sysctl) (h plan.Have, ok bool) {
	k, value := v.Key(), v.Value
	h = plan.Have{Object: v, Class: plan.Loose}
	claim, claimed := e.Record.Claim(k)
	if want, wanted := e.Want(k).(Sysctl); wanted {
		for _, other := range slices.Sorted(maps.Keys(claim.Wants)) {
			if other != e.Topology && claim.Reads(claim.Wants[other]) != claim.Reads(want.Value) {
				h.Class, h.Final = plan.Foreign, true
				h.Why = fmt.Sprintf("topology %s wants %s: the two cannot be on one host", other, claim.Wants[other])
			}
		}
		if owner := ownerOfLink(e, s, k.Name); owner != "" {
			h.Class, h.Final, h.Why = plan.Foreign, true, "the link belongs to topology "+owner+", which decides that"
		}
		return h, true
	}
	wrote, mine := claim.Wants[e.Topology]
	if !claimed || !mine || len(claim.Wants) > 1 {
		return h, false
	}
	if s.Owned && (k.Name == object.Forwarding4 || k.Name == object.Forwarding6) {
		return h, false // the namespace's own default
	}
	if link, ok := object.SysctlOfLink(k.Name); ok && claim.Original == "" && e.Copied(s, s.Known(link)) != "" {
		return h, false // nobody knows whether it stands on a link of ours
	}
	original, known := original(e, s, k, claim)
	switch {
	case !known:
		if !ownLink(e, s, linkOf(k.Name)) {
			s.Warnf("sysctl %s stays %s: it had no value before that could be given back", k.Place(), value)
		}
		return h, false
	case value != claim.Reads(wrote) && value != original && !e.Record.Pending(k):
		s.Warnf("sysctl %s is %s, which is neither what was written (%s) nor what it was before (%s): left alone",
			k.Place(), value, wrote, original)
		return h, false
	case value == original && !differs(s, restorable(e, s, k, claim)):
		return h, true // nothing is to be done, but a rollback wants what it is
	}
	v.restored = original
	h.Object, h.Class, h.Why = v, plan.Ours, "restored to "+cmp.Or(original, `""`)
	return h, true
}

// differs says whether one of the parameters that are there has another value.
func differs(s *object.Section, values map[string]string) bool {
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
func ownerOfLink(e *object.Env, s *object.Section, name string) string {
	link, ok := object.SysctlOfLink(name)
	if !ok || !strings.HasSuffix(name, ".forwarding") && !strings.HasSuffix(name, "."+promoteSecondaries) {
		return ""
	}
	for _, l := range s.Links {
		topology, _, _, stamped := object.ParseAlias(l.Alias)
		if l.Name == link && stamped && topology != e.Topology && l.Group == object.Group(topology) {
			return topology
		}
	}
	return ""
}

// original is the value that a sysctl goes back to, if it is known. A link of ours has none of its own: it takes the
// section's default, as a new one does.
func original(e *object.Env, s *object.Section, k plan.Key, claim object.Claim) (value string, known bool) {
	this := Sysctl{NS: k.NS, Name: k.Name}
	all := this.global()
	if all != "" {
		// What a switch writes too is what the switch says.
		if v, ok := e.Want(object.SysctlKey(k.NS, all)).(Sysctl); ok {
			return this.follows(v.Value), true
		}
		if s.Owned && (all == object.Forwarding4 || all == object.Forwarding6) {
			return this.follows("0"), true
		}
	}
	if _, ok := object.SysctlOfLink(k.Name); !ok || claim.Original != "" {
		return claim.Original, true
	}
	name := object.SysctlOn(k.Name, "default")
	def, path := object.SysctlKey(k.NS, name), object.SysctlPath(name)
	if c, ok := e.Record.Claim(def); ok && leaves(e, def, c) {
		return c.Original, true // the default is about to be restored too
	}
	above := object.SysctlKey(k.NS, all)
	if c, ok := e.Record.Claim(above); ok && leaves(e, above, c) {
		return bornValue(path, c), true // as above, by what is of all
	}
	values, err := s.NS.ReadSysctls([]string{path})
	if err != nil {
		e.Warn(fmt.Sprintf("sysctl %s: %v", k.Place(), err))
	}
	value, known = values[path]
	return value, known
}

// leaves says whether a claim is about to end: only this topology has it, and it no longer wants it.
func leaves(e *object.Env, k plan.Key, c object.Claim) bool {
	_, mine := c.Wants[e.Topology]
	return mine && len(c.Wants) == 1 && !e.Wanted(k)
}

// wishSysctl says what a parameter must be recorded for. The switches of a namespace of the topology's follow from what
// plumb makes of a namespace.
func wishSysctl(e *object.Env, o plan.Object) []object.Wish {
	v, ok := o.(Sysctl)
	if !ok || e.Owns(v.NS) && isSwitch(v.Name) {
		return nil
	}
	k := v.Key()
	return []object.Wish{{Key: k, Value: v.Value, Original: func() (object.Claim, error) { return originalOf(e, k) }}}
}

// originalOf reads what a claim on a parameter must remember before the first write to it. A parameter of a link of
// ours needs nothing; one of all links needs what it writes beside itself.
func originalOf(e *object.Env, k plan.Key) (object.Claim, error) {
	c := object.Claim{Wants: make(map[string]string)}
	s, err := e.Section(k.NS)
	if err != nil {
		return c, nil // it is made with the plan
	}
	if link, ok := object.SysctlOfLink(k.Name); ok && ownLink(e, s, link) {
		return c, nil
	}
	path := object.SysctlPath(k.Name)
	values, err := s.NS.ReadSysctls([]string{path})
	if err != nil {
		return c, err
	}
	c.Original = beforeSpread(e, k, values[path])
	if link, ok := object.SysctlOfLink(k.Name); ok {
		c.Index = s.Known(link)
	}
	if spreads(e, k) == nil {
		return c, nil
	}
	if c.Beside, err = s.NS.ReadSysctls(beside(e, k, s.Links)); err != nil {
		return c, err
	}
	c.Indexes = make(map[string]int)
	for path, value := range c.Beside {
		own := object.SysctlKey(k.NS, object.SysctlPath(path))
		if claim, ok := e.Record.Claim(own); ok {
			c.Beside[path] = cmp.Or(claim.Original, value)
		}
		if link, ok := object.SysctlOfLink(own.Name); ok {
			c.Indexes[path] = s.Known(link)
		}
	}
	return c, nil
}

func ownLink(e *object.Env, s *object.Section, name string) bool {
	l := s.Link(name)
	if k := object.LinkKey(s.NS.Name, name); l == nil {
		return e.Wanted(k) && !e.Given(k)
	}
	return l.Class == plan.Ours
}

// putSysctl writes a sysctl.
func putSysctl(e *object.Env, changes []plan.Change) error {
	for _, c := range changes {
		v, ok := c.New.(Sysctl)
		if !ok {
			return object.WrongType(object.KindSysctl, c.New)
		}
		s, err := e.Section(v.NS)
		if err != nil {
			return err
		}
		if err := writeBeside(e, s, v.Name, func() error { return writeSysctl(e, s, v, nil) }); err != nil {
			return err
		}
		if err := learn(e, s, v); err != nil {
			return err
		}
	}
	return nil
}

// learn reads back what was written: the kernel may write it otherwise, and that is what will be compared from now on.
func learn(e *object.Env, s *object.Section, v Sysctl) error {
	if _, claimed := e.Record.Claim(v.Key()); !claimed {
		return nil // a switch, which is 0 or 1
	}
	path := object.SysctlPath(v.Name)
	values, err := s.NS.ReadSysctls([]string{path})
	if read, ok := values[path]; ok {
		e.Record.Learn(v.Key(), v.Value, read)
	}
	return err
}

// delSysctls restores sysctls to what they were before any topology wanted them.
func delSysctls(e *object.Env, objects []plan.Object) error {
	for _, o := range objects {
		v, ok := o.(Sysctl)
		if !ok {
			return object.WrongType(object.KindSysctl, o)
		}
		s, err := e.Section(v.NS)
		if err != nil {
			continue // the namespace is gone, and its sysctls
		}
		claim, _ := e.Record.Claim(v.Key())
		value, known := original(e, s, v.Key(), claim)
		if !known {
			continue
		}
		v.Value = value
		if err := writeSysctl(e, s, v, &claim); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}
