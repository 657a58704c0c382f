package link

import (
	"fmt"

	"github.com/plumbnet/plumb/pkg/file"
	"github.com/plumbnet/plumb/pkg/kernel"
	"github.com/plumbnet/plumb/pkg/object"
)

// IPvlan is an interface on another link that shares its MAC, and is told from it by IP addresses (IFLA_IPVLAN_* of
// linux/if_link.h; ip-link(8)). Mode and Flag are the parent's: the kernel changes those of all its ipvlans at once.
type IPvlan struct {
	Parent object.Ref `file:"parent,required" plan:"parent,fixed" doc:"the link that it is made on"`
	Mode   string     `file:"mode,enum=l2|l3|l3s" plan:"mode" nl:"1,u16,new=1" doc:"what it takes: frames or packets"`
	Flag   string     `file:"flag,enum=bridge|private|vepa" plan:"flag" nl:"2,u16" doc:"who of one parent meets whom"`
}

var ipvlan = onParent(func(v *IPvlan) *object.Ref { return &v.Parent }, Type{
	Name: "ipvlan", Doc: "an interface on another link that has its MAC, and IP addresses of its own",
	Part: kernel.Part{Module: "ipvlan", Option: "IPVLAN"},
	New:  func() Spec { return IPvlan{Mode: "l3", Flag: "bridge"} },
	Check: func(l *object.Iface, at file.Spots) {
		if l.Spots.Given("mac") {
			l.Section.Errorf(l.Spots.At("mac"), "%s has a mac, and is an ipvlan, which has its parent's", l)
		}
	},
	Stack: Stack{
		Handler: "ipvlan",
		Shared:  func(s Spec) string { v := s.(IPvlan); return fmt.Sprintf("mode %s, flag %s", v.Mode, v.Flag) },
	},
	Frames: Frames{NoVLANs: true, NoPort: true},
	Traits: Traits{
		MTUCopied:  true,
		OwnMAC:     func(Spec) bool { return false },
		NoARPWhile: func(s Spec) bool { return s.(IPvlan).Mode != "l2" },
	},
})
