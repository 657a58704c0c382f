package reconcile_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/plumbnet/plumb/pkg/kernel"
	"github.com/plumbnet/plumb/pkg/reconcile"
)

// held is a segment on which one namespace holds addresses that others have spoken with.
const held = `
name: x
bridges:
  br0: {addresses: [10.8.0.1/24, "fd00:8::1/64"]}
  br1: {addresses: [10.9.0.1/24, "fd00:9::1/64"]}
namespaces:
  asker: {interfaces: {eth0: {bridge: br0, addresses: [10.8.0.2/24, "fd00:8::2/64"]}}}
  idle: {interfaces: {eth0: {bridge: br0, addresses: [10.8.0.3/24]}}}
  holder: {interfaces: {eth0: {bridge: br0, port-name: p9, addresses: [10.8.0.9/24, "fd00:8::9/64"]}}}
  other: {interfaces: {eth0: {bridge: br1, addresses: [10.9.0.19/24]}, m: {macvlan: {parent: host/br0}}}}
`

// moves are edits after which somebody else has an address, or the same one with another MAC.
var moves = map[string][]string{
	"another namespace": {"holder:", "heir:"},
	"another MAC":       {"port-name: p9,", `port-name: p9, mac: "02:00:00:00:00:09",`},
	"another link": {"port-name: p9,", "port-name: p8,",
		"eth0: {bridge: br0, port-name", "eth9: {bridge: br0, port-name"},
	"another that is there": {", addresses: [10.8.0.9/24, \"fd00:8::9/64\"]", "",
		`[10.8.0.3/24]`, `[10.8.0.3/24, 10.8.0.9/24, "fd00:8::9/64"]`},
	"the host": {", addresses: [10.8.0.9/24, \"fd00:8::9/64\"]", "",
		`[10.8.0.1/24,`, `[10.8.0.1/24, 10.8.0.9/24, "fd00:8::9/64",`},
	"from another segment": {
		`10.8.0.9/24, "fd00:8::9/64"`, "10.8.0.99/24", "bridge: br1, addresses: [10.9.0.19/24]",
		`bridge: br0, addresses: [10.8.0.9/24, "fd00:8::9/64"]`},
	"a macvlan": {`10.8.0.9/24, "fd00:8::9/64"`, "10.8.0.99/24", "{macvlan: {parent: host/br0}}",
		`{macvlan: {parent: host/br0}, addresses: [10.8.0.9/24, "fd00:8::9/64"]}`},
}

func (l *lab) asks() {
	l.Helper()
	l.answered("asker", "10.8.0.9")
	l.answered("asker", "fd00:8::9")
}

// TestMovedAddress asks for an address whose MAC is known, and asks again when somebody else has it: the first packet
// is answered. So it is when that goes back, by another edit or by a rollback.
func TestMovedAddress(t *testing.T) {
	for name, edit := range moves {
		t.Run(name, func(t *testing.T) {
			l := newLab(t)
			before, after := l.load(held), l.load(strings.NewReplacer(edit...).Replace(held))
			l.apply(before)
			l.asks()
			l.apply(after)
			l.asks()
			l.apply(before)
			l.asks()
			var last string
			l.apply(after, through(&kernel.Seam{Around: func(w kernel.Write, write func() error) error {
				if !onlyWarns(w.What) && w.What != "write host record" {
					last = w.What
				}
				return write()
			}}))
			l.asks()
			l.apply(before)
			l.asks()
			if _, err := l.tryApply(after, failing(last)); !errors.Is(err, reconcile.ErrRolledBack) {
				t.Errorf("%v, want that it is rolled back", err)
			}
			l.asks()
		})
	}
}

// TestMovedGateway gives the bridge that is the gateway another MAC, and heals one that a hand has changed.
func TestMovedGateway(t *testing.T) {
	l := newLab(t)
	before := l.load(held)
	after := l.load(strings.Replace(held, "br0: {", `br0: {mac: "02:00:00:00:00:01", `, 1))
	asks := func() {
		l.Helper()
		l.answered("asker", "10.8.0.1")
		l.answered("asker", "fd00:8::1")
	}
	l.apply(before)
	asks()
	l.apply(after)
	asks()
	l.sh("ip", "link", "set", "br0", "address", "02:00:00:00:00:02")
	l.sh("ip", "-n", "asker", "neigh", "flush", "all")
	asks()
	l.apply(after)
	asks()
	l.sh("ip", "link", "set", "p9", "master", "br1")
	l.script("ip -n idle address add 10.8.0.9/24 dev eth0\nip -n idle address add fd00:8::9/64 dev eth0 nodad")
	l.ping("asker", "10.8.0.9")
	l.ping("asker", "fd00:8::9")
	l.apply(after)
	l.asks()
}

// sent are the system calls that open a packet socket, and that send by one.
var sent = regexp.MustCompile(`(?m)^\d+ +(socket\(AF_PACKET|sendto\(.*sa_family=AF_PACKET)`)

// TestAnnouncesOnlyWhatMoved counts, by strace, what is sent: nothing where no address has moved, and else one packet
// for each.
func TestAnnouncesOnlyWhatMoved(t *testing.T) {
	if _, err := exec.LookPath("strace"); err != nil {
		t.Skip("strace is not installed")
	}
	l := newLab(t)
	l.names = append(l.names, "x")
	bin, file, out := plumb(t), filepath.Join(t.TempDir(), "x.yaml"), filepath.Join(t.TempDir(), "trace")
	for _, c := range []struct {
		what string
		edit []string
		want int
	}{
		{"first", nil, 0},
		{"again", nil, 0},
		{"MTU, routes and NAT", []string{"port-name: p9,", "port-name: p9, mtu: 1400,", "name: x\n",
			"name: x\nnat: [{masquerade: 10.8.0.0/24}]\nroutes: [{to: 10.7.0.0/16, via: 10.8.0.9}]\n"}, 0},
		{"back", nil, 0},
		{"prefix lengths", []string{"10.8.0.9/24", "10.8.0.9/25", "fd00:8::9/64", "fd00:8::9/120"}, 0},
		{"back", nil, 0},
		{"MAC", moves["another MAC"], 2},
		{"host", append(moves["the host"], moves["another MAC"]...), 2},
		{"back", nil, 2},
	} {
		if err := os.WriteFile(file, []byte(strings.NewReplacer(c.edit...).Replace(held)), 0o600); err != nil {
			t.Fatal(err)
		}
		l.sh("strace", "-f", "-e", "trace=socket,sendto", "-o", out, bin, "apply", "-f", file)
		trace, err := os.ReadFile(out)
		if err != nil {
			t.Fatal(err)
		}
		found := sent.FindAllString(string(trace), -1)
		packets := 0
		for _, call := range found {
			if strings.Contains(call, "sendto") {
				packets++
			}
		}
		if packets != c.want || c.want == 0 && len(found) > 0 {
			t.Errorf("%s: %d packets, want %d: %q", c.what, packets, c.want, found)
		}
	}
}
