package link

import (
	"strings"

	"github.com/plumbnet/plumb/pkg/file"
	"github.com/plumbnet/plumb/pkg/kernel"
	"github.com/plumbnet/plumb/pkg/object"
	"github.com/plumbnet/plumb/pkg/plan"
)

// Macvlan is an interface of its own MAC on another link (IFLA_MACVLAN_* of linux/if_link.h; ip-link(8)).
type Macvlan struct {
	Parent object.Ref `file:"parent,required" plan:"parent,fixed" doc:"the link that it is made on"`
	Mode   string     `file:"mode,enum=private|vepa|bridge|passthru|source" plan:"mode" nl:"1,bit" doc:"who meets whom"`
	// Sources are those whose frames come to the link in mode source, as a set.
	Sources plan.List[object.MAC] `file:"macaddr,item=macaddr" plan:"macaddr" nl:"5" doc:"who is heard in mode source"`
}

// passthru gives the parent to one macvlan alone, which has the parent's MAC.
const passthru = "passthru"

var (
	macvlan = macvlanType("macvlan", "an interface with a MAC address of its own on another link", 0)
	macvtap = macvlanType("macvtap", "a macvlan whose packets a virtual machine reads from /dev/tap*", 500)
)

func macvlanType(name, doc string, txQLen uint32) Type {
	return onParent(func(m *Macvlan) *object.Ref { return &m.Parent }, Type{
		Name: name, Doc: doc, Part: kernel.Part{Module: name, Option: strings.ToUpper(name)},
		Check: func(l *object.Iface, at file.Spots) {
			if l.Spec.(Macvlan).Mode == passthru && l.Spots.Given("mac") {
				l.Section.Clash(file.Error, l.Spots.At("mac"), at.At("mode"),
					"%s has a mac, and mode passthru, in which it has its parent's", l)
			}
			checkSources(l, at)
		},
		// The kernel's own mode is vepa, which needs a switch that reflects.
		New: func() Spec { return Macvlan{Mode: "bridge"} },
		Fixed: func(want, have Spec) []string {
			if w, h := want.(Macvlan), have.(Macvlan); w.Mode != h.Mode && (w.Mode == passthru || h.Mode == passthru) {
				return []string{"mode"}
			}
			return nil
		},
		Stack: Stack{Handler: "macvlan"},
		Frames: Frames{
			NoPort: name == "macvtap",
			Takes: func(s Spec) object.Ref {
				if m := s.(Macvlan); m.Mode == passthru {
					return m.Parent
				}
				return ""
			},
		},
		Traits: Traits{
			TxQLen: txQLen,
			OwnMAC: func(s Spec) bool { return s.(Macvlan).Mode != passthru },
		},
		Changing: Changing{Extra: setSources},
	})
}
