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

// typeGiven is the type of an existing link in the file: its real type is known only on the host. An existing link is
// one that was there before plumb, which changes only what the file says of it, and undoes that in the end.
const typeGiven = "existing"

// presence is the form of an existing link. What else the file says of the link is what plumb changes of it.
type presence struct {
	Existing file.Flag `file:"existing" doc:"it is there already: only what stands beside this is changed, for a time"`
}

func newPresence() any { return new(presence) }

// markGiven enters that a link exists already. What others put on it is theirs.
func markGiven(l *object.Iface) {
	l.Given, l.Dynamic = true, true
}

// givenMaster resolves an existing bond or VRF, and reports options of it that plumb would have to change. The options
// that may stand there only tell what its ports get from it.
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

// declareGiven is the hint for a bridge that the file does not declare, and that may exist.
func declareGiven(s *object.Sense, bridge string) string {
	if !s.Foreign() {
		return "" // the file knows what is in its namespaces
	}
	return "if it is there already, " + asExisting(s.Name, bridge, TypeBridge)
}

// asExisting says how the file declares a link of a type that exists already.
func asExisting(ns, name, of string) string {
	key := "interfaces"
	if of == TypeBridge {
		key = "bridges"
	}
	text := key + ": {" + name + ": {existing: true}}"
	if ns != "" {
		text = "namespaces: {" + ns + ": {" + text + "}}"
	}
	return "declare it as existing: " + text
}

// Names of attributes. Some change together with others: neverUp with upName, portOptions with masterName, and
// linkLocalName with macName, from which the kernel derives that address.
const (
	neverUp     = "never up"
	portOptions = "options of the port"
	masterName  = "master"
	macName     = "mac"
	mtuName     = "mtu"
	upName      = "up"

	linkLocalName = "link-local address"
)

// onlyDeclared limits what is wanted of an existing link to what the file says of it. A key of the file stands for all
// attributes whose names begin with it, as arp does for "arp off".
func onlyDeclared(l *object.Iface, o Link) Link {
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
		names = append(append(names, portOptions), declaredOfPort(l, o.Port)...)
	}
	o.Managed = plan.NewFields(names...)
	return o
}

// declaredOfPort lists what the file says of a port of a bridge, and all of a port of another master. The VLANs of a
// port are one thing.
func declaredOfPort(l *object.Iface, port Spec) (names []string) {
	if _, bridged := port.(BridgePort); !bridged {
		return namesOf(port)
	}
	at := l.Spots.In("port")
	for _, name := range append(namesOf(PortOptions{}), "cost") {
		if at.Good(name) {
			names = append(names, name)
		}
	}
	if tables := namesOf(VLANTable{}); slices.ContainsFunc(tables, func(name string) bool { return at.Good(name) }) {
		names = append(names, tables...)
	}
	return names
}

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

// errNotThere begins the error for a link that the file declares as existing, and that does not exist.
var errNotThere = errors.New("is not there, and plumb does not make what is declared as existing")

// settleGiven looks for an existing link on the host. What the file does not say of it is wanted as it is, or as it was
// before the topology changed it.
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
	if former := formerMaster(e, s, l, stored(have)); l.Master == "" || former != stored(l)[masterName] {
		// It is a port by the topology, and all that is kept of it is the topology's.
		l.Managed = l.Managed.Plus(namesOf(l.Port)...)
	}
	o, _ := plan.Over(l, have).(Link)
	o.Port = joinGivenBond(e, o).Port
	o.Port = costing(o.Port, have.Type)
	if o.Pinned = pins(e, s, o); o.Pinned {
		o.Managed = o.Managed.Plus(macName)
	}
	if o.enslaves().FromDown && !o.Managed.Has(upName) { // joining brings it up
		o.Up, o.Managed = true, o.Managed.Plus(upName)
	}
	derives := o.Managed.Has(macName) && !o.Pinned
	o, err := giveBack(e, s, live, o)
	// A link without a link-local address gets one when it comes up.
	getsOne := !have.CarriesIPv6() && live.IPv6 && !o.enslaves().NoLinkLocal
	if derives && o.CarriesIPv6() && (have.LinkLocal.V.IsValid() || getsOne) {
		o.LinkLocal, o.Managed = plan.Some(o.MAC.LinkLocal()), o.Managed.Plus(linkLocalName)
		o.Back = plan.NewList(strings.Compare, slices.DeleteFunc(slices.Collect(o.Back.All()), isLinkLocal)...)
	}
	return o, err
}

func isLinkLocal(name string) bool { return name == linkLocalName }

// notThere is the error for a link that does not exist by this name, with the name that may be meant.
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

// isAsDeclared returns an error where an existing link has another type, table or mode than the file says.
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

// joinGivenBond returns the link with what it gets from an existing bond that it becomes a port of.
func joinGivenBond(e *object.Env, l Link) Link {
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
	if !hasPorts(s, bond.Name, anyPort) && !bond.Managed.Has(macName) {
		have.MAC = l.MAC // it takes that of its first port
	}
	if b, ok := have.Spec.(Bond); ok {
		l.Port = BondPort{b.roams()}
	}
	bond, _ = plan.Over(bond, have).(Link)
	return adaptToBond(l, bond)
}

// pins says whether the MAC of a bridge or a bond must be recorded although the file does not set it. One whose MAC was
// never set takes that of its ports, and has another one, or none, when the last of these has left.
func pins(e *object.Env, s *object.Section, l Link) bool {
	if l.Type != TypeBridge && l.Type != TypeBond || l.Managed.Has(macName) || !wantsPorts(e, l) {
		return false
	}
	claim, known := e.Record.Claim(object.AttributeKey(l.NS, l.Name, macName))
	if known { // one whose MAC was set keeps it
		return claim.Wants[e.Topology] == anyValue
	}
	return !hasPorts(s, l.Name, anyPort)
}

// hasPorts says whether a master has ports that of picks.
func hasPorts(s *object.Section, master string, of func(*object.LiveLink) bool) bool {
	known := s.Known(master)
	return slices.ContainsFunc(s.Links, func(port object.LiveLink) bool { return port.Master == known && of(&port) })
}

// wantsPorts says whether the topology wants ports of a master.
func wantsPorts(e *object.Env, master Link) bool {
	return slices.ContainsFunc(e.WantedHere(master.NS, object.KindLink), func(o plan.Object) bool {
		port, _ := o.(Link)
		return port.Master == master.Name
	})
}

// Owner says whose links are, as [object.StampedLinks] does, and refuses an existing link that would have to be made
// anew, or that another topology wants otherwise. Of a link that stands in the way it says that the file can use it.
func Owner(e *object.Env, s *object.Section, live iter.Seq[object.Live]) ([]plan.Have, error) {
	have, err := object.StampedLinks(e, s, live)
	for i := range have {
		h := &have[i]
		is, _ := h.Object.(Link)
		want, wanted := e.Want(h.Object.Key()).(Link)
		switch {
		case wanted && !want.Given && h.Why == object.NotOurs && is.Group != want.Group:
			h.Why += "; if it is to stay as it is, " + asExisting(is.NS, is.Name, is.Type)
		case want.Given && h.Class == plan.Loose:
			if why := want.refused(e, h.Object); why != "" {
				h.Class, h.Final, h.Why = plan.Foreign, true, why
			}
		}
	}
	return have, err
}

// refused says why an existing link cannot become what is wanted of it; empty if it can.
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
				return fmt.Sprintf("topology %s wants %s %s: the two cannot be on one host", other, name, l.inPlan(name, text))
			}
		}
	}
	return ""
}
