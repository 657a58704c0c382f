package reconcile_test

import (
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/plumbnet/plumb/pkg/battery/host"
	"github.com/plumbnet/plumb/pkg/battery/snapshot"
)

// foreign puts things of other people on the host, which must stay untouched: links, a namespace, tables of nftables,
// routes and a rule.
func (l *lab) foreign() {
	l.Helper()
	l.script(`
		ip link add fv0 address 02:f0:00:00:00:01 type veth peer name fv1 address 02:f0:00:00:00:02
		ip link set fv0 up alias somebody-else
		ip link set fv1 up
		ip address add 10.99.1.1/24 dev fv0
		ip address add 10.99.1.2/24 dev fv0
		ip address add fd00:99:1::1/64 dev fv0 nodad
		ip link add fbr0 address 02:f0:00:00:00:03 type bridge stp_state 0 forward_delay 400
		ip link set fbr0 up
		ip address add 10.99.2.1/24 dev fbr0
		ip link set fv1 master fbr0
		ip netns add foreign1
		ip link add fv2 address 02:f0:00:00:00:04 type veth peer name eth0 address 02:f0:00:00:00:05 netns foreign1
		ip link set fv2 up
		ip address add 10.99.3.1/24 dev fv2
		ip -n foreign1 link set lo up
		ip -n foreign1 link set eth0 up
		ip -n foreign1 address add 10.99.3.2/24 dev eth0
		ip -n foreign1 address add fd00:99:3::2/64 dev eth0 nodad
		ip -n foreign1 route add default via 10.99.3.1
		ip -n foreign1 route add blackhole 10.98.0.0/16 proto 99 metric 7
		ip route add 10.97.0.0/16 via 10.99.3.2 dev fv2 table 99 proto static
		ip rule add pref 100 from 10.99.0.0/16 lookup 99
		ip -6 rule add pref 101 from fd00:99::/32 lookup 99
		nft add table inet foreign
		nft add chain inet foreign forward { type filter hook forward priority 0 ; policy accept ; }
		nft add rule inet foreign forward iifname fv0 counter accept
		nft add table ip filter
		nft add chain ip filter INPUT { type filter hook input priority 0 ; policy accept ; }
		nft add rule ip filter INPUT ip saddr 10.99.9.9 drop`)
	l.fixture(func() {
		l.script(`
			ip link del fv0
			ip link del fbr0
			ip link del fv2
			ip netns del foreign1
			ip rule del pref 100
			ip -6 rule del pref 101
			nft delete table inet foreign
			nft delete table ip filter`)
	})
}

const (
	uplink4, world4 = host.Uplink4, host.World4
	uplink6, world6 = host.Uplink6, host.World6
)

// uplink gives the host a way to the internet: see [host.AddUplink].
func (l *lab) uplink() {
	l.Helper()
	l.must(host.AddUplink())
	l.fixture(func() { l.must(host.RemoveUplink()) })
}

// around puts on the host what an example finds there: things of other people, the uplink that [lab.example] names, and
// the containers that the topology is attached to.
func (l *lab) around(yaml string) {
	l.Helper()
	l.foreign()
	l.uplink()
	l.containers(yaml)
}

// sysctl writes a parameter of the host, which has its old value again after the test.
func (l *lab) sysctl(path, value string) {
	l.Helper()
	path = filepath.Join("/proc/sys/net", path)
	old, err := os.ReadFile(path)
	if err == nil {
		err = os.WriteFile(path, []byte(value), 0)
	}
	if err != nil {
		l.Fatal(err)
	}
	l.fixture(func() {
		if err := os.WriteFile(path, old, 0); err != nil && !os.IsNotExist(err) {
			l.Error(err)
		}
	})
}

// wipe clears the host by force after a test that failed to, for the sake of those that follow.
func (l *lab) wipe() {
	names, _ := os.ReadDir(host.NetnsDir)
	for _, n := range names {
		path := filepath.Join(host.NetnsDir, n.Name())
		_ = unix.Unmount(path, unix.MNT_DETACH)
		_ = os.Remove(path)
	}
	for _, link := range l.settled().Sections[0].Links {
		if link.Name != "lo" {
			_ = host.Run("ip", "link", "del", link.Name)
		}
	}
	for _, c := range []string{
		"nft flush ruleset", "ip address flush dev lo scope global", "ip link set lo group default alias",
		"ip link set lo up", "ip route flush proto boot", "ip route flush proto static",
		"ip -6 route flush proto boot", "ip route flush proto 112",
		"ip -6 route flush proto 112", "ip route flush table 99", "ip rule del pref 100", "ip -6 rule del pref 101",
	} {
		f := strings.Fields(c)
		if c == "ip link set lo group default alias" {
			f = append(f, "")
		}
		_ = host.Run(f[0], f[1:]...)
	}
	for range 2 { // a switch for all writes others
		now := l.settled().Sysctls()
		for path, value := range l.start.Sysctls() {
			if now[path] != value {
				_ = os.WriteFile("/proc/sys/net/"+path, []byte(value), 0)
			}
		}
	}
	_ = os.RemoveAll("/run/plumb")
	if d := snapshot.Difference(l.start.Text, l.settle()); d != "" {
		l.Errorf("the host could not be cleared by force; later tests will fail too:\n%s", d)
	}
}
