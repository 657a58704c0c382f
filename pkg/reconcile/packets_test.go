package reconcile_test

import (
	"errors"
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/plumbnet/plumb/pkg/battery/host"
	"github.com/plumbnet/plumb/pkg/battery/snapshot"
)

// patience bounds each wait for a packet.
const patience = 10 * time.Second

// tcp makes a connection from one namespace to an address in another one, says something both ways, and returns the
// address that the far side sees.
func (l *lab) tcp(from, to, addr string) string {
	l.Helper()
	source, err := tcpSource(from, to, addr)
	if err != nil {
		l.Errorf("tcp from %q to %q at %s: %v", from, to, addr, err)
	}
	return source
}

func tcpSource(from, to, addr string) (source string, err error) {
	var server *net.TCPListener
	err = host.Inside(to, func() error {
		var err error
		server, err = net.ListenTCP("tcp", &net.TCPAddr{IP: net.ParseIP(addr)})
		return err
	})
	if err != nil {
		return "", err
	}
	defer server.Close() //nolint:errcheck // nothing is written to it
	var client net.Conn
	err = host.Inside(from, func() error {
		var err error
		client, err = net.DialTimeout("tcp", server.Addr().String(), patience)
		return err
	})
	if err != nil {
		return "", err
	}
	defer client.Close() //nolint:errcheck // what it says was read
	if err := server.SetDeadline(time.Now().Add(patience)); err != nil {
		return "", err
	}
	peer, err := server.Accept()
	if err != nil {
		return "", err
	}
	defer peer.Close() //nolint:errcheck // what it says was read
	if err := errors.Join(say(client, peer), say(peer, client)); err != nil {
		return "", err
	}
	host, _, err := net.SplitHostPort(peer.RemoteAddr().String())
	return host, err
}

func say(from, to net.Conn) error {
	if err := to.SetDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	if _, err := from.Write([]byte("hello")); err != nil {
		return err
	}
	var b [5]byte
	if _, err := to.Read(b[:]); err != nil || string(b[:]) != "hello" {
		return fmt.Errorf("read %q: %w", b, err)
	}
	return nil
}

// ping sends an ICMP echo from a namespace and waits for the answer. It is sent once, so the kernel must be done with
// the links: one whose carrier has come drops packets until that is told.
func (l *lab) ping(from, addr string) {
	l.Helper()
	if err := snapshot.Quiet(); err != nil {
		l.Error(err)
	}
	args := []string{"-n", "-c", "1", "-W", fmt.Sprint(int(patience.Seconds())), addr}
	if from == "" {
		l.sh("ping", args...)
	} else {
		l.inNS(from, "ping", args...)
	}
}

// reaches checks ICMP and TCP, and by which address the far side sees who calls.
func (l *lab) reaches(from, to, addr, as string) {
	l.Helper()
	l.ping(from, addr)
	if seen := l.tcp(from, to, addr); seen != as {
		l.Errorf("%s in %q is called by %q, want %q", addr, to, seen, as)
	}
}

func TestPackets(t *testing.T) {
	l := newLab(t)
	l.uplink()
	l.apply(l.load(l.example("docker0-dual.yaml")))
	t.Log("between the host and the namespace")
	l.reaches("ns1", "", "192.168.10.1", "192.168.10.11")
	l.reaches("ns1", "", "fd00:10::1", "fd00:10::11")
	l.reaches("", "ns1", "192.168.10.11", "192.168.10.1")
	l.reaches("", "ns1", "fd00:10::11", "fd00:10::1")
	t.Log("out to the world, which knows of the uplink's addresses alone")
	l.reaches("ns1", "world", world4, uplink4)
	l.reaches("ns1", "world", world6, uplink6)
	t.Log("the host itself")
	l.reaches("", "world", world4, uplink4)
	l.reaches("", "world", world6, uplink6)
}

func TestPacketsBehindHome(t *testing.T) {
	l := newLab(t)
	l.foreign()
	l.apply(l.load(l.example("namespaced-nat.yaml")))
	l.reaches("laptop", "internet", "198.51.100.80", "203.0.113.2")
	l.reaches("phone", "internet", "198.51.100.80", "203.0.113.2")
	l.reaches("laptop", "phone", "192.168.1.11", "192.168.1.10")
	l.reaches("laptop", "home", "192.168.1.1", "192.168.1.10")
	l.reaches("home", "laptop", "192.168.1.10", "192.168.1.1")
}

// The examples with routers carry packets from end to end, unchanged.
func TestPacketsOverRouters(t *testing.T) {
	l := newLab(t)
	l.apply(l.load(l.example("routers.yaml")))
	l.reaches("r1", "r3", "10.255.0.3", "10.255.0.1")
	l.reaches("r3", "r1", "fd00:255::1", "fd00:255::3")
	l.apply(l.load(l.example("ipv6-only.yaml")))
	l.reaches("alice", "bob", "fd00:b::10", "fd00:a::10")
	l.reaches("bob", "alice", "fd00:a::10", "fd00:b::10")
}
