package reconcile_test

import (
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/plumbnet/plumb/pkg/battery/host"
)

// advertise sends a router advertisement (RFC 4861, 4.2) from a link of a namespace.
func advertise(ns, dev string) error {
	return host.Inside(ns, func() error {
		link, err := net.InterfaceByName(dev)
		if err != nil {
			return err
		}
		fd, err := unix.Socket(unix.AF_INET6, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.IPPROTO_ICMPV6)
		if err != nil {
			return err
		}
		defer unix.Close(fd) //nolint:errcheck // it has sent what it should
		const hops, lifetime = 255, 1800
		if err := unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_MULTICAST_HOPS, hops); err != nil {
			return err
		}
		routers := [16]byte{134, 0, 0, 0, 64, 0, lifetime >> 8, lifetime & 0xff}
		to := &unix.SockaddrInet6{ZoneId: uint32(link.Index)}
		copy(to.Addr[:], net.ParseIP("ff02::1"))
		return unix.Sendto(fd, routers[:], 0, to)
	})
}

// A default route that a router advertises stands beside the declared one, whichever came first, and is left alone:
// also by an edit of the declared one, and when that is put back.
func TestAdvertisedDefaultBesideDeclared(t *testing.T) {
	l := newLab(t)
	const yaml = `
name: ra
namespaces:
  ns1:
    interfaces: {eth0: {peer: ns2/eth0, addresses: ["fd00::1/64"]}}
    routes: [%s]
  ns2: {interfaces: {eth0: {addresses: ["fd00::2/64", "fd00::3/64"]}}}
`
	load := func(routes string) {
		l.Helper()
		topo := l.load(fmt.Sprintf(yaml, routes))
		l.apply(topo)
		l.converged(topo)
	}
	ours := func(want string) {
		l.Helper()
		out := l.sh("ip", "-n", "ns1", "-d", "-6", "route", "show", "default")
		if !strings.Contains(out, "proto ra ") || !strings.Contains(out, want) {
			l.Errorf("want the advertised route and %q:\n%s", want, out)
		}
	}
	load("")
	for deadline := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		if err := advertise("ns2", "eth0"); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(l.sh("ip", "-n", "ns1", "-6", "route", "show", "default"), "proto ra ") {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the advertised route does not come")
		}
	}
	load("")
	load(`{to: default, via: "fd00::2"}`)
	ours("via fd00::2 dev eth0 proto 112")
	load(`{to: default, via: "fd00::3"}`)
	ours("via fd00::3 dev eth0 proto 112")
	load(`{to: default, dev: eth0}, {to: "::/0", dev: eth0}`)
	ours("default dev eth0 proto 112")
	l.sh("ip", "-n", "ns1", "-6", "route", "del", "default", "proto", "112")
	load(`{to: default, via: "fd00::2"}`)
	ours("via fd00::2 dev eth0 proto 112")
	load("")
	ours("")
	if out := l.sh("ip", "-n", "ns1", "-6", "route", "show", "default"); strings.Contains(out, "proto 112") {
		t.Errorf("the route that is not declared any more is there:\n%s", out)
	}
}
