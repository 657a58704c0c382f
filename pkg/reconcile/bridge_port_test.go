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

// portOptions are options of the ports a and b, and of their bridge, that say whether something is heard.
var portOptions = []struct {
	name, bridge, a, b string
	heard              func(l *lab) bool
	without            bool // what it is without the options
}{
	{"isolated", "", "isolated: true", "isolated: true", hearsFrame(everybody), true},
	{"hairpin", "", "hairpin: true", "", hearsItself, false},
	{"flood", "", "", "flood: false", hearsFrame(bob), true},
	{"learning", "", "learning: false", "", hearsWhatIsForAnother, false},
	{"fast-leave", "", "", "fast-leave: true", hearsGroup, true},
	{"guard", "stp: true, forward-delay: 2s", "guard: true", "", hearsAfterBPDU, true},
}

// portTopology has three stations on a bridge, with what is said of it, and of the ports of two.
const portTopology = `
name: ports
bridges: {br0: {%s}}
namespaces:
  a: {interfaces: {eth0: {bridge: br0, port-name: pa, addresses: [10.1.0.1/24], port: {%s}}}}
  b: {interfaces: {eth0: {bridge: br0, port-name: pb, addresses: [10.1.0.2/24], port: {%s}}}}
  c: {interfaces: {eth0: {bridge: br0, port-name: pc, addresses: [10.1.0.3/24]}}}
`

// Each option of a bridge's port does what it says: frames go where they do not go without it, or the other way round.
func TestPortOptions(t *testing.T) {
	l := newLab(t)
	for _, o := range portOptions {
		t.Run(o.name, func(t *testing.T) {
			of := *l
			of.TB = t
			of.portOption("without the option", o.heard, o.without, o.bridge, "", "")
			of.portOption("with the option", o.heard, !o.without, o.bridge, o.a, o.b)
		})
	}
}

func (l *lab) portOption(when string, heard func(l *lab) bool, want bool, options ...any) {
	l.Helper()
	l.apply(l.load(fmt.Sprintf(portTopology, options...)))
	l.must(snapshot.Quiet())
	if got := heard(l); got != want {
		l.Errorf("%s: heard %v", when, got)
	}
	l.destroy("ports")
}

// hearsFrame says whether b hears a frame of a to a station, which c hears in any case.
func hearsFrame(to []byte) func(l *lab) bool {
	return func(l *lab) bool {
		l.Helper()
		a, b, c := l.tap("a", "eth0"), l.tap("b", "eth0"), l.tap("c", "eth0")
		a.send(frame(to, alice, "hello"))
		if heard, _ := c.hears("hello", patience); !heard {
			l.Error("a port without the option does not hear the frame")
		}
		heard, _ := b.hears("hello", soon)
		return heard
	}
}

// hearsItself says whether a frame comes back to a, which has sent it.
func hearsItself(l *lab) bool {
	l.Helper()
	a := l.tap("a", "eth0")
	a.send(frame(everybody, alice, "hairpin"))
	heard, _ := a.hears("hairpin", soon)
	return heard
}

// hearsWhatIsForAnother says whether b hears a frame to a station that was heard of at a.
func hearsWhatIsForAnother(l *lab) bool {
	l.Helper()
	a, b, c := l.tap("a", "eth0"), l.tap("b", "eth0"), l.tap("c", "eth0")
	a.send(frame(everybody, alice, "here"))
	c.hears("here", patience)
	c.send(frame(alice, bob, "learned"))
	heard, _ := b.hears("learned", soon)
	return heard
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
