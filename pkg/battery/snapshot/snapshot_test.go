package snapshot

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/plumbnet/plumb/pkg/battery/host"
	"github.com/plumbnet/plumb/pkg/kernel"
)

func TestMain(m *testing.M) {
	if os.Geteuid() != 0 {
		fmt.Println("not root: the tests on a kernel are skipped")
	} else if err := host.Enter(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// script runs a command a line. Words in quotes may hold spaces.
func script(t testing.TB, lines string) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	for line := range strings.Lines(lines) {
		if line = strings.TrimSpace(line); line != "" {
			if err := host.Run("sh", "-c", line); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func rested(t testing.TB) *State {
	t.Helper()
	s, err := Rest()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// things are of all sorts that a snapshot tells of.
const things = `
	ip netns add n1
	ip link add br0 address 02:00:00:00:00:01 type bridge stp_state 0
	ip link add br1 address 02:00:00:00:00:06 type bridge
	ip link add v0 address 02:00:00:00:00:02 type veth peer name v1 address 02:00:00:00:00:03 netns n1
	ip link add p0 address 02:00:00:00:00:04 type veth peer name p1 address 02:00:00:00:00:05
	ip link add vx0 address 02:00:00:00:00:07 type vxlan id 10 dstport 4789 remote 10.0.0.9 local 10.0.0.1
	ip link set p0 master br0
	ip link set br0 up
	ip link set p0 up
	ip link set p1 up
	ip link set v0 up
	ip link set vx0 up
	ip -n n1 link set lo up
	ip -n n1 link set v1 up
	ip address add 10.0.0.1/24 dev v0
	ip address add 10.0.1.1/24 dev v0
	ip address add fd00::1/64 dev v0 nodad
	ip -n n1 address add 10.0.0.2/24 dev v1
	ip route add 10.1.0.0/16 via 10.0.0.2
	ip route add 10.2.0.0/16 nexthop via 10.0.0.2 weight 2 nexthop via 10.0.1.2
	ip -6 route add fd01::/48 nexthop via fd00::2 nexthop via fd00::3
	nft add table inet t
	nft add chain inet t c '{ type filter hook forward priority 0 ; policy accept ; }'
	nft add set inet t s '{ type ipv4_addr ; }'
	nft add rule inet t c ip saddr 10.0.0.0/8 counter accept`

const nothings = `
	nft flush ruleset
	ip link del vx0
	ip link del v0
	ip link del p0
	ip link del br0
	ip link del br1
	ip netns del n1`

// vxlan are commands that make vx0 anew, of another number.
func vxlan(id string) string {
	return "ip link del vx0 && ip link add vx0 address 02:00:00:00:00:07 type vxlan id " + id +
		" dstport 4789 remote 10.0.0.9 local 10.0.0.1 && ip link set vx0 up"
}

// What each change by hand shows as. It shows nothing more where sees is all of the difference, but for the signs.
var changes = []struct{ do, undo, sees string }{
	// links
	{"ip link set v0 mtu 1400", "ip link set v0 mtu 1500", "host: link v0 mtu 1400"},
	{"ip link set p1 down", "ip link set p1 up", "- host: link p1 flags UP BROADCAST"},
	{"ip link set v0 arp off", "ip link set v0 arp on", "NOARP"},
	{"ip link set v0 promisc on", "ip link set v0 promisc off", "PROMISC"},
	{
		"ip link set v0 address 02:00:00:00:00:99", "ip link set v0 address 02:00:00:00:00:02",
		"link v0 address 02:00:00:00:00:99",
	},
	{"ip link set v0 group 7", "ip link set v0 group 0", "link v0 group 7"},
	{"ip link set v0 txqlen 7", "ip link set v0 txqlen 1000", "link v0 txqlen 7"},
	{"ip link set v0 alias 'x y'", "ip link set v0 alias ''", `link v0 ifalias "x y"`},
	{"ip link set v0 gso_max_size 1000", "ip link set v0 gso_max_size 65536", "link v0 gso_max_size 1000"},
	{
		"ip link property add dev v0 altname other", "ip link property del dev v0 altname other",
		"link v0 prop_list altname other",
	},
	{"ip link set br1 addrgenmode none", "ip link set br1 addrgenmode eui64", "link br1 af_spec inet6 addr_gen_mode 1"},
	{"ip link set p0 nomaster", "ip link set p0 master br0", "- host: link p0 master br0"},
	{"ip -n n1 link set v1 name other", "ip -n n1 link set other name v1", "host: link v0 peer n1/other"},
	{"ip netns add n2", "ip netns del n2", "n2: link lo "},
	{"touch /run/netns/x", "rm /run/netns/x", "netns x (a file)"},
	// the data of a type, and of a port
	{
		"ip link set br0 type bridge ageing_time 1000", "ip link set br0 type bridge ageing_time 30000",
		"link br0 info data ageing_time 1000",
	},
	{
		"ip link set br0 type bridge stp_state 1", "ip link set br0 type bridge stp_state 0",
		"link br0 info data stp_state 1",
	},
	{
		"ip link set br0 type bridge priority 7", "ip link set br0 type bridge priority 32768",
		"link br0 info data priority 7",
	},
	{
		"ip link set br0 type bridge mcast_snooping 0", "ip link set br0 type bridge mcast_snooping 1",
		"link br0 info data mcast_snooping 0",
	},
	{"bridge link set dev p0 hairpin on", "bridge link set dev p0 hairpin off", "link p0 info slave hairpin 1"},
	{"bridge link set dev p0 state 0", "bridge link set dev p0 state 3", "link p0 info slave state 0"},
	{"bridge link set dev p0 cost 7", "bridge link set dev p0 cost 2", "link p0 info slave cost 7"},
	{vxlan("11"), vxlan("10"), "link vx0 info data id 11"},
	{"ip link set vx0 type vxlan ttl 7", "ip link set vx0 type vxlan ttl 0", "link vx0 info data ttl 7"},
	{
		"ip link set vx0 type vxlan remote 10.0.0.8", "ip link set vx0 type vxlan remote 10.0.0.9",
		"link vx0 info data group 10.0.0.8",
	},
	{"ip link set vx0 type vxlan dev v0", "", "link vx0 info data dev v0"},
	// addresses
	{"ip address add 10.0.2.1/24 dev v0", "ip address del 10.0.2.1/24 dev v0", "address v0 inet 3: 10.0.2.1/24"},
	{"ip address add 10.0.2.1/24 label v0:1 dev v0", "ip address del 10.0.2.1/24 dev v0", "label v0:1"},
	{
		"ip address add 10.0.2.1 peer 10.0.2.2/32 dev v0", "ip address del 10.0.2.1 peer 10.0.2.2/32 dev v0",
		"address 10.0.2.2 local 10.0.2.1",
	},
	{"ip address add 10.0.2.1/24 brd + dev v0", "ip address del 10.0.2.1/24 dev v0", "broadcast 10.0.2.255"},
	{"ip address add 10.0.2.1/24 metric 7 dev v0", "ip address del 10.0.2.1/24 dev v0", "metric 7"},
	{
		"ip address change 10.0.1.1/24 dev v0 valid_lft 1000 preferred_lft 900", "ip address change 10.0.1.1/24 dev v0",
		"valid for a time",
	},
	{
		"ip address change 10.0.1.1/24 dev v0 preferred_lft 0", "ip address change 10.0.1.1/24 dev v0",
		"10.0.1.1/24 scope 0 flags 0xa0",
	},
	{"ip address del 10.0.0.1/24 dev v0 && ip address add 10.0.0.1/24 dev v0", "", "address v0 inet 2: 10.0.0.1/24"},
	// routes, rules and neighbours
	{"ip route add 10.3.0.0/16 via 10.0.0.2 mtu 1300", "ip route del 10.3.0.0/16", "metrics { mtu 1300 }"},
	{"ip route add 10.3.0.0/16 dev v0 table 7", "ip route del 10.3.0.0/16 table 7", "route inet 10.3.0.0/16 table 7"},
	{
		"ip route append 10.1.0.0/16 via 10.0.0.3", "ip route del 10.1.0.0/16 via 10.0.0.3",
		"route inet 10.1.0.0/16 table main metric 0 2:",
	},
	{
		"ip route add blackhole default metric 9", "ip route del blackhole default metric 9",
		"route inet default table main metric 9 1: blackhole",
	},
	{
		"ip route add 10.3.0.0/16 via 10.9.9.9 dev v0 onlink proto 77", "ip route del 10.3.0.0/16",
		"proto 77 scope 0 src_len 0 flags 0x4",
	},
	{"ip -6 route del fd01::/48 via fd00::3", "ip -6 route append fd01::/48 via fd00::3 dev v0", "route inet6 fd01::/48"},
	{"ip route replace 10.2.0.0/16 nexthop via 10.0.0.2 weight 5 nexthop via 10.0.1.2",
		"ip route replace 10.2.0.0/16 nexthop via 10.0.0.2 weight 2 nexthop via 10.0.1.2",
		"{ weight 5 flags 0x0 dev v0 via 10.0.0.2 }"},
	{
		"ip nexthop add id 5 via 10.0.0.2 dev v0", "ip nexthop del id 5",
		"host: nexthop inet: scope 253 proto 0 flags 0x0 id 5",
	},
	{
		"ip rule add pref 7 lookup 7", "ip rule del pref 7",
		"host: rule inet 7 1: to_len 0 from_len 0 tos 0 action 1 flags 0x0 table 7",
	},
	{
		"ip -6 rule add pref 7 from fd00::/16 prohibit", "ip -6 rule del pref 7",
		"rule inet6 7 1: to_len 0 from_len 16 tos 0 action 8",
	},
	{"ip rule add pref 7 fwmark 0x10/0xf0 iif v0 lookup 7", "ip rule del pref 7", "iif v0"},
	{
		"ip neigh add 10.0.0.77 lladdr 02:00:00:00:00:09 dev v0", "ip neigh del 10.0.0.77 dev v0",
		"host: neighbour 10.0.0.77 dev v0: flags 0x0 type 1 dst 10.0.0.77 lladdr 02:00:00:00:00:09",
	},
	{"ip neigh add proxy 10.0.0.9 dev v0", "ip neigh del proxy 10.0.0.9 dev v0", "proxy 10.0.0.9 dev v0"},
	// forwarding tables
	{
		"bridge fdb add 02:00:00:00:00:09 dev p0 master static", "bridge fdb del 02:00:00:00:00:09 dev p0 master",
		"fdb dev p0 state 0x40",
	},
	{"bridge fdb add 02:00:00:00:00:09 dev vx0 dst 10.0.0.8", "bridge fdb del 02:00:00:00:00:09 dev vx0 dst 10.0.0.8",
		"fdb dev vx0 state 0xc0 flags 0x2 lladdr 02:00:00:00:00:09 dst 10.0.0.8"},
	// nftables
	{"nft add table ip other", "nft delete table ip other", "nft table ip other"},
	{"nft add chain inet t d", "nft delete chain inet t d", "nft chain inet t d:"},
	{"nft add chain inet t c '{ policy drop ; }'", "nft add chain inet t c '{ policy accept ; }'", "policy 0"},
	{
		"nft insert rule inet t c ip daddr 10.0.0.7 drop",
		"nft delete rule inet t c handle $(nft -a list chain inet t c | sed -n 's/.*drop # handle //p')",
		"nft rule inet t c 1: expressions { expression meta{",
	},
	{
		"nft add element inet t s '{ 10.0.0.7 }'", "nft delete element inet t s '{ 10.0.0.7 }'",
		"nft element inet t s: key 0x080001000a000007",
	},
	{
		"nft add set inet t r '{ type ipv4_addr ; flags interval ; }'", "nft delete set inet t r",
		"nft set inet t r: flags 4",
	},
	{"nft add counter inet t n", "nft delete counter inet t n", "nft object inet t n: type 1"},
	// sysctls
	{
		"sysctl -qw net.ipv4.conf.v0.rp_filter=2", "sysctl -qw net.ipv4.conf.v0.rp_filter=0",
		"host: ipv4/conf/v0/rp_filter = 2",
	},
	{
		"sysctl -qw net.ipv6.conf.v0.hop_limit=7", "sysctl -qw net.ipv6.conf.v0.hop_limit=64",
		"host: ipv6/conf/v0/hop_limit = 7",
	},
	{
		"sysctl -qw net.ipv4.conf.default.rp_filter=2", "sysctl -qw net.ipv4.conf.default.rp_filter=0",
		"host: ipv4/conf/default/rp_filter = 2",
	},
	{
		"sysctl -qw net.ipv4.neigh.v0.ucast_solicit=7", "sysctl -qw net.ipv4.neigh.v0.ucast_solicit=3",
		"host: ipv4/neigh/v0/ucast_solicit = 7",
	},
	{
		"sysctl -qw net.ipv6.neigh.v0.gc_stale_time=7", "sysctl -qw net.ipv6.neigh.v0.gc_stale_time=60",
		"host: ipv6/neigh/v0/gc_stale_time = 7",
	},
	{
		"ip netns exec n1 sysctl -qw net.ipv4.tcp_sack=0", "ip netns exec n1 sysctl -qw net.ipv4.tcp_sack=1",
		"n1: ipv4/tcp_sack = 0",
	},
}

// TestSees holds that a snapshot shows each change by hand, and nothing where all is as before.
func TestSees(t *testing.T) {
	script(t, things)
	defer script(t, nothings)
	before := rested(t).Text
	for _, c := range changes {
		script(t, c.do)
		now := rested(t).Text
		if d := Difference(before, now); !strings.Contains(d, c.sees) {
			t.Errorf("after %s the snapshot does not show %q, but\n%s", c.do, c.sees, d)
		}
		if c.undo == "" {
			before = now
			continue
		}
		script(t, c.undo)
		if d := Difference(before, rested(t).Text); d != "" {
			t.Errorf("after %s the snapshot differs:\n%s", c.undo, d)
			before = rested(t).Text
		}
	}
	t.Logf("%d changes", len(changes))
}

// TestSeesFeatures is [TestSees] for features, which no command sets that every host has.
func TestSeesFeatures(t *testing.T) {
	script(t, things)
	defer script(t, nothings)
	const sees = "host: link v0 features "
	before := rested(t).Text
	for _, on := range []bool{false, true} {
		err := host.Inside("", func() error {
			n, err := kernel.Current(new(kernel.Seam))
			if err != nil {
				return err
			}
			defer n.Close()
			return n.SetFeature("v0", "tx-tcp-segmentation", on)
		})
		if err != nil {
			t.Fatal(err)
		}
		d := Difference(before, rested(t).Text)
		if !on && strings.Count(d, sees) != 2 || on && d != "" {
			t.Errorf("with the feature %v the snapshot shows\n%s", on, d)
		}
	}
}

// routerOnce leaves the anycast address of a subnet on a link on which arp was switched while it was a router. The
// kernel joins that address once more up to a second later.
const routerOnce = `
	sysctl -qw net.ipv6.conf.v0.forwarding=1
	ip link set v0 arp off
	timeout 10 sh -c 'until grep -q "v0  *fd00.* 2$" /proc/net/anycast6; do sleep 0.05; done'
	ip link set v0 arp on
	sysctl -qw net.ipv6.conf.v0.forwarding=0
	grep -q "v0  *fd00" /proc/net/anycast6`

// What comes and goes by itself does not show.
func TestSeesNothing(t *testing.T) {
	script(t, things)
	defer script(t, nothings)
	before := rested(t).Text
	for _, do := range []string{
		"ip neigh add 10.0.0.77 lladdr 02:00:00:00:00:09 dev v0 nud stale",
		"bridge fdb add 02:00:00:00:00:09 dev p0 master dynamic",
		"ip -n n1 link add pad type bridge && ip -n n1 link del pad", // an index is used up
		"ping -q -c 1 -W 10 10.0.0.2",                                // packets are counted, and a neighbour is learned
		"nft flush chain inet t c && nft add rule inet t c ip saddr 10.0.0.0/8 counter accept",
		"ip maddress add 01:00:5e:00:00:07 dev v0",
		routerOnce,
	} {
		script(t, do)
		if d := Difference(before, rested(t).Text); d != "" {
			t.Errorf("after %s the snapshot shows\n%s", do, d)
		}
	}
}

// TestSysctlsAsFiles holds that parameters that come by netlink are told as their files tell them, and that none is
// left out.
func TestSysctlsAsFiles(t *testing.T) {
	script(t, things)
	defer script(t, nothings)
	script(t, `
		sysctl -qw net.ipv4.neigh.v0.locktime=70
		sysctl -qw net.ipv6.conf.v0.router_solicitation_delay=3 net.ipv6.conf.v0.ioam6_id_wide=7`)
	told := rested(t).Sysctls()
	// The same as another, in another unit.
	twice := []string{"base_reachable_time", "retrans_time", "unres_qlen"}
	for _, dir := range []string{"ipv4/conf", "ipv6/conf", "ipv4/neigh", "ipv6/neigh"} {
		files, err := filepath.Glob("/proc/sys/net/" + dir + "/*/*")
		if err != nil || len(files) == 0 {
			t.Fatal(files, err)
		}
		for _, file := range files {
			value, err := os.ReadFile(file)
			path, name := strings.TrimPrefix(file, "/proc/sys/net/"), filepath.Base(file)
			machine := strings.HasPrefix(name, "gc_") && name != "gc_stale_time"
			if err != nil || unsteady(name) || slices.Contains(twice, name) || machine {
				continue
			}
			if have, ok := told[path]; !ok || have != strings.TrimSpace(string(value)) {
				t.Errorf("%s is %s, and is told to be %q (%v)", path, value, have, ok)
			}
		}
	}
	if len(told) < 500 {
		t.Errorf("only %d parameters are told", len(told))
	}
}

// tables are those of known attributes.
func tables() []attrs {
	all := []attrs{
		linkAttrs, familyAttrs[familyIPv4].kids, familyAttrs[familyIPv6].kids,
		slaveData["bridge"], slaveData["bond"], slaveData["vrf"], addressAttrs, routeAttrs, ruleAttrs,
		neighbourAttrs, vlanAttrs[1].kids, nexthopAttrs, nexthopAttrs[12].kids, qdiscAttrs,
		fqCodelAttrs, nftTable, nftChain, nftRule, nftSet, nftElement, nftObject, nftFlowtable,
	}
	for _, kind := range slices.Sorted(maps.Keys(linkData)) {
		if kind != "macvtap" { // has that of macvlan
			all = append(all, linkData[kind])
		}
	}
	return all
}

// TestLeftOut holds that the table of what is left out names attributes that there are.
func TestLeftOut(t *testing.T) {
	names := make(map[string]int)
	skipped := 0
	for _, table := range tables() {
		for _, a := range table {
			if a.skip {
				skipped++
				names[a.name]++
			}
		}
	}
	for what, why := range leftOut {
		if name := what[strings.LastIndexByte(what, ' ')+1:]; names[name] == 0 || why == "" {
			t.Errorf("%q is left out because %q, and no attribute is called so", what, why)
		}
	}
	if skipped != len(leftOut) {
		t.Errorf("%d attributes are skipped, and %d are said to be left out", skipped, len(leftOut))
	}
}

// TestNumbers holds that the lists of attributes have each at its number.
func TestNumbers(t *testing.T) {
	for _, c := range []struct {
		table  attrs
		number uint16
		name   string
	}{
		{linkAttrs, unix.IFLA_GROUP, "group"},
		{linkAttrs, unix.IFLA_PROP_LIST, "prop_list"},
		{linkAttrs, unix.IFLA_DPLL_PIN, "dpll_pin"},
		{linkAttrs, unix.IFLA_GRO_IPV4_MAX_SIZE, "gro_ipv4_max_size"},
		{linkAttrs, unix.IFLA_LINK_NETNSID, "link_netnsid"},
		{linkData["bridge"], unix.IFLA_BR_VLAN_DEFAULT_PVID, "vlan_default_pvid"},
		{linkData["bridge"], unix.IFLA_BR_FDB_MAX_LEARNED, "fdb_max_learned"},
		{linkData["vxlan"], unix.IFLA_VXLAN_LOCALBYPASS, "localbypass"},
		{linkData["vxlan"], unix.IFLA_VXLAN_PORT, "port"},
		{linkData["macvlan"], unix.IFLA_MACVLAN_BC_CUTOFF, "bc_cutoff"},
		{linkData["vlan"], unix.IFLA_VLAN_PROTOCOL, "protocol"},
		{linkData["bond"], unix.IFLA_BOND_PRIMARY, "primary"},
		{linkData["tun"], unix.IFLA_TUN_MULTI_QUEUE, "multi_queue"},
		{slaveData["bridge"], unix.IFLA_BRPORT_ISOLATED, "isolated"},
		{slaveData["bridge"], unix.IFLA_BRPORT_BACKUP_NHID, "backup_nhid"},
		{slaveData["bridge"], unix.IFLA_BRPORT_ID, "id"},
		{addressAttrs, unix.IFA_RT_PRIORITY, "metric"},
		{routeAttrs, unix.RTA_EXPIRES, "expires"},
		{routeAttrs, 30, "nh_id"},
		{ruleAttrs, unix.FRA_PROTOCOL, "protocol"},
		{ruleAttrs, unix.FRA_DPORT_RANGE, "dport"},
		{neighbourAttrs, unix.NDA_LINK_NETNSID, "link_netnsid"},
		{neighbourAttrs, unix.NDA_MASTER, "master"},
		{nexthopAttrs, unix.NHA_GATEWAY, "via"},
		{qdiscAttrs, unix.TCA_STATS2, "stats2"},
		{nftChain, unix.NFTA_CHAIN_POLICY, "policy"},
		{nftRule, unix.NFTA_RULE_USERDATA, "userdata"},
		{nftSet, unix.NFTA_SET_OBJ_TYPE, "obj_type"},
		{nftElement, unix.NFTA_SET_ELEM_EXPIRATION, "expiration"},
		{nftObject, unix.NFTA_OBJ_USE, "use"},
	} {
		if c.table[c.number].name != c.name {
			t.Errorf("%d is called %q, and is %q", c.number, c.table[c.number].name, c.name)
		}
	}
}

func BenchmarkTake(b *testing.B) {
	script(b, things)
	defer script(b, nothings)
	for name, whole := range map[string]bool{"whole": true, "light": false} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if _, err := Take(whole); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// TestHeard: where a peer of wireguard is found by what it sends is no difference; where it was said to be is one.
func TestHeard(t *testing.T) {
	const nowhere, there, heardThere, heardElsewhere = "peer 1 endpoint none\n", "peer 1 endpoint 192.0.2.1:7\n",
		"peer 1 endpoint 192.0.2.1:7 heard\n", "peer 1 endpoint 192.0.2.9:7 heard\n"
	for _, c := range []struct {
		before, after string
		same          bool
	}{
		{nowhere, heardThere, true},
		{heardThere, nowhere, true},
		{there, heardThere, true},
		{heardThere, heardElsewhere, false},
		{there, heardElsewhere, false},
		{nowhere, there, false},
		{there, nowhere, false},
	} {
		if d := Difference(c.before, c.after); (d == "") != c.same {
			t.Errorf("from %sto %sthe difference is %q", c.before, c.after, d)
		}
	}
}
