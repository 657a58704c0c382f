package topology

import (
	"fmt"
	"maps"
	"net/netip"
	"strings"
	"testing"

	"github.com/plumbnet/plumb/pkg/kinds"
	links "github.com/plumbnet/plumb/pkg/link"
	"github.com/plumbnet/plumb/pkg/object"
	"github.com/plumbnet/plumb/pkg/plan"
)

func TestLinkDefaults(t *testing.T) {
	topo := load(t, "name: lab\nbridges: {br0: {}}\nnamespaces: {ns1: {interfaces: {eth0: {bridge: br0}}}}\n")
	port := object.DerivedName("lab", "ns1", "eth0")
	link := func(ns, name string) links.Link {
		mac := object.DerivedMAC("lab", ns, name)
		return links.Link{
			NS: ns, Name: name, Ifname: name, Type: links.TypeVeth, Up: true, MTU: 1500, MAC: mac,
			LinkLocal: plan.Some(mac.LinkLocal()),
			Group:     object.Group("lab"), Alias: object.Alias("lab", ns, name),
			Promote: true, TxQLen: 1000, Spec: links.Veth{},
		}
	}
	br0 := link("", "br0")
	br0.Type, br0.Spec = links.TypeBridge, links.NewBridge()
	br0.AcceptRA = plan.Some[uint32](0)
	eth0 := link("ns1", "eth0")
	eth0.Peer = object.Ref(port)
	end := link("", port)
	end.Peer, end.Master, end.Port, end.AcceptRA = "ns1/eth0", "br0", links.NewPort(links.TypeVeth, br0.Spec), br0.AcceptRA
	equal(t, topo.Objects(), []plan.Object{
		br0, end,
		kinds.Namespace{Name: "ns1", LoUp: true, Forwarding4: plan.Some(false), Forwarding6: plan.Some(false)},
		eth0,
	})
}

func TestLinkAttributes(t *testing.T) {
	topo := load(t, `
name: lab
bridges:
  br0: {stp: true, vlan-filtering: true, mcast-snooping: false, mtu: 1279, mac: 02:00:00:00:00:01}
interfaces:
  veth7: {master: br0, mtu: 9000}
namespaces:
  ns1:
    bridges: {sw0: {}}
    interfaces:
      e0: {peer: veth7, mac: 02:00:00:00:00:02}
      e1: {peer: host/veth8, master: sw0}
      e2: {bridge: ns2/sw1, master: sw0, port-name: up}
  ns2: {bridges: {sw1: {}}}
`)
	for key, want := range map[string]string{
		"br0":     "Bridge  mtu 1279 02:00:00:00:00:01 invalid IP",
		"veth7":   "ns1/e0 br0 mtu 9000 " + object.DerivedMAC("lab", "", "veth7").String(),
		"ns1/e0":  "veth7  mtu 9000 02:00:00:00:00:02 fe80::ff:fe00:2",
		"veth8":   "ns1/e1  mtu 1500",
		"ns1/e1":  "veth8 sw0 mtu 1500",
		"ns1/e2":  "ns2/up sw0 mtu 1500",
		"ns2/up":  "ns1/e2 sw1 mtu 1500",
		"ns1/sw0": "Bridge  mtu 1500",
	} {
		l := objectOf[links.Link](t, topo, object.ParsePlace(key))
		peer := l.Peer
		if l.Type == links.TypeBridge {
			peer = "Bridge"
		}
		got := fmt.Sprintf("%s %s mtu %d %s %s", peer, l.Master, l.MTU, l.MAC, l.LinkLocal.V)
		if !strings.HasPrefix(got, want) {
			t.Errorf("%s: %s, want %s", key, got, want)
		}
	}
	br0 := objectOf[links.Link](t, topo, object.LinkKey("", "br0"))
	b := links.NewBridge()
	b.STP, b.VLANFiltering, b.Snooping = true, true, false
	if br0.Spec != b {
		t.Error(br0)
	}
	// A far end that is not listed comes from the interface that declares the cable.
	here, _ := topo.Source(object.LinkKey("ns1", "e1"))
	if at, ok := topo.Source(object.LinkKey("", "veth8")); !ok || at != here || at.Line != 12 {
		t.Error(at, here)
	}
	if _, ok := topo.Source(object.LinkKey("", "eth0")); ok {
		t.Error("eth0 has a source")
	}
}

func TestAddressOrder(t *testing.T) {
	topo := load(t, `
name: lab
bridges:
  br0:
    addresses:
      [10.0.0.3/24, "fd00::3/64", 10.0.0.1/24, 10.1.0.2/24, "fd00::1/64", 10.0.0.2/24, 10.1.0.1/24, "fd01::2/64"]
interfaces:
  lo: {addresses: [127.0.0.2/8, 10.9.9.9/32]}
`)
	var got []string
	for _, o := range topo.Objects() {
		if a, ok := o.(kinds.Address); ok {
			got = append(got, a.Key().Name)
		}
	}
	equal(t, got, []string{
		"br0 10.0.0.3/24", "br0 10.1.0.2/24", "br0 10.0.0.1/24", "br0 10.0.0.2/24", "br0 10.1.0.1/24",
		"br0 fd01::2/64", "br0 fd00::1/64", "br0 fd00::3/64",
		"lo 127.0.0.2/8", "lo 10.9.9.9/32",
	})
	a := objectOf[kinds.Address](t, topo, kinds.AddressKey("", "lo", netip.MustParsePrefix("127.0.0.2/8")))
	if a != kinds.NewAddress("", "lo", a.Prefix) {
		t.Error(a)
	}
}

// TestAddressesDescribed: a plan tells the peer of an address, in what it is known by or beside that.
func TestAddressesDescribed(t *testing.T) {
	topo := load(t, `
name: lab
bridges:
  br0:
    addresses:
      - 10.0.0.1/24
      - {address: 10.1.0.1/32, peer: 10.9.0.2}
      - {address: 10.2.0.1/24, peer: 10.2.0.2}
      - {address: "fd00::1/128", peer: "fd00::2"}
`)
	got := map[string]string{}
	for _, o := range topo.Objects() {
		if a, ok := o.(kinds.Address); ok {
			got[a.Key().Name] = a.Describe()
		}
	}
	want := map[string]string{
		"br0 10.0.0.1/24":                  "",
		"br0 10.1.0.1/32 peer 10.9.0.2/32": "",
		"br0 10.2.0.1/24":                  "peer 10.2.0.2",
		"br0 fd00::1/128":                  "peer fd00::2",
	}
	if !maps.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

func TestRoutes(t *testing.T) {
	topo := load(t, `
name: lab
namespaces:
  ns1:
    interfaces:
      eth0: {peer: ns2/eth0, addresses: [10.0.0.1/24, "fd00::1/64"]}
      eth1: {peer: ns2/eth1, addresses: [10.0.1.1/24]}
      lo: {addresses: [10.255.0.1/32]}
    routes:
      - {to: default, via: 10.0.0.2}
      - {to: default, via: "fd00::2", mtu: 1400}
      - {to: 10.1.0.0/16, dev: eth1, src: 10.255.0.1}
      - {to: 10.2.0.1, via: 10.0.1.2, metric: 7}
      - {to: 10.3.0.0/16, type: blackhole}
      - {to: "fd03::/64", type: prohibit, metric: 0, table: 100}
      - {to: 10.4.0.0/16, nexthops: [{via: 10.0.1.2, weight: 3}, {via: 10.0.0.2}]}
      - {to: 10.5.0.0/16, nexthops: [{via: 10.0.1.2, weight: 3}]}
      - {to: 10.6.0.0/16, via: 192.0.2.1, dev: eth0, onlink: true}
      - {to: "fd04::/64", via: "fe80::1", dev: eth0}
      - {to: default, metric: 9, nexthops: [{via: "fd00::2"}, {via: "fd00::3"}]}
      - {to: default, type: unreachable, metric: 4294967295}
  ns2: {}
`)
	got := map[string]string{}
	for _, o := range topo.Objects() {
		if r, ok := o.(kinds.Route); ok {
			got[r.Key().Name] = r.Describe()
			if r.Proto != object.Protocol || !r.Dev.Set || r.Type == "" {
				t.Errorf("%+v", r)
			}
		}
	}
	want := map[string]string{
		"default":                   "via 10.0.0.2 dev eth0",
		"::/0":                      "via fd00::2 dev eth0 mtu 1400",
		"10.1.0.0/16":               "dev eth1 src 10.255.0.1",
		"10.2.0.1/32 metric 7":      "via 10.0.1.2 dev eth1",
		"10.3.0.0/16":               "blackhole",
		"fd03::/64 table 100":       "prohibit",
		"10.4.0.0/16":               "nexthops via 10.0.0.2 dev eth0 weight 1, via 10.0.1.2 dev eth1 weight 3",
		"10.5.0.0/16":               "via 10.0.1.2 dev eth1",
		"10.6.0.0/16":               "via 192.0.2.1 dev eth0 onlink",
		"fd04::/64":                 "via fe80::1 dev eth0",
		"::/0 metric 9":             "nexthops via fd00::2 dev eth0 weight 1, via fd00::3 dev eth0 weight 1",
		"default metric 4294967295": "unreachable",
	}
	if len(got) != len(want) {
		t.Errorf("%d routes", len(got))
	}
	for name, w := range want {
		if got[name] != w {
			t.Errorf("%s: %q, want %q", name, got[name], w)
		}
	}
}

// TestHostRoute holds that the link of a route to a gateway that the file does not know is left to the kernel.
func TestHostRoute(t *testing.T) {
	topo := load(t, `
name: lab
bridges: {br0: {addresses: [10.0.0.1/24, 10.0.0.200/25]}, br1: {}}
routes:
  - {to: 10.1.0.0/16, via: 192.0.2.1}
  - {to: 10.2.0.0/16, via: 10.0.0.201}
  - {to: 10.3.0.0/16, via: 192.0.2.1, dev: uplink0}
`)
	for dst, want := range map[string]plan.Opt[string]{
		"10.1.0.0/16": {}, "10.2.0.0/16": plan.Some("br0"), "10.3.0.0/16": plan.Some("uplink0"),
	} {
		r := objectOf[kinds.Route](t, topo, kinds.RouteKey("", netip.MustParsePrefix(dst), kinds.MainTable, 0))
		if r.Dev != want {
			t.Errorf("%s: %+v", dst, r.Dev)
		}
	}
}

func TestForwarding(t *testing.T) {
	topo := load(t, `
name: lab
namespaces:
  nat:
    bridges: {sw0: {addresses: [10.0.0.1/24]}}
    nat: [{masquerade: 10.0.0.0/24}]
  sys:
    bridges: {sw0: {}, sw1: {}, sw.2: {mtu: 1000}}
    sysctls:
      net.ipv6.conf.all.forwarding: 1
      net.ipv4.conf.default.forwarding: 1
      net.ipv4.conf.sw1.forwarding: 0
      net.ipv4.conf.sw1.promote_secondaries: 1
      net/ipv4/conf/sw.2/forwarding: 1
  off:
    bridges: {sw0: {}}
    sysctls: {net.ipv4.ip_forward: 0, net.ipv4.conf.default.promote_secondaries: 0}
`)
	for place, want := range map[string]string{
		"nat/sw0": "true false true", "sys/sw0": "true true true", "sys/sw1": "false true true",
		"sys/sw.2": "true false true",
		"off/sw0":  "false false true",
	} {
		l := objectOf[links.Link](t, topo, object.ParsePlace(place))
		if got := fmt.Sprint(l.Forwarding4, l.Forwarding6, l.Promote); got != want {
			t.Errorf("%s: %s, want %s", place, got, want)
		}
	}
	for ns, want := range map[string][2]plan.Opt[bool]{
		"nat": {{}, plan.Some(false)}, "sys": {plan.Some(false), {}}, "off": {{}, plan.Some(false)},
	} {
		n := objectOf[kinds.Namespace](t, topo, object.NamespaceKey(ns))
		if n.Forwarding4 != want[0] || n.Forwarding6 != want[1] {
			t.Errorf("%+v", n)
		}
	}
	equal(t, sysctlsOf(topo), []string{
		"nat net.ipv4.ip_forward=1",
		"off net.ipv4.conf.default.promote_secondaries=0", "off net.ipv4.ip_forward=0",
		"sys net.ipv4.conf.default.forwarding=1", "sys net.ipv6.conf.all.forwarding=1",
	})
}

func sysctlsOf(topo *Topology) []string {
	var list []string
	for _, o := range topo.Objects() {
		if s, ok := o.(kinds.Sysctl); ok {
			list = append(list, s.NS+" "+s.Name+"="+s.Value)
		}
	}
	return list
}

func TestSysctlDefaults(t *testing.T) {
	topo := load(t, `
name: lab
bridges: {br.0: {}, br1: {}, br2: {mtu: 1000}}
interfaces: {lo: {addresses: [10.9.9.9/32]}, veth0: {peer: ns1/eth0}}
sysctls:
  net.ipv4.conf.default.rp_filter: 2
  net.ipv4.conf.br1.rp_filter: 0
  net.ipv6.conf.all.disable_ipv6: 1
  net.ipv6.conf.br1.disable_ipv6: 0
  net.ipv4.conf.uplink.rp_filter: 1
namespaces:
  ns1:
    sysctls: {net.ipv6.conf.default.addr_gen_mode: 1}
`)
	equal(t, sysctlsOf(topo), []string{
		" net.ipv4.conf.br/0.rp_filter=2", " net.ipv4.conf.br1.rp_filter=0", " net.ipv4.conf.br2.rp_filter=2",
		" net.ipv4.conf.default.rp_filter=2", " net.ipv4.conf.uplink.rp_filter=1", " net.ipv4.conf.veth0.rp_filter=2",
		" net.ipv6.conf.all.disable_ipv6=1", " net.ipv6.conf.br/0.disable_ipv6=1", " net.ipv6.conf.br1.disable_ipv6=0",
		" net.ipv6.conf.veth0.disable_ipv6=1",
		"ns1 net.ipv6.conf.default.addr_gen_mode=1", "ns1 net.ipv6.conf.eth0.addr_gen_mode=1",
	})
	at, _ := topo.Source(object.SysctlKey("", "net.ipv4.conf.br/0.rp_filter"))
	if at.Line != 6 {
		t.Errorf("a link's copy comes from %v, not from the default's line", at)
	}
	for place, want := range map[string]bool{"br.0": false, "br1": true, "br2": false, "veth0": false, "ns1/eth0": false} {
		l := objectOf[links.Link](t, topo, object.ParsePlace(place))
		if l.LinkLocal.V.IsValid() != want || l.LinkLocal.Set != (want || place == "ns1/eth0") {
			t.Errorf("%s: %v", place, l.LinkLocal)
		}
	}
}

func TestNAT(t *testing.T) {
	topo := load(t, `
name: lab
bridges:
  br1: {addresses: [10.0.1.1/24]}
  br0: {addresses: [10.0.0.1/24, "fd00::1/64"]}
  br2: {addresses: [10.1.0.1/24]}
nat:
  - {masquerade: 10.0.0.0/16}
  - {masquerade: 10.0.1.128/25}
  - {masquerade: 10.1.0.0/24, out: eth0}
  - {masquerade: "fd00::/64"}
  - {masquerade: 172.16.0.0/12}
`)
	for _, n := range []kinds.NAT{
		kinds.Masquerade("", netip.MustParsePrefix("10.0.0.0/16"), "", []string{"br0", "br1"}),
		kinds.Masquerade("", netip.MustParsePrefix("10.0.1.128/25"), "", []string{"br1"},
			netip.MustParsePrefix("10.0.1.0/24")),
		kinds.Masquerade("", netip.MustParsePrefix("10.1.0.0/24"), "eth0", []string{"br2"}),
		kinds.Masquerade("", netip.MustParsePrefix("fd00::/64"), "", []string{"br0"}, netip.MustParsePrefix("fd00::/64")),
		kinds.Masquerade("", netip.MustParsePrefix("172.16.0.0/12"), "", nil),
	} {
		if got := objectOf[kinds.NAT](t, topo, n.Key()); got != n {
			t.Errorf("%+v, want %+v", got, n)
		}
	}
	equal(t, sysctlsOf(topo), []string{" net.ipv4.ip_forward=1", " net.ipv6.conf.all.forwarding=1"})
	if at, _ := topo.Source(object.SysctlKey("", object.Forwarding6)); at.Line != 11 {
		t.Error(at)
	}
}

// TestSegments holds that one network on one segment, however it is wired, is nothing to warn of.
func TestSegments(t *testing.T) {
	_, problems := Load(Input{Name: "t.yaml", Data: []byte(`
name: lab
bridges: {br0: {addresses: [10.0.0.1/24]}}
namespaces:
  ns1: {interfaces: {eth0: {bridge: br0, addresses: [10.0.0.2/24]}, eth1: {peer: ns2/eth1, addresses: [10.1.0.1/30]}}}
  ns2: {interfaces: {eth0: {bridge: br0, addresses: [10.0.0.3/24]}, eth1: {addresses: [10.1.0.2/30]}}}
  sw: {bridges: {sw0: {}}, interfaces: {up: {bridge: br0, master: sw0}}}
  ns3: {interfaces: {eth0: {bridge: sw/sw0, addresses: [10.0.0.4/24]}, lo: {addresses: [10.0.0.5/32, "fe80::1/64"]}}}
`)})
	if len(problems) > 0 {
		t.Error(problems)
	}
}

// large is a topology of more than 100,000 objects.
func large() []byte {
	var b strings.Builder
	b.WriteString("name: large\nbridges:\n")
	for i := range 100 {
		fmt.Fprintf(&b, "  br%d: {addresses: [10.%d.0.1/16]}\n", i, i)
	}
	b.WriteString("namespaces:\n")
	for i := range 22_000 {
		fmt.Fprintf(&b, "  ns%d:\n    interfaces:\n      eth0: {bridge: br%d, addresses: [10.%d.%d.%d/16]}\n",
			i, i%100, i%100, 1+i/100/200, 1+i/100%200)
		fmt.Fprintf(&b, "    routes:\n      - {to: default, via: 10.%d.0.1}\n", i%100)
	}
	return []byte(b.String())
}

func TestLarge(t *testing.T) {
	all, problems := Load(Input{Name: "t.yaml", Data: large()})
	if len(problems) > 0 || len(all) != 1 || len(all[0].Objects()) < 100_000 {
		t.Fatalf("%.1000v", problems)
	}
}

func BenchmarkLoad(b *testing.B) {
	data := large()
	for b.Loop() {
		Load(Input{Name: "t.yaml", Data: data})
	}
}

func TestPorts(t *testing.T) {
	text := "name: lab\nbridges: {br0: {}}\nnamespaces:\n  ns1:\n    interfaces:\n"
	for i := range links.MaxBridgePorts {
		text += fmt.Sprintf("      e%d: {bridge: br0}\n", i)
	}
	load(t, text)
	_, problems := Load(Input{Name: "t.yaml", Data: []byte(text + "      more: {bridge: br0}\n")})
	want := "t.yaml:2:11: bridge br0 has 1024 ports, more than the 1023 that a bridge can have"
	if len(problems) != 1 || problems[0].String() != want {
		t.Error(problems)
	}
}
