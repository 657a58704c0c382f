package kinds

import (
	"errors"
	"iter"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/plumbnet/plumb/pkg/file"
	"github.com/plumbnet/plumb/pkg/kernel"
	"github.com/plumbnet/plumb/pkg/link"
	"github.com/plumbnet/plumb/pkg/object"
	"github.com/plumbnet/plumb/pkg/plan"
)

// KindAltname is another name that a link is found by (ip-link(8): property add altname).
const KindAltname = "altname"

// Altname is one of the further names of a link. It is in its section once, and no link there has it for its own.
type Altname struct {
	NS, Name string
	Dev      string `plan:"link,fixed"`
}

// Key implements [plan.Object].
func (a Altname) Key() plan.Key { return plan.Key{NS: a.NS, Kind: KindAltname, Name: a.Name} }

// Needs implements [plan.Object].
func (a Altname) Needs() []plan.Key { return []plan.Key{object.LinkNeed(a.NS, a.Dev)} }

// Describe implements [plan.Object].
func (a Altname) Describe() string { return "of " + object.LinkKey(a.NS, a.Dev).Place() }

// On implements [plan.Dependent].
func (a Altname) On() []plan.Key { return a.Needs() }

// After implements [plan.Dependent]: it goes with its link.
func (a Altname) After(old, now plan.Object, _ plan.World) (plan.Object, bool) {
	return a, now != nil || old.Key() != object.LinkKey(a.NS, a.Dev) && old.Key() != object.NamespaceKey(a.NS)
}

// Claims implements [plan.Exclusive].
func (a Altname) Claims() []plan.Key { return []plan.Key{link.NameClaim(a.NS, a.Name)} }

// AltnameText is another name of an interface: the kernel's rule is that of interfaces, but for the length.
type AltnameText string

// maxAltname is ALTIFNAMSIZ less the closing zero.
const maxAltname = 127

// Parse implements [file.Parser].
func (n *AltnameText) Parse(name, s string) error {
	if len(s) > maxAltname {
		return file.Flawf("%s is not a valid interface name: it is longer than %d bytes", file.Quote(s), maxAltname)
	}
	err := object.CheckIfname(s)
	if err == nil {
		*n = AltnameText(s)
	}
	return err
}

// Text implements [file.Described].
func (*AltnameText) Text() file.Text {
	return file.Text{Words: "name of an interface, of 127 bytes at most", Pattern: "^[^/:%\\s]{1,127}$"}
}

func altnameForm() object.Form {
	return object.Form{
		On: object.OnLink,
		Part: file.Part{
			Key: "altnames", Item: "an altname", Doc: "other names that the interface is found by",
			New: func() any { return new([]AltnameText) },
		},
		Check: func(at *object.At) any {
			at.Expect(len(*at.Form.(*[]AltnameText)))
			return nil
		},
		Across: altnamesAcross,
		Expand: func(at *object.At, x *object.Expansion) {
			for i, spot := range at.Spots.Items() {
				x.Add(Altname{at.Name, string((*at.Form.(*[]AltnameText))[i]), at.Link.Name}, spot.At())
			}
		},
	}
}

// altnamesAcross reports names that two links of a section would have.
func altnamesAcross(n *object.Network) {
	for _, s := range n.Sections {
		first := make(map[string]file.Span)
		for _, l := range s.Links {
			for i := range l.Forms {
				names, ok := l.Forms[i].Form.(*[]AltnameText)
				if !ok {
					continue
				}
				for j, spot := range l.Forms[i].Spots.Items() {
					name := string((*names)[j])
					if other, taken := s.Link(name); taken && spot.Good() {
						s.Clash(file.Error, spot.At(), other.At, "altname %s of %s is the name of a link %s", name, l, s.Where())
					} else if at, twice := first[name]; twice && spot.Good() {
						s.Clash(file.Error, spot.At(), at, "altname %s is given twice %s", name, s.Where())
					}
					first[name] = spot.At()
				}
			}
		}
	}
}

// readAltnames streams the altnames of a section. They bear no mark: on a link of ours all are ours, and on another one
// those that the record knows.
func readAltnames(e *object.Env, s *object.Section) iter.Seq[object.Live] {
	return func(yield func(object.Live) bool) {
		for i := range s.Links {
			l := &s.Links[i]
			for _, name := range l.Altnames {
				a := Altname{s.NS.Name, name, l.Known}
				live := object.Live{Object: a, Links: []*object.LiveLink{l}, ByHand: true}
				if e.Record.Holds(a.Key()) {
					live.Proto = object.Protocol
				}
				if !yield(live.PartOf(l)) {
					return
				}
			}
		}
	}
}

// Numbers of linux/rtnetlink.h and if_link.h that package unix lacks.
const (
	rtmNewLinkProp = 108
	rtmDelLinkProp = 109
)

func putAltname(e *object.Env, changes []plan.Change) error {
	for _, c := range changes {
		a, ok := c.New.(Altname)
		if !ok {
			return object.WrongType(KindAltname, c.New)
		}
		if err := a.write(e, "add", rtmNewLinkProp, unix.NLM_F_CREATE|unix.NLM_F_EXCL|unix.NLM_F_APPEND); err != nil {
			return err
		}
	}
	return nil
}

func delAltnames(e *object.Env, objects []plan.Object) error {
	for _, o := range objects {
		a, ok := o.(Altname)
		if !ok {
			return object.WrongType(KindAltname, o)
		}
		err := object.IgnoreGone(a.write(e, "delete", rtmDelLinkProp, 0))
		if err != nil && !errors.Is(err, object.ErrNoLink) {
			return err
		}
	}
	return nil
}

func (a Altname) write(e *object.Env, verb string, proto, flags int) error {
	s, index, err := e.LinkOf(a.NS, a.Dev)
	if err != nil {
		return err
	}
	head := nl.NewIfInfomsg(unix.AF_UNSPEC)
	head.Index = int32(index)
	m := kernel.NewMessage(proto, flags, head)
	m.Nest(unix.IFLA_PROP_LIST).AddRtAttr(unix.IFLA_ALT_IFNAME, nl.ZeroTerminated(a.Name))
	return s.NS.Write(verb+" altname "+a.Name+" of "+object.LinkKey(a.NS, a.Dev).Place(), m.NetlinkRequest)
}
