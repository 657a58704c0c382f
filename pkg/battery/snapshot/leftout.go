package snapshot

// Reasons that several attributes are left out for.
const (
	counts  = "it counts, and differs from run to run"
	timer   = "a time, or what a timer has left"
	carrier = "it follows the carrier, some time later; see Unsettled"
	elected = "the spanning tree finds it, and it names ports by numbers that tell of their history"
	numbers = "a number that the kernel has given, and that tells of history"
	heads   = "it is in what the line begins with"
	ofPorts = "a bridge or bond takes the limits of its ports, and keeps them when these leave"
	padding = "it aligns what follows"
)

// leftOut lists the attributes that a snapshot does not show, each with its reason.
var leftOut = map[string]string{
	"link ifname":             heads,
	"link linkinfo":           "its parts have lines of their own",
	"link link":               "with link_netnsid it is the line about the peer",
	"link link_netnsid":       "with link it is the line about the peer",
	"link stats":              counts,
	"link stats64":            counts,
	"link map":                "addresses of hardware, as of memory",
	"link operstate":          carrier,
	"link carrier":            carrier,
	"link carrier_changes":    counts,
	"link carrier_up_count":   counts,
	"link carrier_down_count": counts,
	"link promiscuity":        "it counts who asked for it: bridges for their ports, and programs that listen",
	"link allmulti":           "it counts who asked for it",
	"link pad":                padding,

	"link inet conf":        "sysctls have lines of their own",
	"link inet6 conf":       "sysctls have lines of their own",
	"link inet6 flags":      carrier,
	"link inet6 stats":      counts,
	"link inet6 icmp6stats": counts,
	"link inet6 mcast":      counts,
	"link inet6 cacheinfo":  timer,

	"bridge root_id":                  elected,
	"bridge bridge_id":                "it is the priority and the MAC",
	"bridge root_port":                elected,
	"bridge root_path_cost":           elected,
	"bridge topology_change":          elected,
	"bridge topology_change_detected": elected,
	"bridge hello_timer":              timer,
	"bridge tcn_timer":                timer,
	"bridge topology_change_timer":    timer,
	"bridge gc_timer":                 timer,
	"bridge pad":                      padding,
	"bridge mcast_querier_state":      "who asks for members, and timers",
	"bridge fdb_n_learned":            counts,

	"port root_id":             elected,
	"port bridge_id":           elected,
	"port designated_port":     elected,
	"port designated_cost":     elected,
	"port id":                  numbers,
	"port no":                  numbers,
	"port topology_change_ack": elected,
	"port config_pending":      elected,
	"port message_age_timer":   timer,
	"port forward_delay_timer": timer,
	"port hold_timer":          timer,
	"port pad":                 padding,
	"port mcast_eht_hosts_cnt": counts,
	"port mcast_n_groups":      counts,

	"macvlan bc_queue_len_used": "the longest of all links of one parent",
	"bond active_slave":         "it follows the carriers",
	"bond ad_info":              elected,
	"bond port bond_state":      carrier,
	"bond port mii_status":      carrier,
	"bond port failures":        counts,
	"bond port perm_hwaddr":     "the MAC that the port had before, and that it gets back",
	"bond port aggregator":      elected,
	"bond port actor_state":     elected,
	"bond port partner_state":   elected,

	"address flags":             heads,
	"route dst":                 heads,
	"route table":               heads,
	"route metric":              heads,
	"route cacheinfo":           timer,
	"route expires":             timer,
	"route pad":                 padding,
	"rule priority":             heads,
	"rule pad":                  padding,
	"neighbour probes":          counts,
	"neighbour cacheinfo":       timer,
	"neighbour link_netnsid":    "the line about the peer of a tunnel tells where its packets leave",
	"vlan entry stats":          counts,
	"vlan entry mcast_n_groups": counts,
	"resilient unbalanced_time": timer,
	"nexthop group_stats":       counts,
	"qdisc stats":               counts,
	"qdisc xstats":              counts,
	"qdisc stats2":              counts,
	"qdisc rate":                counts,
	"qdisc fcnt":                counts,
	"qdisc pad":                 padding,
	"fq_codel quantum":          "a default one has it from the MTU that the link came up with",

	"nft table name":         heads,
	"nft table use":          counts,
	"nft table handle":       numbers,
	"nft table pad":          padding,
	"nft chain table":        heads,
	"nft chain name":         heads,
	"nft chain handle":       numbers,
	"nft chain use":          counts,
	"nft chain counters":     counts,
	"nft chain pad":          padding,
	"nft rule table":         heads,
	"nft rule chain":         heads,
	"nft rule handle":        numbers,
	"nft rule position":      numbers,
	"nft rule pad":           padding,
	"nft set table":          heads,
	"nft set name":           heads,
	"nft set handle":         numbers,
	"nft set pad":            padding,
	"nft set type":           "the way that the kernel has chosen to keep the elements",
	"nft set count":          counts,
	"nft element pad":        padding,
	"nft element expiration": timer,
	"nft object table":       heads,
	"nft object name":        heads,
	"nft object use":         counts,
	"nft object handle":      numbers,
	"nft object pad":         padding,
	"nft flowtable table":    heads,
	"nft flowtable name":     heads,
	"nft flowtable use":      counts,
	"nft flowtable handle":   numbers,
	"nft flowtable pad":      padding,
}

// leftOutOfExpressions lists, by the expression's name, the attributes that are not shown.
var leftOutOfExpressions = map[string]map[uint16]string{
	"counter": {1: counts, 2: counts, 3: padding},
	"quota":   {4: counts},
	"last":    {1: timer, 2: timer},
}

// leftOutAtTimes lists the attributes of links that are not shown while something holds of the link.
var leftOutAtTimes = []struct {
	line string
	when func(*Link) bool
	why  string
}{
	{"info data ageing_time", (*Link).runsSTP, "the spanning tree shortens it while the topology changes"},
	{"tso_max_size", (*Link).takesLimits, ofPorts},
	{"tso_max_segs", (*Link).takesLimits, ofPorts},
	{"headroom", (*Link).takesLimits, ofPorts},
	{"tailroom", (*Link).takesLimits, ofPorts},
	{"tso_max_size", (*Link).isUpper, "it took it from the link below when it was made"},
	{"tso_max_segs", (*Link).isUpper, "it took it from the link below when it was made"},
	{"perm_address", (*Link).isTunnel, "its local address when it was made, or one at random"},
	{"af_spec inet6 addr_gen_mode", (*Link).nameless, "it becomes random when a carrier first comes"},
	{"info slave state", (*Link).undecided, "the spanning tree decides on it, or the carrier does"},
}
