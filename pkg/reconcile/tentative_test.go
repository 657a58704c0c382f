package reconcile_test

import (
	"strings"
	"testing"

	"github.com/plumbnet/plumb/pkg/reconcile"
)

// firstPackets are what can be reached over IPv6 in each example that has it: from where, and which address.
var firstPackets = map[string][][2]string{
	"routers.yaml":        {{"r1", "fd00:255::3"}, {"r3", "fd00:255::1"}, {"r2", "fd00:255::3"}},
	"ipv6-only.yaml":      {{"alice", "fd00:b::10"}, {"bob", "fd00:a::10"}},
	"docker0-dual.yaml":   {{"ns1", "fd00:10::1"}, {"", "fd00:10::11"}, {"ns1", world6}},
	"policy-routing.yaml": {},
}

// TestFirstPacketOverIPv6 sends one packet as soon as apply has ended, and has it answered: nothing of IPv6 is still
// on its way then. Each example is made 20 times.
func TestFirstPacketOverIPv6(t *testing.T) {
	for name, pings := range firstPackets {
		t.Run(name, func(t *testing.T) {
			l := newLab(t)
			l.uplink()
			topo := l.load(l.example(name))
			for range 20 {
				l.apply(topo)
				for _, p := range pings {
					l.answered(p[0], p[1])
				}
				l.noneTentative()
				l.destroy(topo.Name)
			}
		})
	}
}

// answered sends one packet, without waiting for anything before.
func (l *lab) answered(from, to string) {
	l.Helper()
	ping := []string{"ping", "-n", "-c", "1", "-W", "1", to}
	if from == "" {
		l.sh(ping[0], ping[1:]...)
		return
	}
	l.inNS(from, ping[0], ping[1:]...)
}

// noneTentative says that no address of a link with plumb's stamp is tentative.
func (l *lab) noneTentative() {
	l.Helper()
	for ns := range strings.FieldsSeq(". " + l.sh("ls", "/run/netns")) {
		args := []string{"-6", "-o", "address", "show", "tentative"}
		switch ns {
		case "world", "foreign1":
			continue
		case ".":
		default:
			args = append([]string{"-n", ns}, args...)
		}
		for line := range strings.Lines(l.sh("ip", args...)) {
			if !strings.Contains(line, ": up0 ") {
				l.Errorf("in %q after apply: %s", ns, line)
			}
		}
	}
}

// TestUsableAfterHealing leaves no address tentative that a hand has had made anew, or that is taken over.
func TestUsableAfterHealing(t *testing.T) {
	for name, hand := range map[string]string{
		"down and up":      "ip -n r2 link set to-r1 down\nip -n r2 link set to-r1 up",
		"both ends":        "ip -n r2 link set to-r1 down\nip -n r1 link set to-r2 down\nip -n r2 link set to-r1 up",
		"another MAC":      "ip -n r1 link set to-r2 address 02:00:00:00:00:77",
		"all flushed":      "ip -n r2 -6 address flush dev to-r3",
		"added anew":       "ip -n r1 address del fd00:12::1/64 dev to-r2\nip -n r1 address add fd00:12::1/64 dev to-r2",
		"MTU":              "ip -n r1 link set to-r2 mtu 1000\nip -n r1 link set to-r2 mtu 1500",
		"link-local again": "ip -n r2 -6 address flush dev to-r1 scope link\nip -n r2 link set to-r1 addrgenmode none",
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t)
			topo := l.load(l.example("routers.yaml"))
			l.apply(topo)
			l.script(hand)
			l.apply(topo)
			l.answered("r1", "fd00:255::3")
			l.noneTentative()
			l.converged(topo)
		})
	}
	t.Run("adopted", func(t *testing.T) {
		l := newLab(t)
		topo := l.load(`{name: x, bridges: {br0: {addresses: ["fd00:1::1/64", "fd00:1::2/64"]}}}`)
		l.script("ip link add br0 type bridge\nip link set br0 up\nip address add fd00:1::1/64 dev br0")
		l.apply(topo, func(o *reconcile.Options) { o.Adopt = true })
		l.noneTentative()
		l.converged(topo)
	})
}
