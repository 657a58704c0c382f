package reconcile_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/plumbnet/plumb/pkg/battery/host"
)

// tap sends and hears Ethernet frames on a link of a namespace.
type tap struct {
	testing.TB
	fd, index int
}

// tap opens one. It hears all that comes to the link, but not what it sends.
func (l *lab) tap(ns, dev string) *tap {
	l.Helper()
	t := &tap{TB: l.TB}
	l.must(host.Inside(ns, func() (err error) {
		if t.fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0); err != nil {
			return err
		}
		l.Cleanup(func() { unix.Close(t.fd) }) //nolint:errcheck // what it heard was read
		req, err := unix.NewIfreq(dev)
		if err == nil {
			err = unix.IoctlIfreq(t.fd, unix.SIOCGIFINDEX, req)
		}
		if err != nil {
			return err
		}
		t.index = int(req.Uint32())
		const all = unix.ETH_P_ALL>>8 | unix.ETH_P_ALL&0xff<<8 // in network order
		return errors.Join(unix.SetsockoptInt(t.fd, unix.SOL_PACKET, unix.PACKET_AUXDATA, 1),
			unix.Bind(t.fd, &unix.SockaddrLinklayer{Protocol: all, Ifindex: t.index}))
	}))
	return t
}

// Addresses of stations that there are none of.
var (
	everybody = []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}
	alice     = []byte{0x02, 0xaa, 0, 0, 0, 1}
	bob       = []byte{0x02, 0xaa, 0, 0, 0, 2}
)

// frame is one of a type for experiments (IEEE 802): to, from, and a word.
func frame(to, from []byte, word string) []byte {
	b := bytes.Join([][]byte{to, from, {0x88, 0xb5}, []byte(word)}, nil)
	return append(b, make([]byte, max(0, 60-len(b)))...)
}

func (t *tap) send(b []byte) {
	t.Helper()
	if err := unix.Sendto(t.fd, b, 0, &unix.SockaddrLinklayer{Ifindex: t.index}); err != nil {
		t.Fatal(err)
	}
}

// hears says whether a frame with a word comes within a time, and the VLAN of its tag, 0 for none.
func (t *tap) hears(word string, within time.Duration) (heard bool, vlan uint16) {
	t.Helper()
	b, oob := make([]byte, 2048), make([]byte, 256)
	for deadline := time.Now().Add(within); ; {
		left := time.Until(deadline)
		if left <= 0 {
			return false, 0
		}
		if n, err := unix.Poll([]unix.PollFd{{Fd: int32(t.fd), Events: unix.POLLIN}}, int(left.Milliseconds())+1); n == 0 {
			continue
		} else if err != nil && !errors.Is(err, unix.EINTR) {
			t.Fatal(err)
		}
		n, m, _, from, err := unix.Recvmsg(t.fd, b, oob, unix.MSG_DONTWAIT)
		if errors.Is(err, unix.EAGAIN) {
			continue
		} else if err != nil {
			t.Fatal(err)
		}
		own := from.(*unix.SockaddrLinklayer).Pkttype == unix.PACKET_OUTGOING
		if !own && bytes.Contains(b[:n], []byte(word)) {
			return true, tagOf(t, oob[:m])
		}
	}
}

// tagOf reads struct tpacket_auxdata of packet(7).
func tagOf(t *tap, oob []byte) uint16 {
	t.Helper()
	list, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range list {
		const valid, id, at = 1 << 4, 0xfff, 16 // TP_STATUS_VLAN_VALID
		if m.Header.Type == unix.PACKET_AUXDATA && binary.NativeEndian.Uint32(m.Data)&valid != 0 {
			return binary.NativeEndian.Uint16(m.Data[at:]) & id
		}
	}
	return 0
}

func (l *lab) must(err error) {
	l.Helper()
	if err != nil {
		l.Fatal(err)
	}
}
