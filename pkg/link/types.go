package link

// Types lists the types of link that plumb makes. It does not change.
var Types = []Type{
	bridge, veth, vxlan, geneve, macvlan, macvtap, ifb, dummy, vlan, ipvlan, gre, gretap, ip6gre, ip6gretap, ipip, sit,
	ip6tnl, tun, tap, netkit, bond, vrf,
}
