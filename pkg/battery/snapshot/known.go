package snapshot

import "strings"

// known makes a table of the attributes that a list names in the order of their numbers, from 1. A name may be
// followed by a colon and a form; the kids of some are given by their names. Path is where [leftOut] has those that
// are not shown.
func known(path, list string, kids map[string]attrs) attrs {
	table := make(attrs)
	for i, word := range strings.Fields(list) {
		name, form, _ := strings.Cut(word, ":")
		_, skip := leftOut[path+" "+name]
		table[uint16(i+1)] = attr{name: name, show: forms[form], kids: kids[name], skip: skip}
	}
	return table
}

// forms are the ways to show a value, by their names in the lists of attributes.
var forms = map[string]form{
	"": number1248, "signed": signed, "big": big, "signedbig": signedBig, "word": word, "mac": mac, "ip": address,
	"via": via, "dev": index, "hex": hexadecimal, "portrange": portRange, "lifetime": lifetimes, "ways": ways,
	"group": nexthopGroup, "table": table, "expression": expression,
}

// The attributes of links: IFLA_* of linux/if_link.h.
var (
	linkAttrs = known("link", `
		address:mac broadcast:mac ifname mtu link:dev qdisc:word stats cost priority master:dev wireless protinfo txqlen
		map weight operstate linkmode linkinfo net_ns_pid ifalias:word num_vf vfinfo_list stats64 vf_ports port_self
		af_spec group net_ns_fd ext_mask promiscuity num_tx_queues num_rx_queues carrier phys_port_id carrier_changes
		phys_switch_id link_netnsid phys_port_name:word proto_down gso_max_segs gso_max_size pad xdp event new_netnsid
		target_netnsid carrier_up_count carrier_down_count new_ifindex min_mtu max_mtu prop_list alt_ifname
		perm_address:mac proto_down_reason parent_dev_name:word parent_dev_bus_name:word gro_max_size tso_max_size
		tso_max_segs allmulti devlink_port gso_ipv4_max_size gro_ipv4_max_size dpll_pin max_pacing_offload_horizon
		netns_immutable headroom tailroom`,
		map[string]attrs{"af_spec": familyAttrs, "prop_list": {attrAltName: {name: "altname", show: word}}})
	familyAttrs = attrs{
		familyIPv4: {name: "inet", kids: known("link inet", "conf", nil)},
		familyIPv6: {name: "inet6", kids: known("link inet6", `
		flags conf stats mcast cacheinfo icmp6stats token:ip addr_gen_mode ra_mtu`, nil)},
	}
)

// linkData is what is peculiar to a type of links: IFLA_INFO_DATA, by the type. Of a type that is not here all is
// shown by numbers. One whose data holds the index of a link must be here.
var linkData = map[string]attrs{
	"bridge": known("bridge", `
		forward_delay hello_time max_age ageing_time stp_state priority vlan_filtering vlan_protocol:big group_fwd_mask
		root_id bridge_id root_port root_path_cost topology_change topology_change_detected hello_timer tcn_timer
		topology_change_timer gc_timer group_addr:mac fdb_flush mcast_router mcast_snooping mcast_query_use_ifaddr
		mcast_querier mcast_hash_elasticity mcast_hash_max mcast_last_member_cnt mcast_startup_query_cnt
		mcast_last_member_intvl mcast_membership_intvl mcast_querier_intvl mcast_query_intvl mcast_query_response_intvl
		mcast_startup_query_intvl nf_call_iptables nf_call_ip6tables nf_call_arptables vlan_default_pvid pad
		vlan_stats_enabled mcast_stats_enabled mcast_igmp_version mcast_mld_version vlan_stats_per_port multi_boolopt
		mcast_querier_state fdb_n_learned fdb_max_learned`, nil),
	"vxlan": known("vxlan", `
		id group:ip dev:dev local:ip ttl tos learning ageing limit port_range:portrange proxy rsc l2miss l3miss port:big
		group6:ip local6:ip udp_csum udp_zero_csum6_tx udp_zero_csum6_rx remcsum_tx remcsum_rx gbp remcsum_nopartial
		external label:big gpe ttl_inherit df vnifilter localbypass label_policy reserved_bits mc_route`, nil),
	"macvlan": macvlanAttrs, "macvtap": macvlanAttrs,
	"vlan": known("vlan", "id flags egress_qos ingress_qos protocol:big", nil),
	"vrf":  known("vrf", "table", nil), "ipvlan": known("ipvlan", "mode flags", nil),
	"tun": known("tun", `
		owner group type pi vnet_hdr persist multi_queue num_queues num_disabled_queues`, nil),
	"bond": known("bond", `
		mode active_slave:dev miimon updelay downdelay use_carrier arp_interval arp_ip_target arp_validate
		arp_all_targets primary:dev primary_reselect fail_over_mac xmit_hash_policy resend_igmp num_peer_notif
		all_slaves_active min_links lp_interval packets_per_slave lacp_rate ad_select ad_info ad_actor_sys_prio
		ad_user_port_key ad_actor_system:mac tlb_dynamic_lb peer_notif_delay lacp_active missed_max ns_ip6_target:hex
		coupled_control`, nil),
	"gre": tunnelAttrs, "gretap": tunnelAttrs, "ip6gre": tunnelAttrs, "ip6gretap": tunnelAttrs, "erspan": tunnelAttrs,
	"ip6erspan": tunnelAttrs, "ipip": tunnelAttrs, "sit": tunnelAttrs, "ip6tnl": tunnelAttrs, "vti": tunnelAttrs,
	"vti6": tunnelAttrs, "xfrm": tunnelAttrs,
}

var (
	macvlanAttrs = known("macvlan", `
		mode flags macaddr_mode macaddr:mac macaddr_data macaddr_count bc_queue_len bc_queue_len_used bc_cutoff:signed`, nil)
	// tunnelAttrs begin alike for all tunnels of one kind each of packets.
	tunnelAttrs = known("tunnel", "link:dev", nil)
)

// slaveData is what a master keeps of a link: IFLA_INFO_SLAVE_DATA, by the master's type.
var slaveData = map[string]attrs{
	"bridge": known("port", `
		state priority cost hairpin guard root_block fast_leave learning flood proxy_arp learning_sync proxy_arp_wifi
		root_id bridge_id designated_port designated_cost id no topology_change_ack config_pending message_age_timer
		forward_delay_timer hold_timer flush multicast_router pad mcast_flood mcast_to_unicast vlan_tunnel bcast_flood
		group_fwd_mask neigh_suppress isolated backup_port:dev mrp_ring_open mrp_in_open mcast_eht_hosts_limit
		mcast_eht_hosts_cnt locked mab mcast_n_groups mcast_max_groups neigh_vlan_suppress backup_nhid`, nil),
	"bond": known("bond port", `
		bond_state mii_status failures perm_hwaddr:mac queue_id aggregator actor_state partner_state prio`, nil),
	"vrf": known("vrf port", "table", nil),
}

// What is known of other objects' attributes, of linux/if_addr.h, rtnetlink.h, fib_rules.h, neighbour.h, if_bridge.h,
// nexthop.h.
var (
	addressAttrs = known("address", `
		address:ip local:ip label:word broadcast:ip anycast:ip lifetime:lifetime multicast flags metric target_netnsid
		proto`, nil)
	routeAttrs = known("route", `
		dst from:ip iif:dev dev:dev via:ip metric src:ip metrics multipath:ways protoinfo flow cacheinfo session mp_algo
		table mark mfc_stats via:via newdst pref encap_type encap:hex expires pad uid ttl_propagate ip_proto sport dport
		nh_id flowlabel:big`, map[string]attrs{"metrics": known("metrics", `
		lock mtu window rtt rttvar ssthresh cwnd advmss reordering hoplimit initcwnd features rto_min initrwnd quickack
		cc_algo:word fastopen_no_cookie`, nil)})
	ruleAttrs = known("rule", `
		to:ip from:ip iif:word goto unused2 priority unused3 unused4 unused5 fwmark flow tun_id:big
		suppress_ifgroup:signed suppress_prefixlength:signed table:table fwmask oif:word pad l3mdev uid_range:hex
		protocol ip_proto sport:hex dport:hex dscp flowlabel:big flowlabel_mask:big sport_mask dport_mask dscp_mask`, nil)
	neighbourAttrs = known("neighbour", `
		dst:ip lladdr:mac cacheinfo probes vlan port:big vni ifindex:dev master:dev link_netnsid src_vni protocol nh_id
		fdb_ext flags_ext state_mask flags_mask`, nil)
	vlanAttrs = known("vlan", "entry global", map[string]attrs{"entry": known("vlan entry", `
		info:hex range state tunnel stats mcast_router mcast_n_groups mcast_max_groups neigh_suppress`, nil)})
	nexthopAttrs = known("nexthop", `
		id group:group type blackhole dev:dev via:ip encap_type encap:hex groups master:dev fdb resilient bucket
		op_flags group_stats hw_stats_enable hw_stats_used`, map[string]attrs{"resilient": known("resilient",
		"buckets idle_timer unbalanced_timer unbalanced_time", nil)})
	qdiscAttrs   = known("qdisc", qdiscNames, nil)
	fqCodelAttrs = known("fq_codel", `
		target limit interval ecn flows quantum ce_threshold drop_batch_size memory_limit ce_threshold_selector
		ce_threshold_mask`, nil)
	// qdiscOptions are the attributes of queueing disciplines whose options are known.
	qdiscOptions = map[string]attrs{"fq_codel": known("qdisc", qdiscNames, map[string]attrs{"options": fqCodelAttrs})}
)

const qdiscNames = `
		kind:word options:hex stats xstats rate fcnt stats2 stab:hex pad dump_invisible chain hw_offload ingress_block
		egress_block`

// The attributes of nf_tables: NFTA_* of linux/netfilter/nf_tables.h. Its numbers are in the network's order.
var (
	nftTable = known("nft table", "name:word flags:big use handle pad userdata:hex owner:big", nil)
	nftChain = known("nft chain", `
		table:word handle name:word hook policy:big use type:word counters pad flags:big id userdata:hex`, map[string]attrs{
		"hook": known("nft hook", "num:big priority:signedbig dev:word devs", nil)})
	nftRule = known("nft rule", `
		table:word chain:word handle expressions compat:hex position userdata:hex pad id
		position_id chain_id`, map[string]attrs{
		"expressions": {1: {name: "expression", show: expression}}})
	nftSet = known("nft set", `
		table:word name:word flags:big key_type:big key_len:big data_type:big data_len:big policy:big desc:hex id
		timeout:big gc_interval:big userdata:hex pad obj_type:big handle expr:expression expressions type:word
		count`, map[string]attrs{
		"expressions": {1: {name: "expression", show: expression}}})
	nftElement = known("nft element", `
		key:hex data:hex flags:big timeout:big expiration userdata:hex expr:expression pad objref:word key_end:hex
		expressions`,
		map[string]attrs{"expressions": {1: {name: "expression", show: expression}}})
	nftObject    = known("nft object", "table:word name:word type:big data use handle pad userdata:hex", nil)
	nftFlowtable = known("nft flowtable", "table:word name:word hook:hex use handle pad flags:big", nil)
)
