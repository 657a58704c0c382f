package reconcile_test

import (
	"strings"
	"testing"

	"github.com/plumbnet/plumb/pkg/battery/host"
)

// Addresses that were made while arp was off are found once it is on, in both families.
func TestARPComesOn(t *testing.T) {
	const file = `
name: arp
namespaces:
  a: {interfaces: {eth0: {peer: b/eth0, ARP addresses: [10.0.0.1/24, "fd00::1/64"]}}}
  b:
    interfaces: {eth0: {ARP addresses: [10.0.0.2/24, "fd00::2/64", "fe80::2/64"]}}
    routes: [{to: "fd01::/64", via: "fd00::1", src: "fd00::2"}]
`
	l := newLab(t)
	l.apply(l.load(strings.ReplaceAll(file, "ARP", "arp: false,")))
	on := l.load(strings.ReplaceAll(file, "ARP", ""))
	l.apply(on)
	l.converged(on)
	for _, to := range []string{"10.0.0.2", "fd00::2", "fe80::2%eth0"} {
		l.ping("a", to)
	}
	l.reaches("b", "a", "10.0.0.1", "10.0.0.2")
	l.reaches("b", "a", "fd00::1", "fd00::2")
}

// A link that is declared down carries nothing, and everything once it is up.
func TestDeclaredDown(t *testing.T) {
	const file = `
name: down
namespaces:
  a: {interfaces: {eth0: {peer: b/eth0, UP addresses: [10.0.0.1/24]}}}
  b: {interfaces: {eth0: {addresses: [10.0.0.2/24, "fd00::2/64"]}}}
`
	l := newLab(t)
	down := l.load(strings.ReplaceAll(file, "UP", "up: false,"))
	l.apply(down)
	l.converged(down)
	if host.Run("ip", "netns", "exec", "a", "ping", "-c", "1", "-W", "1", "10.0.0.2") == nil {
		t.Error("there is an answer over a link that is down")
	}
	up := l.load(strings.ReplaceAll(strings.ReplaceAll(file, "UP", ""), "[10.0.0.1/24]", "[10.0.0.1/24, \"fd00::1/64\"]"))
	l.apply(up)
	l.converged(up)
	l.reaches("a", "b", "10.0.0.2", "10.0.0.1")
	l.reaches("a", "b", "fd00::2", "fd00::1")
	l.apply(down)
	l.converged(down)
}

// The example with the settings of links carries packets.
func TestPacketsOverTunedLinks(t *testing.T) {
	l := newLab(t)
	l.apply(l.load(l.example("tuned-links.yaml")))
	l.reaches("a", "b", "10.4.0.2", "10.4.0.1")
	l.reaches("b", "a", "10.4.0.101", "10.4.0.2")
	l.reaches("b", "a", "fd00:4::1", "fd00:4::2")
}
