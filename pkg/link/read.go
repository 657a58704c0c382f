package link

import (
	"cmp"
	"fmt"
	"iter"
	"net/netip"
	"reflect"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/plumbnet/plumb/pkg/object"
	"github.com/plumbnet/plumb/pkg/plan"
)

// Read streams the links of a section, whosever they are; then the wanted ones that can't be there, because the name
// is one more of another link.
func Read(e *object.Env, s *object.Section) iter.Seq[object.Live] {
	return func(yield func(object.Live) bool) {
		linkLocal := s.LinkLocals()
		for i := range s.Links {
			live := &s.Links[i]
			if !yield(object.Live{Object: read(e, s, live, linkLocal[live.Index]), Links: []*object.LiveLink{live}}) {
				return
			}
		}
		for i := range s.Links {
			live := &s.Links[i]
			if live.Class == plan.Ours && !e.Dynamic(object.LinkKey(s.NS.Name, live.Known)) {
				continue // it gives up the altname
			}
			for _, name := range live.Altnames {
				taken := Link{NS: s.NS.Name, Name: name, Ifname: name, Type: live.Type}
				o := object.Live{Object: taken, Links: []*object.LiveLink{live}, Why: altnameOf(s, live, name)}
				if e.Wanted(taken.Key()) && !yield(o) {
					return
				}
			}
		}
	}
}

// altnameOf says whose name it is, and how to take it away.
func altnameOf(s *object.Section, l *object.LiveLink, name string) string {
	inside := ""
	if s.NS.Name != "" {
		inside = " -n " + s.NS.Name
	}
	return fmt.Sprintf("the name is an altname of link %s: choose another, or remove it with "+
		"ip%s link property del dev %s altname %s", placeOf(s, l), inside, l.Name, name)
}

// read makes the comparable value of a live link.
func read(e *object.Env, s *object.Section, live *object.LiveLink, linkLocals []object.LiveAddress) Link {
	want, wanted := e.Want(object.LinkKey(s.NS.Name, live.Known)).(Link)
	derived := derived(linkLocals, live, want)
	linkLocal := derived.Prefix.Addr()
	l := Link{
		NS: s.NS.Name, Name: live.Known, Type: live.Type, Ifname: live.Name, Up: live.Up(), MTU: live.MTU, MAC: live.MAC,
		Group: live.Group, Alias: live.Alias, LinkLocal: plan.Some(linkLocal),
		Forwarding4: live.Forwarding4, Forwarding6: live.Forwarding6, Promote: live.Promote,
		NoARP: live.Flags&unix.IFF_NOARP != 0, NoMulticast: live.Flags&unix.IFF_MULTICAST == 0, TxQLen: live.TxQLen,
	}
	if s.NS.Name == "" || s.Attached != nil {
		l.AcceptRA = plan.Some(live.AcceptRA)
	}
	none := wanted && !want.LinkLocal.V.IsValid()
	switch {
	case live.Disabled6 && none && want.LinkLocal.Set && live.Up() && !live.NoLinkLocal && switchedOn(e, l):
		// The kernel makes one before the plan's own sysctl tells it to make none.
		l.LinkLocal = plan.Some(live.MAC.LinkLocal())
	case live.Disabled6 && (e.WantsIPv6(l.Key()) || early(e, l) && !none && switchedOn(e, l)):
		l.LinkLocal = plan.Some(netip.Addr{})
	case !linkLocal.IsValid() && live.Derives() && !none && (live.Disabled6 || live.Up() && e.OfOthers(s, live.Name) ||
		!e.UsesIPv6() && !(typeOf(l.Type).UpAfterPorts && live.IPv6)):
		l.LinkLocal, l.awaits = plan.Some(live.MAC.LinkLocal()), true
	}
	if typeOf(l.Type).MTUCopied && live.MTU6 != 0 {
		l.MTU6 = plan.Some(live.MTU6)
	}
	if live.Disabled6 {
		l.Disabled6 = plan.Some(true)
	}
	if live.Idle {
		l.Idle = plan.Some(true)
	}
	if live.NoLinkLocal {
		l.GenMode = plan.Some(live.GenMode)
	}
	l.Dynamic, l.Given, l.Managed = want.Dynamic, want.Given, want.Managed
	// Where nothing is declared of IPv6, the kernel may take its time.
	l.Tentative = e.WantsIPv6(l.Key()) && want.LinkLocal.V.IsValid() && derived.Tentative()
	if l.Spec = readSpec(e, s, live, want); want.Type == l.Type && !want.hasOwnMAC() {
		l.MAC, l.found = want.MAC, live.MAC // it has that of its parent, whatever it is told
	}
	if master := s.At(live.Master); master != nil && live.Master != 0 {
		l.Master = master.Known
		if ports := typeOf(master.Type).Ports; ports != nil {
			l.Port = ports.Read(s, live, master, want.Port)
		}
	}
	if IsPair(live.Type) {
		l.Peer = lowerRef(s, live, live.Lower)
	}
	return l
}

// derived is what the kernel has derived from the link's MAC. Of two addresses it is the one that shall not be there.
func derived(linkLocals []object.LiveAddress, live *object.LiveLink, want Link) (a object.LiveAddress) {
	right := want.LinkLocal.V
	if !want.LinkLocal.Set {
		right = live.MAC.LinkLocal()
	}
	for _, a = range linkLocals {
		if a.Prefix.Addr() != right {
			break
		}
	}
	return a
}

// switchedOn says that IPv6 is about to be switched on again on a link: a sysctl of the topology's goes, or says so.
func switchedOn(e *object.Env, l Link) bool {
	return slices.ContainsFunc(e.Record.Claimed(l.NS), func(k plan.Key) bool {
		key := func(name string) string { return object.ConfName(object.IPv6, name, "disable_ipv6") }
		if !slices.Contains([]string{key("all"), key(l.Name), key(l.Ifname)}, k.Name) {
			return false
		}
		is, wanted := e.Want(k).(object.Switcher)
		if !wanted {
			return true
		}
		value, _ := is.Switches(k.NS, k.Name)
		return !object.IsOn(value)
	})
}

// readSpec reads what is peculiar to the link's type.
func readSpec(e *object.Env, s *object.Section, live *object.LiveLink, want Link) Spec {
	t := typeOf(live.Type)
	if t.New == nil {
		return nil
	}
	base := t.unset()
	if known := (*object.In[unlisted](s))[live.Index]; known != nil {
		base = known
	}
	spec, err := decode(live.Data, base, want.Spec, func(index int) object.Ref { return lowerRef(s, live, index) })
	if err != nil {
		s.Warnf("link %s: %v", placeOf(s, live), err)
	}
	if t.Beneath != nil {
		underlay := underlayOf(live)
		if t.AliasTells {
			underlay = toldUnderlay(e, s, live, want.Spec)
		}
		spec = t.Beneath(spec, underlay, lowerRef(s, live, live.Lower))
	}
	if t.Live != nil {
		spec = t.Live(s, live, spec, want.Spec)
	}
	if t.Recall != nil {
		spec = t.Recall(e, live, spec, want, e.Record.Told(object.LinkKey(s.NS.Name, live.Known), live.Index))
	}
	return spec
}

// underlayOf is what the section of a live link's underlay is called, as [Stack.Underlay] has it.
func underlayOf(live *object.LiveLink) object.SectionRef {
	switch {
	case live.LowerNSID < 0:
		return ""
	case live.Far == nil:
		return object.Unknown
	}
	return sectionName(live.Far.NS.Name)
}

// toldUnderlay is the underlay of a link of which its alias tells, and not the kernel. One of ours that has lost its
// alias has the underlay that is wanted; but of one that a crash came upon nobody knows for which file it was made.
func toldUnderlay(e *object.Env, s *object.Section, live *object.LiveLink, wanted Spec) object.SectionRef {
	t := typeOf(live.Type)
	told, stamped := object.AliasUnderlay(live.Alias)
	switch {
	case stamped:
		return told
	case live.Group != object.Group(e.Topology):
		return "" // a hand has made it, where it is
	case live.Alias == "" && e.Record.Pending(object.LinkKey(s.NS.Name, live.Known)):
		return object.Unknown
	case reflect.TypeOf(wanted) == reflect.TypeOf(t.New()):
		return t.Underlay(wanted)
	}
	return object.Unknown
}

// sectionName is what a section is called where a namespace could be named.
func sectionName(ns string) object.SectionRef { return object.SectionRef(cmp.Or(ns, object.HostName)) }

// lowerRef is the place of a link that another one leads to or is made on, by its index there.
func lowerRef(s *object.Section, l *object.LiveLink, index int) object.Ref {
	there := s
	if l.LowerNSID >= 0 {
		there = l.Far
	}
	if there == nil {
		return object.Unknown
	}
	if lower := there.At(index); lower != nil {
		return object.Ref(object.LinkKey(there.NS.Name, lower.Known).Place())
	}
	return object.Unknown
}

// Ask lists the dumps that Read needs: the addresses tell what a link has derived from its MAC.
func Ask(*object.Env, *object.Section) []*object.Dump { return []*object.Dump{object.AddressDump} }
