package reconcile_test

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/plumbnet/plumb/pkg/battery/host"
	"github.com/plumbnet/plumb/pkg/battery/snapshot"
)

// soon is how long a frame is waited for that may not come.
const soon = 300 * time.Millisecond

// Each option of a bridge's port does what it says: frames go where they do not go without it, or the other way round.
func TestPortOptions(t *testing.T) {
	l := newLab(t)
	for _, c := range []struct {
		name, bridge, a, b string
		try                func(l *lab) bool
		without            bool // what it is without the options
	}{
		{"isolated", "", "isolated: true", "isolated: true", func(l *lab) bool {
			a, b, c := l.tap("a", "eth0"), l.tap("b", "eth0"), l.tap("c", "eth0")
			a.send(frame(everybody, alice, "isolated"))
			if heard, _ := c.hears("isolated", patience); !heard {
				l.Error("a port that is not isolated does not hear one that is")
			}
			heard, _ := b.hears("isolated", soon)
			return heard
		}, true},
		{"hairpin", "", "hairpin: true", "", func(l *lab) bool {
			a := l.tap("a", "eth0")
			a.send(frame(everybody, alice, "hairpin"))
			heard, _ := a.hears("hairpin", soon)
			return heard
		}, false},
		{"flood", "", "", "flood: false", func(l *lab) bool {
			a, b, c := l.tap("a", "eth0"), l.tap("b", "eth0"), l.tap("c", "eth0")
			a.send(frame(bob, alice, "flood"))
			if heard, _ := c.hears("flood", patience); !heard {
				l.Error("a port without the option is not flooded")
			}
			heard, _ := b.hears("flood", soon)
			return heard
		}, true},
		{"learning", "", "learning: false", "", func(l *lab) bool {
			a, b, c := l.tap("a", "eth0"), l.tap("b", "eth0"), l.tap("c", "eth0")
			a.send(frame(everybody, alice, "here"))
			c.hears("here", patience)
			c.send(frame(alice, bob, "learned"))
			heard, _ := b.hears("learned", soon)
			return heard
		}, false},
		{"fast-leave", "", "", "fast-leave: true", hearsGroup, true},
		{"guard", "stp: true, forward-delay: 2s", "guard: true", "", hearsAfterBPDU, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, with := range []bool{false, true} {
				of := *l
				of.TB = t
				a, b, want := c.a, c.b, !c.without
				if !with {
					a, b, want = "", "", c.without
				}
				of.apply(of.load(fmt.Sprintf(`
name: ports
bridges: {br0: {%s}}
namespaces:
  a: {interfaces: {eth0: {bridge: br0, port-name: pa, addresses: [10.1.0.1/24], port: {%s}}}}
  b: {interfaces: {eth0: {bridge: br0, port-name: pb, addresses: [10.1.0.2/24], port: {%s}}}}
  c: {interfaces: {eth0: {bridge: br0, port-name: pc, addresses: [10.1.0.3/24]}}}
`, c.bridge, a, b)))
				of.must(snapshot.Quiet())
				if got := c.try(&of); got != want {
					t.Errorf("with the option %v: heard %v", with, got)
				}
				of.destroy("ports")
			}
		})
	}
}

// hearsGroup says whether b still hears a multicast group right after it has left.
func hearsGroup(l *lab) bool {
	l.Helper()
	for _, options := range []string{"mcast_query_response_interval 100", "mcast_querier 1"} { // in this order
		l.sh("ip", append(strings.Fields("link set br0 type bridge"), strings.Fields(options)...)...)
	}
	time.Sleep(2 * time.Second) // by then it is taken to know all members
	group := net.IPv4(239, 1, 2, 3)
	var member *net.UDPConn
	l.must(host.Inside("b", func() error {
		dev, err := net.InterfaceByName("eth0")
		if err == nil {
			member, err = net.ListenMulticastUDP("udp4", dev, &net.UDPAddr{IP: group, Port: 5000})
		}
		return err
	}))
	say := func(word string) {
		l.must(host.Inside("a", func() error {
			c, err := net.DialUDP("udp4", &net.UDPAddr{IP: net.IPv4(10, 1, 0, 1)}, &net.UDPAddr{IP: group, Port: 5000})
			if err != nil {
				return err
			}
			_, err = c.Write([]byte(word))
			return errors.Join(err, c.Close())
		}))
	}
	b, c := l.tap("b", "eth0"), l.tap("c", "eth0")
	time.Sleep(soon)
	say("to members")
	if heard, _ := b.hears("to members", patience); !heard {
		l.Error("a member does not hear its group")
	}
	if heard, _ := c.hears("to members", soon); heard {
		l.Error("one that is no member hears the group")
	}
	l.must(member.Close())
	time.Sleep(soon)
	say("to nobody")
	heard, _ := b.hears("to nobody", soon)
	return heard
}

// hearsAfterBPDU says whether b hears a, which has said that it is a bridge.
func hearsAfterBPDU(l *lab) bool {
	l.Helper()
	a, b := l.tap("a", "eth0"), l.tap("b", "eth0")
	bpdu := append([]byte{0x01, 0x80, 0xc2, 0, 0, 0}, alice...)
	bpdu = append(bpdu, 0, 38, 0x42, 0x42, 3) // a length, and LLC of the spanning tree
	bpdu = append(bpdu, make([]byte, 35)...)  // a configuration of the lowest priority: that of all zeros is the root
	bpdu[17+17] = 0xff                        // of a bridge that is not
	a.send(append(bpdu, make([]byte, 8)...))
	for deadline := time.Now().Add(5500 * time.Millisecond); time.Now().Before(deadline); {
		a.send(frame(everybody, alice, "after all"))
		if heard, _ := b.hears("after all", soon); heard {
			return true
		}
	}
	return false
}
