package link

import (
	"testing"

	"github.com/vishvananda/netlink/nl"

	"github.com/plumbnet/plumb/pkg/kernel"
)

func TestVLANSets(t *testing.T) {
	r := func(first, last uint16) VLANRange { return VLANRange{first, last} }
	if got := vlans(r(30, 40), r(20, 20), r(41, 41), r(35, 38), r(1, 2)).String(); got != "1-2, 20, 30-41" {
		t.Errorf("a set: %s", got)
	}
	for _, c := range []struct {
		less []VLANRange
		want string
	}{
		{nil, "10-20"}, {[]VLANRange{r(10, 20)}, ""}, {[]VLANRange{r(1, 12)}, "13-20"}, {[]VLANRange{r(15, 4000)}, "10-14"},
		{[]VLANRange{r(12, 13), r(18, 18)}, "10-11, 14-17, 19-20"}, {[]VLANRange{r(21, 30)}, "10-20"},
	} {
		if got := minusVLANs(vlans(r(10, 20)), vlans(c.less...)).String(); got != c.want {
			t.Errorf("10-20 without %v: %s, want %s", c.less, got, c.want)
		}
	}
}

// A table is read as it is sent.
func TestVLANTables(t *testing.T) {
	trunk := VLANTable{PVID: 10, VLANs: vlans(VLANRange{10, 12}, VLANRange{30, 40}), Untagged: vlans(VLANRange{33, 34})}
	for _, want := range []VLANTable{{}, accessTo(1), accessTo(maxVLAN), trunk} {
		spec := nl.NewRtAttr(0, nil)
		for e := range want.entries() {
			if e.First == e.Last {
				spec.AddRtAttr(nl.IFLA_BRIDGE_VLAN_INFO, vlanInfo(e.flags, e.First))
				continue
			}
			spec.AddRtAttr(nl.IFLA_BRIDGE_VLAN_INFO, vlanInfo(e.flags|nl.BRIDGE_VLAN_INFO_RANGE_BEGIN, e.First))
			spec.AddRtAttr(nl.IFLA_BRIDGE_VLAN_INFO, vlanInfo(e.flags|nl.BRIDGE_VLAN_INFO_RANGE_END, e.Last))
		}
		if got := parseVLANs(kernel.Attrs(spec.Serialize()[4:])); got != want {
			t.Errorf("%+v was sent, and %+v read", want, got)
		}
	}
}

func TestVLANFollow(t *testing.T) {
	trunk := VLANTable{VLANs: vlans(VLANRange{20, 30})}
	tagged := VLANTable{PVID: 1, VLANs: vlans(VLANRange{1, 1})}
	with := func(vid uint16) VLANTable {
		return VLANTable{
			PVID: vid, VLANs: addVLANs(trunk.VLANs, VLANRange{vid, vid}), Untagged: vlans(VLANRange{vid, vid}),
		}
	}
	for _, c := range []struct {
		name     string
		table    VLANTable
		old, now uint16
		want     VLANTable
	}{
		{"it moves", accessTo(1), 1, 5, accessTo(5)},
		{"not from another", accessTo(7), 1, 5, accessTo(7)},
		{"not one that was changed", tagged, 1, 5, tagged},
		{"it goes", accessTo(1), 1, 0, VLANTable{}},
		{"from none", VLANTable{}, 0, 5, accessTo(5)},
		{"from none, whatever else", trunk, 0, 5, with(5)},
		{"not where it is one of the others", trunk, 0, 25, trunk},
		{"beside the others", with(1), 1, 5, with(5)},
		{"nothing", trunk, 3, 3, trunk},
	} {
		if got := c.table.follow(c.old, c.now); got != c.want {
			t.Errorf("%s: %+v, want %+v", c.name, got, c.want)
		}
	}
}
