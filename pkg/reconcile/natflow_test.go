package reconcile_test

import (
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/plumbnet/plumb/pkg/battery/host"
	"github.com/plumbnet/plumb/pkg/battery/snapshot"
	"github.com/plumbnet/plumb/pkg/kernel"
)

// flow is a UDP flow from a namespace to another one, which never ends.
type flow struct {
	lab      *lab
	from, to *net.UDPConn
}

func (l *lab) flow(from, to, addr string) *flow {
	l.Helper()
	f := &flow{lab: l}
	var err error
	in := func(ns string, dial func() error) {
		if e := host.Inside(ns, dial); e != nil {
			l.Fatalf("flow from %q to %q: %v", from, to, e)
		}
	}
	in(to, func() error { f.to, err = net.ListenUDP("udp", &net.UDPAddr{IP: net.ParseIP(addr)}); return err })
	at := net.UDPAddrFromAddrPort(f.to.LocalAddr().(*net.UDPAddr).AddrPort())
	in(from, func() error { f.from, err = net.DialUDP("udp", nil, at); return err })
	l.Cleanup(func() { _, _ = f.to.Close(), f.from.Close() })
	if err := snapshot.Quiet(); err != nil {
		l.Error(err)
	}
	return f
}

// seen sends a datagram, and wants the far side to see whom it comes from.
func (f *flow) seen(when, as string) {
	f.lab.Helper()
	if _, err := f.from.Write([]byte("hello")); err != nil {
		f.lab.Fatal(err)
	}
	if err := f.to.SetDeadline(time.Now().Add(patience)); err != nil {
		f.lab.Fatal(err)
	}
	var b [16]byte
	_, from, err := f.to.ReadFromUDPAddrPort(b[:])
	if want := netip.MustParseAddr(as); err != nil || from.Addr().Unmap() != want {
		f.lab.Errorf("%s: a datagram of %s comes from %v (%v), want %s", when, f.from.LocalAddr(), from, err, want)
	}
}

// tracking has the host keep track of connections before there is any NAT, as a firewall does.
func (l *lab) tracking() {
	l.Helper()
	l.script(`
		nft add table inet watch
		nft add chain inet watch forward { type filter hook forward priority 0 ; policy accept ; }
		nft add rule inet watch forward ct state invalid counter`)
	l.fixture(func() { l.sh("nft", "delete", "table", "inet", "watch") })
	if err := netlink.ConntrackTableFlush(netlink.ConntrackTable); err != nil { // an earlier test had the same addresses
		l.Fatal(err)
	}
}

// tracked counts the connections that the host keeps track of between two addresses.
func (l *lab) tracked(src, dst string) (n int) {
	l.Helper()
	for _, family := range []netlink.InetFamily{unix.AF_INET, unix.AF_INET6} {
		list, err := netlink.ConntrackTableList(netlink.ConntrackTable, family)
		if err != nil {
			l.Fatal(err)
		}
		for _, c := range list {
			if c.Forward.SrcIP.Equal(net.ParseIP(src)) && c.Forward.DstIP.Equal(net.ParseIP(dst)) {
				n++
			}
		}
	}
	return n
}

// natLab is a topology with two networks and the given nat entries.
func natLab(entries string) string {
	return `
name: flows
sysctls: {net.ipv4.ip_forward: 1, net.ipv6.conf.all.forwarding: 1}
bridges:
  one: {addresses: [10.14.0.1/24, "fd00:14::1/64"]}
  two: {addresses: [10.15.0.1/24]}
namespaces:
  ns1:
    interfaces: {eth0: {bridge: one, addresses: [10.14.0.11/24, "fd00:14::11/64"]}}
    routes: [{to: default, via: 10.14.0.1}, {to: default, via: "fd00:14::1"}]
  ns2:
    interfaces: {eth0: {bridge: two, addresses: [10.15.0.11/24]}}
    routes: [{to: default, via: 10.15.0.1}]
nat: [` + entries + `]
`
}

// TestFlowsThatWereThereBeforeNAT go on translated when an entry comes that catches them, or one gets wider or another
// way out, and untranslated when it goes.
func TestFlowsThatWereThereBeforeNAT(t *testing.T) {
	l := newLab(t)
	l.uplink()
	l.tracking()
	l.apply(l.load(natLab("")))
	four, six := l.flow("ns1", "world", world4), l.flow("ns1", "world", world6)
	for _, edit := range []struct{ what, nat, as4, as6 string }{
		{"without nat", "", "10.14.0.11", "fd00:14::11"},
		{"the first", `{masquerade: 10.14.0.0/24}, {masquerade: "fd00:14::/64"}`, uplink4, uplink6},
		{"none again", "", "10.14.0.11", "fd00:14::11"},
		{"a part", `{masquerade: 10.14.0.64/26}, {masquerade: "fd00:14::40/122"}`, "10.14.0.11", "fd00:14::11"},
		{"wider", `{masquerade: 10.14.0.0/16}, {masquerade: "fd00:14::/32"}`, uplink4, uplink6},
		{
			"another way", `{masquerade: 10.14.0.0/16, out: two}, {masquerade: "fd00:14::/32", out: two}`,
			"10.14.0.11", "fd00:14::11",
		},
		{"back", `{masquerade: 10.14.0.0/24, out: up0}, {masquerade: "fd00:14::/64", out: up0}`, uplink4, uplink6},
		{
			"more", `{masquerade: 10.0.0.0/8}, {masquerade: 10.14.0.0/24, out: up0}, {masquerade: "fd00::/16"}`,
			uplink4, uplink6,
		},
	} {
		l.apply(l.load(natLab(edit.nat)))
		four.seen(edit.what, edit.as4)
		six.seen(edit.what, edit.as6)
	}
}

// TestFlowsOfADriftedTable go on translated when a table that was flushed is healed.
func TestFlowsOfADriftedTable(t *testing.T) {
	l := newLab(t)
	l.uplink()
	l.tracking()
	topo := l.load(natLab(`{masquerade: 10.14.0.0/24, out: up0}, {masquerade: "fd00:14::/64"}`))
	l.apply(topo)
	for _, flush := range []string{"flush table inet plumb-flows", "delete table inet plumb-flows"} {
		l.sh("nft", strings.Fields(flush)...)
		four, six := l.flow("ns1", "world", world4), l.flow("ns1", "world", world6)
		four.seen(flush, "10.14.0.11")
		six.seen(flush, "fd00:14::11")
		l.apply(topo)
		four.seen("healed", uplink4)
		six.seen("healed", uplink6)
	}
}

// TestFlowsThatNoEntryCatches are not forgotten: those that stay on the host, or go from one of its links to another.
func TestFlowsThatNoEntryCatches(t *testing.T) {
	l := newLab(t)
	l.uplink()
	l.tracking()
	l.apply(l.load(natLab("")))
	for _, to := range []struct{ ns, addr string }{{"ns2", "10.15.0.11"}, {"", "10.14.0.1"}, {"world", world4}} {
		l.flow("ns1", to.ns, to.addr).seen(to.addr, "10.14.0.11")
	}
	l.flow("", "world", world4).seen("the host's own", uplink4)
	l.apply(l.load(natLab(`{masquerade: 10.0.0.0/8}, {masquerade: 198.18.0.0/15}`)))
	for src, kept := range map[[2]string]int{
		{"10.14.0.11", "10.15.0.11"}: 1, {"10.14.0.11", world4}: 0, {uplink4, world4}: 1, {"10.14.0.11", "10.14.0.1"}: 1,
	} {
		if n := l.tracked(src[0], src[1]); n != kept {
			t.Errorf("%d connections are tracked of %v, want %d", n, src, kept)
		}
	}
}

// TestConnectionsThroughNATLast while entries beside theirs come and go.
func TestConnectionsThroughNATLast(t *testing.T) {
	l := newLab(t)
	l.uplink()
	const entry = `{masquerade: 10.14.0.0/24}`
	l.apply(l.load(natLab(entry)))
	f := l.flow("ns1", "world", world4)
	f.seen("first", uplink4)
	forgets := through(&kernel.Seam{Around: func(w kernel.Write, write func() error) error {
		if strings.Contains(w.What, "forget") {
			t.Error(w)
		}
		return write()
	}})
	for _, nat := range []string{
		entry + `, {masquerade: 10.0.0.0/8}`, `{masquerade: 10.0.0.0/8}`, `{masquerade: 10.14.0.0/25, out: up0}`, entry,
	} {
		l.apply(l.load(natLab(nat)), forgets)
		f.seen(nat, uplink4)
	}
}
