package reconcile_test

import (
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/plumbnet/plumb/pkg/battery/host"
	"github.com/plumbnet/plumb/pkg/reconcile"
)

// advertise sends one router advertisement from a link, as the router of its subnet would.
func (l *lab) advertise(ns, dev string) {
	l.Helper()
	err := host.Inside(ns, func() error {
		link, err := net.InterfaceByName(dev)
		if err != nil {
			return err
		}
		fd, err := unix.Socket(unix.AF_INET6, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.IPPROTO_ICMPV6)
		if err != nil {
			return err
		}
		defer unix.Close(fd) //nolint:errcheck // what is sent is sent
		allNodes := &unix.SockaddrInet6{Addr: [16]byte{0: 0xff, 1: 2, 15: 1}, ZoneId: uint32(link.Index)}
		return errors.Join(
			unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_MULTICAST_HOPS, 255),
			unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_MULTICAST_IF, link.Index),
			unix.Sendto(fd, []byte{134, 0, 0, 0, 64, 0, 7, 8, 0, 0, 0, 0, 0, 0, 0, 0}, 0, allNodes)) // for 1800 s
	})
	if err != nil {
		l.Fatalf("advertise from %q: %v", ns+"/"+dev, err)
	}
}

// learned lists the default routes that the host has from router advertisements.
func (l *lab) learned() string {
	l.Helper()
	return l.sh("ip", "-6", "route", "show", "default", "proto", "ra")
}

// learns says that the host takes what the router of the world advertises from one of its links, whatever others have
// advertised before.
func (l *lab) learns(from, dev string) {
	l.Helper()
	for start := time.Now(); !strings.Contains(l.learned(), "dev "+dev+" "); time.Sleep(time.Millisecond) {
		if time.Since(start) > patience {
			l.Fatalf("the host has not taken the route that a router advertises on %s: %s", dev, l.learned())
		}
		l.advertise("world", from)
	}
}

// labRouters is a lab in which each type of link leads to the host.
const labRouters = `
name: x
bridges: {br9: {addresses: ["fd00:9::2/64"]}}
interfaces:
  vx9: {vxlan: {id: 9, local: 192.0.2.1, remote: 192.0.2.2}}
  mv9: {macvlan: {parent: br9}}
  ifb9: {ifb: {}}
  to-r: {addresses: ["fd00:8::2/64"]}
namespaces:
  r:
    interfaces:
      eth0: {bridge: br9, port-name: p9, addresses: ["fd00:9::1/64"]}
      eth1: {peer: host/to-r, addresses: ["fd00:8::1/64"]}
`

var labLinks = []string{"br9", "vx9", "mv9", "ifb9", "to-r", "p9"}

// TestLabRouterIsNotTheHosts sends router advertisements from a lab: the host does not take them, from whatever link
// of plumb's they come, and whatever a hand has done to that.
func TestLabRouterIsNotTheHosts(t *testing.T) {
	l := newLab(t)
	l.uplink()
	l.learns("eth0", "up0")
	l.mark()
	topo := l.load(labRouters)
	l.apply(topo)
	hold := func(when string) {
		l.Helper()
		for _, dev := range labLinks {
			l.wants(when, "ipv6/conf/"+dev+"/accept_ra", "0")
		}
		l.advertise("r", "eth0")
		l.advertise("r", "eth1")
		l.sh("ip", "-6", "route", "flush", "dev", "up0", "proto", "ra")
		l.learns("eth0", "up0")
		if got := l.learned(); strings.Count(got, "default") != 1 {
			t.Errorf("%s the host has taken the lab's router: %s", when, got)
		}
		l.converged(topo)
	}
	hold("when applied")
	for _, dev := range labLinks {
		l.sh("sysctl", "-qw", "net.ipv6.conf."+dev+".accept_ra=1")
	}
	if n := len(l.diff(topo).Steps); n != len(labLinks) {
		t.Errorf("diff has %d steps, want one for each of %d links", n, len(labLinks))
	}
	l.apply(topo)
	hold("when healed")
	l.sh("ip", "link", "del", "br9")
	l.sh("ip", "link", "set", "to-r", "mtu", "1000")
	l.apply(topo)
	hold("when made anew")
}

// TestDeclaredAcceptRA gives a link of the host the accept_ra that the file declares for it, or for new links.
func TestDeclaredAcceptRA(t *testing.T) {
	l := newLab(t)
	bare := "name: x\nbridges: {br9: {}, br8: {}}\n"
	own := l.load(bare + "sysctls: {net.ipv6.conf.br9.accept_ra: 2}\n")
	all := l.load(bare + "sysctls: {net.ipv6.conf.default.accept_ra: 1, net.ipv6.conf.br9.accept_ra: 2}\n")
	for _, step := range []struct {
		yaml     string
		br9, br8 string
	}{{"own", "2", "0"}, {"all", "2", "1"}, {"none", "0", "0"}, {"own", "2", "0"}, {"none", "0", "0"}} {
		topo := l.load(bare)
		switch step.yaml {
		case "own":
			topo = own
		case "all":
			topo = all
		}
		l.apply(topo)
		l.wants(step.yaml, "ipv6/conf/br9/accept_ra", step.br9)
		l.wants(step.yaml, "ipv6/conf/br8/accept_ra", step.br8)
		l.converged(topo)
	}
}

// TestAdoptedAcceptRA takes a bridge over, and gives it back when that fails; not so that its default route expires.
func TestAdoptedAcceptRA(t *testing.T) {
	l := newLab(t)
	adopt := func(o *reconcile.Options) { o.Adopt, o.AllowDisconnect = true, false }
	topo := l.load("{name: x, bridges: {br9: {}}}")
	l.script("ip link add br9 type bridge\nip link set br9 up\nip -6 route add default via fe80::1 dev br9 proto ra")
	_, err := l.tryApply(topo, adopt)
	refused(t, err, "")
	l.wants("when refused", "ipv6/conf/br9/accept_ra", "1")
	l.sh("ip", "-6", "route", "flush", "default")
	l.apply(topo, adopt)
	l.wants("when adopted", "ipv6/conf/br9/accept_ra", "0")
	l.converged(topo)
}

// TestLockoutInside guards no default route that came from a router of the lab, unless the host's own
// interface is a port.
func TestLockoutInside(t *testing.T) {
	l := newLab(t)
	topo := l.load(labRouters)
	for _, route := range []string{
		"-6 route add default via fd00:9::1 dev br9 proto ra", "-6 route add default via fd00:8::1 dev to-r proto ra",
		"-6 route add default via fe80::1 dev mv9 proto ra", "-6 route add default via fe80::1 dev vx9 proto ra",
		"-6 route add default via fe80::1 dev ifb9 proto ra",
	} {
		l.apply(topo, guarded)
		l.sh("ip", strings.Fields(route)...)
		if _, err := l.tryDestroy("x", guarded); err != nil {
			t.Errorf("with %s: %v", route, err)
		}
	}
	l.apply(topo, guarded)
	l.script(`ip link add eth9 type veth peer name eth8
		ip link set eth9 up master br9
		ip -6 route add default via fd00:9::1 dev br9 proto ra`)
	_, err := l.tryDestroy("x", guarded)
	refused(t, err, "would cut br9, the host's uplink")
	l.sh("ip", "link", "del", "eth9")
}

// TestHostKeepsIPv6 switches IPv6 forwarding on before the host's first router advertisement has come: the host takes
// that one too, over links that are there, and over one that comes later.
func TestHostKeepsIPv6(t *testing.T) {
	for name, yaml := range map[string]string{
		"nat":    `{name: x, bridges: {lan: {addresses: ["fd00:27::1/64"]}}, nat: [{masquerade: "fd00:27::/64"}]}`,
		"all":    `{name: x, sysctls: {net.ipv6.conf.all.forwarding: 1}}`,
		"uplink": `{name: x, sysctls: {net.ipv6.conf.up0.forwarding: 1, net.ipv6.conf.default.forwarding: 1}}`,
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t)
			l.uplink()
			l.sh("ip", "-6", "route", "flush", "default")
			l.mark()
			topo := l.load(yaml)
			l.apply(topo, guarded)
			l.wants("while applied", "ipv6/conf/default/accept_ra", "2")
			l.learns("eth0", "up0")
			l.script(`
				ip link add late0 address 02:f2:00:00:00:01 type veth peer name late1 address 02:f2:00:00:00:02 netns world
				ip -n world link set late1 up
				ip -n world address add fe80::9/64 dev late1 nodad
				ip link set late0 up`)
			l.learns("late1", "late0")
			l.converged(topo)
			l.sh("ip", "link", "del", "late0")
			l.sh("ip", "-6", "route", "flush", "default")
			l.destroy("x")
			l.wants("after destroy", "ipv6/conf/default/accept_ra", "1")
			l.wants("after destroy", "ipv6/conf/up0/accept_ra", "1")
		})
	}
}

// TestRouterStaysAsItIs leaves a host alone that forwarded before: what its links take of router advertisements is as
// its owner has it.
func TestRouterStaysAsItIs(t *testing.T) {
	l := newLab(t)
	l.uplink()
	l.sysctl("ipv6/conf/all/forwarding", "1")
	topo := l.load(router("x", "1"))
	l.apply(topo)
	l.wants("while applied", "ipv6/conf/up0/accept_ra", "1")
	l.wants("while applied", "ipv6/conf/default/accept_ra", "1")
	l.converged(topo)
}
