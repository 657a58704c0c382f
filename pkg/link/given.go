package link

import (
	"cmp"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"

	"github.com/plumbnet/plumb/pkg/file"
	"github.com/plumbnet/plumb/pkg/object"
	"github.com/plumbnet/plumb/pkg/plan"
)

// typeGiven is what a link is called in the file that is there already: only the host tells its type.
const typeGiven = "existing"

// presence is the key of a link that is there already, and that plumb did not make. Only what else the file says of it
// is wanted; all that plumb changes of it is in the host record, and becomes what it was.
type presence struct {
	Existing file.Flag `file:"existing" doc:"it is there already: only what stands beside this is changed, for a time"`
}

func newPresence() any { return new(presence) }

// given enters that a link is there already. What others put on it is theirs.
func given(l *object.Iface) {
	l.Given, l.Dynamic = true, true
}

// givenMaster enters a bond or a VRF that is there already, and reports options of it that would be changed: these say no
// more than what its ports have of it.
func givenMaster(l *object.Iface, at file.Spots) {
	if v, ok := l.Spec.(VRF); ok {
		l.Table = uint32(v.Table)
	}
	for _, name := range namesOf(l.Spec) {
		if name != "mode" && name != "table" && at.Given(name) {
			l.Section.Clash(file.Error, at.At(name), l.Spots.At("existing"),
				"%s is there already, and plumb does not change %s of it", l, name)
		}
	}
}

// isAsDeclared says why a link that is there already is not what the file says that it is.
func (l Link) isAsDeclared(have Link) error {
	is := cmp.Or(have.Type, "a physical interface")
	switch spec := have.Spec.(type) {
	case VRF:
		if want, ok := l.Spec.(VRF); ok && want.Table != spec.Table {
			return fmt.Errorf("has table %d, and not %d: correct the file", spec.Table, want.Table)
		}
	case Bond:
		if want, ok := l.Spec.(Bond); ok && want.Mode != spec.Mode {
			return fmt.Errorf("has mode %s, and not %s: correct the file", spec.Mode, want.Mode)
		}
	}
	switch {
	case l.Type == typeGiven || l.Type == have.Type:
		return nil
	case l.Type == TypeBridge:
		return fmt.Errorf("is no bridge, but %s: declare it in interfaces", is)
	}
	return fmt.Errorf("is no %s, but %s: correct the file", l.Type, is)
}

// joinsGiven is a link with what a bond that is there already gives its ports.
func joinsGiven(e *object.Env, l Link) Link {
	bond, _ := e.Want(object.LinkKey(l.NS, l.Master)).(Link)
	s := e.Sections[l.NS]
	if l.Master == "" || !bond.Given || bond.Type != TypeBond || s == nil {
		return l
	}
	live := s.At(s.Known(bond.Name))
	if live == nil {
		return l
	}
	have := read(e, s, live, s.LinkLocals()[live.Index])
	if !hasPorts(s, bond.Name, func(*object.LiveLink) bool { return true }) && !bond.Managed.Has(macName) {
		have.MAC = l.MAC // it takes that of its first port
	}
	if b, ok := have.Spec.(Bond); ok {
		l.Port = BondPort{b.roams()}
	}
	bond, _ = plan.Over(bond, have).(Link)
	return adaptToBond(l, bond)
}

// declareGiven is what to do about a bridge that the file does not declare, and that the host may have.
func declareGiven(s *object.Sense, bridge string) string {
	if s.Name != "" {
		return "" // the file knows what is in a namespace
	}
	return "if it is there already, declare it as existing: bridges: {" + bridge + ": {existing: true}}"
}

// ofGiven is a link as it is declared, but that of one that is there already only what the file says is wanted. A key
// stands for the attributes whose names begin with it, as arp for "arp off".
func ofGiven(l *object.Iface, o Link) Link {
	if !l.Given {
		return o
	}
	o.Given, o.Group, o.Alias, o.Idle = true, 0, "", plan.Opt[bool]{}
	var names []string
	for name := range plan.Values(Link{Spec: o.Spec}) {
		if key, _, _ := strings.Cut(name, " "); l.Spots.Good(key) {
			names = append(names, name)
		}
	}
	if l.Spots.Good(upName) {
		names = append(names, neverUp)
	}
	if l.Master != nil {
		names = append(append(names, portOptions), namesOf(o.Port)...)
	}
	o.Managed = plan.NewFields(names...)
	return o
}

// Attributes that go with others: whether a link was never up with whether it is up, what its master keeps of it with
// the master, and the address that the kernel has derived from the MAC with that.
const (
	neverUp     = "never up"
	portOptions = "options of the port"
	masterName  = "master"
	macName     = "mac"
	mtuName     = "mtu"
	upName      = "up"

	linkLocalName = "link-local address"
)

// namesOf lists the attributes of a spec; nil has none.
func namesOf(s Spec) (names []string) {
	if s == nil {
		return nil
	}
	for name := range plan.Values(s) {
		names = append(names, name)
	}
	return names
}

// errNotThere is about a link that is declared as existing.
var errNotThere = errors.New("is not there, and plumb does not make what is declared as existing")

// settleGiven finds a link that is there already. All that the file does not say of it is wanted as it is.
func settleGiven(e *object.Env, l Link) (plan.Object, error) {
	s := e.Sections[l.NS]
	if s == nil {
		return nil, fmt.Errorf("%w: namespace %s is yet to be made", errNotThere, l.NS)
	}
	live := s.At(s.Known(l.Name))
	if live == nil {
		return nil, notThere(s, l.Name)
	}
	have := read(e, s, live, s.LinkLocals()[live.Index])
	if err := l.isAsDeclared(have); err != nil {
		return nil, err
	}
	o, _ := plan.Over(l, have).(Link)
	o.Port = joinsGiven(e, o).Port
	o.Port = costing(o.Port, have.Type)
	if o.Pinned = pins(e, s, o); o.Pinned {
		o.Managed = o.Managed.Plus(macName)
	}
	if o.enslaves().FromDown && !o.Managed.Has(upName) { // it comes up with that
		o.Up, o.Managed = true, o.Managed.Plus(upName)
	}
	// One that has none will get it when it comes up.
	comes := !have.CarriesIPv6() && live.IPv6 && !o.enslaves().NoLinkLocal
	if o.Managed.Has(macName) && !o.Pinned && o.CarriesIPv6() && (have.LinkLocal.V.IsValid() || comes) {
		o.LinkLocal, o.Managed = plan.Some(o.MAC.LinkLocal()), o.Managed.Plus(linkLocalName)
	}
	return giveBack(e, s, live, o)
}

// notThere tells of a link that is there by another name.
func notThere(s *object.Section, name string) error {
	var names []string
	for _, other := range s.Links {
		if slices.Contains(other.Altnames, name) {
			return fmt.Errorf("%w: it is an altname of %s, declare that", errNotThere, other.Name)
		}
		names = append(names, other.Name)
	}
	if near := file.Suggest(name, names); near != "" {
		return fmt.Errorf("%w: %s", errNotThere, near)
	}
	return fmt.Errorf("%w: plug it in, or correct the name", errNotThere)
}

// pins says whether the MAC of a bridge or a bond must be recorded although the file does not want another: one that was
// told none takes those of its ports, and has another, or none at all, when the last has left.
func pins(e *object.Env, s *object.Section, l Link) bool {
	if l.Type != TypeBridge && l.Type != TypeBond || l.Managed.Has(macName) || !plugged(e, l) {
		return false
	}
	claim, known := e.Record.Claim(object.AttributeKey(l.NS, l.Name, macName))
	if known { // one that was told a MAC keeps it
		return claim.Wants[e.Topology] == anyValue
	}
	return !hasPorts(s, l.Name, func(*object.LiveLink) bool { return true })
}

// hasPorts says whether a bridge has ports of some sort.
func hasPorts(s *object.Section, bridge string, of func(*object.LiveLink) bool) bool {
	master := s.Known(bridge)
	return slices.ContainsFunc(s.Links, func(port object.LiveLink) bool { return port.Master == master && of(&port) })
}

// plugged says whether the topology wants ports on a bridge.
func plugged(e *object.Env, bridge Link) bool {
	return slices.ContainsFunc(e.WantedHere(bridge.NS, object.KindLink), func(o plan.Object) bool {
		port, _ := o.(Link)
		return port.Master == bridge.Name
	})
}

// anyValue is the wish for an attribute that the kernel changes by itself because of what is wanted elsewhere.
const anyValue = ""

// Wishes lists what a link that is there already is to be, attribute by attribute.
func Wishes(e *object.Env, o plan.Object) (list []object.Wish) {
	l, ok := o.(Link)
	if !ok || !l.Given {
		return nil
	}
	s, err := e.Section(l.NS) // while others may be made
	if err != nil || s.At(s.Known(l.Ifname)) == nil {
		return nil
	}
	live := s.At(s.Known(l.Ifname))
	was := stored(read(e, s, live, s.LinkLocals()[live.Index]))
	wants, back := stored(l), slices.Collect(l.Back.All())
	if !wasPort(e, l, was) {
		maps.DeleteFunc(was, func(name, _ string) bool { return slices.Contains(namesOf(l.Port), name) })
	}
	for _, name := range slices.Sorted(maps.Keys(was)) {
		value, known := wants[name]
		if !known || !l.Managed.Has(name) || slices.Contains(back, name) {
			continue
		}
		if name == macName && l.Pinned {
			value = anyValue
		}
		list = append(list, object.Wish{
			Key: object.AttributeKey(l.NS, l.Ifname, name), Value: value,
			Original: func() (object.Claim, error) {
				original := was[name]
				switch {
				case name == linkLocalName:
					original = linkLocalBefore(e, l, original)
				case name == mtuName && live.Type == TypeBridge:
					original = stored(Link{MTU: mtuBefore(s, live)})[mtuName]
				}
				claim := object.Claim{Original: original, Index: live.Index, Wants: make(map[string]string)}
				if name == masterName {
					claim.Master = live.Master
				}
				return claim, nil
			},
		})
	}
	return list
}

// mtuBefore is the MTU that a bridge would have without ports of plumb's: one that was told none has that of its ports
// (net/bridge/br_if.c: br_mtu_min).
func mtuBefore(s *object.Section, bridge *object.LiveLink) uint32 {
	var all, theirs uint32
	for _, port := range s.Links {
		if port.Master != bridge.Index {
			continue
		}
		if all == 0 || port.MTU < all {
			all = port.MTU
		}
		if port.Class != plan.Ours && (theirs == 0 || port.MTU < theirs) {
			theirs = port.MTU
		}
	}
	if bridge.MTU != all {
		return bridge.MTU
	}
	return cmp.Or(theirs, object.DefaultMTU)
}

// linkLocalBefore is the link-local address that a link had before it got the MAC that is wanted: it may have come up
// after that.
func linkLocalBefore(e *object.Env, l Link, now string) string {
	claim, known := e.Record.Claim(object.AttributeKey(l.NS, l.Ifname, macName))
	if !known {
		return now
	}
	o, err := plan.Restore(l, macName, claim.Original)
	if before, ok := o.(Link); err == nil && ok {
		before.LinkLocal = plan.Some(before.MAC.LinkLocal())
		return stored(before)[linkLocalName]
	}
	return now
}

// wasPort says whether a link was the port of a master before any topology wanted it to be another's: else its options
// as a port go with the port.
func wasPort(e *object.Env, l Link, was map[string]string) bool {
	master := was[masterName]
	if claim, known := e.Record.Claim(object.AttributeKey(l.NS, l.Ifname, masterName)); known {
		master = claim.Original
	}
	return master != noMaster
}

// noMaster is how [plan.Store] writes that a link has none.
const noMaster = `""`

// stored are all attributes of a link as the record has them.
func stored(l Link) map[string]string {
	values := make(map[string]string)
	for name, value := range plan.Values(l) {
		if text, err := plan.Store(value); err == nil { // as a test says of all
			values[name] = text
		}
	}
	return values
}

// Pending lists the links that a step makes or removes, and the attributes that it changes of one that is there already:
// it cannot be seen afterwards whether that was done.
func Pending(a plan.Action, c plan.Change) (list []object.Pending) {
	l, _ := c.New.(Link)
	switch {
	case l.Given && c.Old != nil:
		fields, _ := plan.Compare(l, c.Old)
		for _, f := range fields {
			list = append(list, object.Pending{Key: object.AttributeKey(l.NS, l.Ifname, f.Name)})
		}
		return list
	case a == plan.Update:
		return nil
	case c.New != nil && l.hasOwnMAC():
		return []object.Pending{{Key: c.Key(), MAC: l.MAC}}
	}
	return []object.Pending{{Key: c.Key()}}
}

// Returns lists the links that the topology has changed and that the file does not declare any longer, as they were.
func Returns(e *object.Env) (list []plan.Object, err error) {
	for _, ns := range slices.Sorted(maps.Keys(e.Sections)) {
		s := e.Sections[ns]
		for _, live := range left(e, s) {
			l, err := again(e, s, live)
			if err != nil {
				return nil, err
			}
			if l.Back.Len() > 0 {
				list = append(list, l)
			}
		}
	}
	return list, nil
}

// left lists the links of a section that the topology has changed, and does not declare.
func left(e *object.Env, s *object.Section) (list []*object.LiveLink) {
	names := make(map[string]bool)
	for _, k := range e.Record.Claimed(s.NS.Name) {
		if name, _, ok := object.AttributeOf(k); ok && !e.Wanted(object.LinkKey(s.NS.Name, name)) {
			names[name] = true
		}
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if live := s.At(s.Known(name)); live != nil && !live.Plumbs() {
			list = append(list, live)
		}
	}
	return list
}

// again is such a link as it was.
func again(e *object.Env, s *object.Section, live *object.LiveLink) (Link, error) {
	l := Link{
		NS: s.NS.Name, Name: live.Name, Ifname: live.Name, Dynamic: true, Given: true, Managed: plan.NewFields(),
	}
	l, _ = plan.Over(l, read(e, s, live, s.LinkLocals()[live.Index])).(Link)
	return giveBack(e, s, live, l)
}

// Course is a link that plumb did not make, as it is, and as it will be by what the topology wants of it, or wants no
// longer.
type Course struct {
	Live     *object.LiveLink
	From, To Link
}

// courses are those of the sections that were asked for.
type courses map[*object.Section][]Course

// Courses lists those of a section. What cannot be, [Settle] tells. They are those by what was wanted when they were
// first asked for in a look: the kinds do so when they say what returns.
func Courses(e *object.Env, s *object.Section) []Course {
	known := object.In[courses](e)
	list, asked := (*known)[s]
	if !asked {
		if *known == nil {
			*known = make(courses)
		}
		list = coursesOf(e, s)
		(*known)[s] = list
	}
	return list
}

func coursesOf(e *object.Env, s *object.Section) (list []Course) {
	if !e.ChangesGiven(s.NS.Name) {
		return nil
	}
	add := func(live *object.LiveLink, o plan.Object, err error) {
		if to, ok := o.(Link); ok && err == nil {
			list = append(list, Course{live, read(e, s, live, s.LinkLocals()[live.Index]), to})
		}
	}
	for _, o := range e.WantedHere(s.NS.Name, object.KindLink) {
		if l, ok := o.(Link); ok && l.Given {
			o, err := settleGiven(e, l)
			add(s.At(s.Known(l.Name)), o, err)
		}
	}
	for _, live := range left(e, s) {
		l, err := again(e, s, live)
		add(live, l, err)
	}
	return list
}

// Carries says whether an address, or whatever else stands on links, can be on the link as it will be.
func (c Course) Carries(o plan.Dependent) bool { return c.To.carries(o) }

// Takes says whether the kernel takes such an object of others on the way there.
func (c Course) Takes(o plan.Dependent) bool {
	_, stays := o.After(c.From, c.To, nowhere{})
	return c.From.carries(o) && !(stays && c.To.carries(o))
}

// carries says whether something can stand on the link: on a port that gives all to its master nothing is of use.
func (l Link) carries(o plan.Dependent) bool {
	_, ok := o.After(l, l, nowhere{})
	return ok && !l.enslaves().FromDown
}

// Tables are those of a VRF of the topology that the link is a port of, before and after; 0 for none.
func (c Course) Tables(s *object.Section) (before, after uint32) {
	if master := s.At(c.Live.Master); c.From.inVRF() && master != nil && master.Class == plan.Ours {
		before = c.From.Table()
	}
	if _, ok := c.To.Onto(); ok && c.To.inVRF() {
		after = c.To.Table()
	}
	return before, after
}

// nowhere is a world of which nothing is known but the link at hand.
type nowhere struct{}

func (nowhere) Standing(plan.Key) []plan.Object { return nil }
func (nowhere) Object(plan.Key) plan.Object     { return nil }

// giveBack adds to what is wanted of a link what nobody wants of it any longer: it becomes what it was.
func giveBack(e *object.Env, s *object.Section, live *object.LiveLink, l Link) (Link, error) {
	have, originals := stored(l), make(map[string]string)
	former, known := claimed(e, s, object.AttributeKey(l.NS, l.Ifname, masterName))
	moves := known && !l.Managed.Has(masterName) && former.Original != have[masterName]
	options := namesOf(l.Port)
	for _, k := range e.Record.Claimed(s.NS.Name) {
		dev, name, ok := object.AttributeOf(k)
		claim, _ := claimed(e, s, k)
		if !ok || dev != live.Name || l.Managed.Has(name) || len(claim.Wants) > 1 {
			continue
		}
		is, wrote := have[name], claim.Reads(claim.Wants[e.Topology])
		switch {
		case moves && slices.Contains(options, name): // what its former master kept of it is lost by now
			originals[name] = claim.Original
		case is == claim.Original:
		case wrote == anyValue && hasPorts(s, l.Name, func(p *object.LiveLink) bool { return p.Class != plan.Ours }):
		case wrote != anyValue && is != wrote && !e.Record.Pending(k):
			e.Warn(fmt.Sprintf("%s of link %s is %s, which is neither what was written (%s) nor what it was before (%s): "+
				"left alone", name, l.Key().Place(), l.words(name, is), l.words(name, wrote), l.words(name, claim.Original)))
		default:
			originals[name] = claim.Original
		}
	}
	return l.with(e, s, originals)
}

// claimed is a claim, with the name that a former master has now. Where that is gone, another may have come in its
// place.
func claimed(e *object.Env, s *object.Section, k plan.Key) (object.Claim, bool) {
	claim, known := e.Record.Claim(k)
	if master := s.At(claim.Master); master != nil && claim.Master != 0 {
		claim.Original = stored(Link{Master: master.Known})[masterName]
	}
	return claim, known
}

// words is a value of an attribute in the words of a plan.
func (l Link) words(name, text string) string {
	o, err := plan.Restore(l, name, text)
	if err != nil {
		return text
	}
	for n, value := range plan.Values(o) {
		if n == name {
			return plan.Words(value)
		}
	}
	return text
}

// with is the link with the original values of attributes.
func (l Link) with(e *object.Env, s *object.Section, originals map[string]string) (Link, error) {
	back, linkLocal := slices.Sorted(maps.Keys(originals)), l.LinkLocal
	if text, ok := originals[masterName]; ok {
		if err := l.freed(e, s, text); err != nil {
			return l, err
		}
	}
	for _, name := range back {
		if name == masterName {
			continue
		}
		o, err := plan.Restore(l, name, originals[name])
		if err != nil {
			return l, err
		}
		l, _ = o.(Link)
	}
	switch {
	case !l.CarriesIPv6(): // it is made when the link comes up
		l.LinkLocal = linkLocal
		back = slices.DeleteFunc(back, func(name string) bool { return name == linkLocalName })
	case !l.LinkLocal.V.IsValid() && slices.Contains(back, linkLocalName):
		l.LinkLocal = plan.Some(l.MAC.LinkLocal()) // it was down then, and stays up
	}
	if len(back) > 0 {
		l.Managed, l.Back = l.Managed.Plus(back...), plan.NewList(strings.Compare, back...)
	}
	return l, nil
}

// freed gives the link the master that it had, if that is still there.
func (l *Link) freed(e *object.Env, s *object.Section, text string) error {
	o, err := plan.Restore(*l, masterName, text)
	if err != nil {
		return err
	}
	*l, _ = o.(Link)
	l.Port, l.Managed = nil, l.Managed.Plus(portOptions)
	if l.Master == "" {
		return nil
	}
	master := s.At(s.Known(l.Master))
	if master == nil {
		e.Warn(fmt.Sprintf("link %s was a port of %s, which is gone: it is freed", l.Key().Place(), l.Master))
		l.Master = ""
		return nil
	}
	if ports := typeOf(master.Type).Ports; ports != nil {
		l.Port = ports.New()
		l.Managed = l.Managed.Plus(namesOf(l.Port)...)
	}
	return nil
}

// Owner says whose links are: see [object.StampedLinks]. One that is there already is refused where another topology
// wants it otherwise, or where it would have to be made anew.
func Owner(e *object.Env, s *object.Section, live iter.Seq[object.Live]) ([]plan.Have, error) {
	have, err := object.StampedLinks(e, s, live)
	for i := range have {
		h := &have[i]
		want, _ := e.Want(h.Object.Key()).(Link)
		if !want.Given || h.Class != plan.Loose {
			continue
		}
		if why := want.refused(e, h.Object); why != "" {
			h.Class, h.Final, h.Why = plan.Foreign, true, why
		}
	}
	return have, err
}

func (l Link) refused(e *object.Env, have plan.Object) string {
	fields, _ := plan.Compare(l, have)
	for _, f := range fields {
		if f.Fixed {
			return fmt.Sprintf("%s %s -> %s cannot change in place, and plumb does not make anew what is declared as existing",
				f.Name, f.Before, f.After)
		}
	}
	for _, w := range Wishes(e, l) {
		claim, _ := e.Record.Claim(w.Key)
		for _, other := range slices.Sorted(maps.Keys(claim.Wants)) {
			if text := claim.Wants[other]; other != e.Topology && text != w.Value && text != anyValue && w.Value != anyValue {
				_, name, _ := object.AttributeOf(w.Key)
				return fmt.Sprintf("topology %s wants %s %s: the two cannot be on one host", other, name, l.words(name, text))
			}
		}
	}
	return ""
}
