package reconcile_test

import (
	"bytes"
	"errors"
	"net/netip"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/plumbnet/plumb/pkg/reconcile"
)

// machine is a program that has a tap open, as a virtual machine.
type machine struct{ *os.File }

// boot opens a tap of the host.
func (l *lab) boot(tap string, flags uint16) machine {
	l.Helper()
	fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		l.Fatal(err)
	}
	request, err := unix.NewIfreq(tap)
	if err != nil {
		l.Fatal(err)
	}
	request.SetUint16(unix.IFF_TAP | unix.IFF_NO_PI | flags)
	if err := unix.IoctlIfreq(fd, unix.TUNSETIFF, request); err != nil {
		l.Fatalf("open %s: %v", tap, err)
	}
	m := machine{os.NewFile(uintptr(fd), tap)}
	l.Cleanup(func() { _ = m.Close() }) // a machine that is off already
	return m
}

// asks sends a question by ARP from one address about another, until an answer comes.
func (m machine) asks(t *testing.T, from, about string) {
	t.Helper()
	mac := []byte{2, 0, 0, 0, 0, 0x42}
	source, target := netip.MustParseAddr(from), netip.MustParseAddr(about)
	question := bytes.Join([][]byte{
		bytes.Repeat([]byte{0xff}, 6), mac, {8, 6}, {0, 1, 8, 0, 6, 4, 0, 1}, // RFC 826
		mac, source.AsSlice(), make([]byte, 6), target.AsSlice(),
	}, nil)
	deadline := time.Now().Add(patience)
	for time.Now().Before(deadline) {
		if _, err := m.Write(question); err != nil {
			t.Fatal(err)
		}
		if err := m.SetReadDeadline(time.Now().Add(patience / 20)); err != nil {
			t.Fatal(err)
		}
		var frame [2048]byte
		for {
			n, err := m.Read(frame[:])
			if err != nil {
				break
			}
			const answer, sender = 21, 28
			if n >= 42 && frame[12] == 8 && frame[13] == 6 && frame[answer] == 2 &&
				bytes.Equal(frame[sender:sender+4], target.AsSlice()) {
				return
			}
		}
	}
	t.Errorf("%s asks about %s over %s, and nobody answers", from, about, m.Name())
}

// A program on a tap reaches the host, a cable's end and a macvlan of another section, and an apply that changes
// nothing of the tap leaves it running. What needs the tap opened fails while the program has its only queue.
func TestTapProgram(t *testing.T) {
	l := newLab(t)
	yaml := l.example("vm-taps.yaml")
	topo := l.load(yaml)
	l.apply(topo)
	web, db := l.boot("tap-web", 0), l.boot("tap-db", unix.IFF_MULTI_QUEUE)
	for _, to := range []string{"192.168.80.1", "192.168.80.2", "192.168.80.3"} {
		web.asks(t, "192.168.80.10", to)
		db.asks(t, "192.168.80.11", to)
	}
	if p := l.diff(topo); len(p.Steps) > 0 {
		t.Errorf("with programs on the taps:\n%s", planText(p))
	}
	other := l.load(string(bytes.ReplaceAll([]byte(yaml), []byte("user: 1000"), []byte("user: 1001"))))
	_, err := l.tryApply(other)
	if !errors.Is(err, unix.EBUSY) || !errors.Is(err, reconcile.ErrRolledBack) {
		t.Errorf("another user, while a program has it open: %v", err)
	}
	web.asks(t, "192.168.80.10", "192.168.80.2")
	if err := web.Close(); err != nil {
		t.Error(err)
	}
	l.apply(other)
	db.asks(t, "192.168.80.11", "192.168.80.2")
	l.converged(other)
	if err := db.Close(); err != nil {
		t.Error(err)
	}
	l.destroy(topo.Name)
}
