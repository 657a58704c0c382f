package link

// Types lists the types of link that plumb makes. It does not change.
var Types = []Type{bridge, veth, vxlan, macvlan, macvtap, ifb, wireguard}
