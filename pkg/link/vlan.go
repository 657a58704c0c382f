package link

import (
	"fmt"

	"github.com/plumbnet/plumb/pkg/kernel"
	"github.com/plumbnet/plumb/pkg/object"
	"github.com/plumbnet/plumb/pkg/plan"
)

// VLAN has the frames with one tag of the link below (IEEE 802.1Q, 802.1ad; IFLA_VLAN_* of linux/if_link.h). The kernel
// answers a change of its ID and Protocol, and makes none.
type VLAN struct {
	Parent object.Ref `file:"parent,required" plan:"parent,fixed" doc:"the link whose tagged frames it has"`
	ID     uint16     `file:"id,required,least=1,most=4094" plan:"id,fixed" nl:"1" doc:"the tag's number (VID)"`

	Protocol string `file:"protocol,enum=802.1q|802.1ad" plan:"protocol,fixed" nl:"5,u16,be,values=33024|34984" doc:"tag"`

	Reorder bool `file:"reorder-header" plan:"reorder-header" nl:"2,flag=0,new=1" doc:"deliver frames without their tag"`
	GVRP    bool `file:"gvrp" plan:"gvrp" nl:"2,flag=1" doc:"announce the VLAN to the switch by GVRP"`
	Loose   bool `file:"loose-binding" plan:"loose-binding" nl:"2,flag=2" doc:"stay up while the parent is down"`
	MVRP    bool `file:"mvrp" plan:"mvrp" nl:"2,flag=3" doc:"announce the VLAN to the switch by MVRP"`
}

var vlan = onParent(func(v *VLAN) *object.Ref { return &v.Parent }, Type{
	Name: "vlan", Doc: "the frames with one VLAN tag of the link below (IEEE 802.1Q)",
	Part: kernel.Part{Module: "8021q", Option: "VLAN_8021Q"},
	New:  func() Spec { return VLAN{Protocol: "802.1q", Reorder: true} },
	Claims: func(s Spec) []plan.Key {
		v := s.(VLAN)
		return []plan.Key{{Kind: "vlan id", Name: fmt.Sprintf("%d (%s) on %s", v.ID, v.Protocol, v.Parent)}}
	},
	Stack: Stack{NeedsUp: func(s Spec) bool { return !s.(VLAN).Loose }},
})
