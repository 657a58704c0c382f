package main

import (
	"bytes"
	"io"
	"strings"
	"testing"

	"github.com/plumbnet/plumb/pkg/object"
	"github.com/plumbnet/plumb/pkg/reconcile"
)

// says runs a command with the host, and gives what it prints.
func (f *fakeHost) says(args ...string) (stdout string, code int) {
	var out bytes.Buffer
	e := &env{stdin: strings.NewReader(""), stdout: &out, stderr: io.Discard, open: f.open}
	code = e.run(args)
	return out.String(), code
}

// TestShow holds how a topology is shown.
func TestShow(t *testing.T) {
	f := &fakeHost{topologies: []string{"lab"}, applied: map[string]string{"lab": "name: lab\n"}, shown: []reconcile.Shown{
		{Interfaces: []reconcile.ShownInterface{
			{Name: "br0", Type: "bridge", State: "up", Addresses: []string{"10.0.0.1/24", "fe80::1/64"},
				Counters: object.Counters{RxBytes: 1_500_000, TxBytes: 12}},
			{Name: "p\x1b", Type: "veth", State: "no-carrier", Master: "br0", Peer: "web/eth0",
				Addresses: []string{"fe80::2/64"}, Counters: object.Counters{RxDropped: 2, TxErrors: 1}},
		}},
		{Namespace: "web", Gateways: []reconcile.Gateway{
			{Address: "10.0.0.1", Dev: "eth0"}, {Dev: "tun0"},
		}, Interfaces: []reconcile.ShownInterface{
			{Name: "lo", Type: "loopback", State: "up", Addresses: []string{"127.0.0.1/8", "::1/128"}},
			{Name: "eth0", Type: "veth", State: "up", Peer: "p", PeerMaster: "br0",
				Addresses: []string{"10.0.0.2/24", "10.0.0.3/24", "10.0.0.4/24", "10.0.0.5/24", "10.0.0.6/24"}},
			{Name: "card0", State: "down"},
		}},
		{Namespace: "db", Attached: "docker:db", Interfaces: []reconcile.ShownInterface{
			{Name: "lo", Type: "loopback", State: "down", Addresses: []string{}},
		}},
	}}
	got, code := f.says("show", "lab")
	const want = `lab (/etc/lab.yaml)

host
  br0    bridge  up          10.0.0.1/24                            in 1.5 MB, out 12 B
  p\x1b  veth    no-carrier               port of br0, to web/eth0  in 0 B, out 0 B, 3 lost

web, gateway 10.0.0.1 by eth0, by tun0
  eth0   veth  up    10.0.0.2/24 10.0.0.3/24 10.0.0.4/24 and 2 more  to br0 (p)  in 0 B, out 0 B
  card0  card  down                                                              in 0 B, out 0 B

db (docker:db)
  lo  loopback  down      in 0 B, out 0 B
`
	if got != want || code != exitOK {
		t.Errorf("exit code %d\n%s\nwant\n%s", code, got, want)
	}
	if got, _ := f.says("show", "lab", "-o", "json"); !strings.HasPrefix(got,
		`{"format":"plumb/show/v1","topology":"lab","file":"/etc/lab.yaml","namespaces":[{"namespace":"",`) {
		t.Error(got)
	}
	for _, c := range []struct {
		args []string
		code int
	}{{[]string{"show"}, exitUsage}, {[]string{"show", "other"}, exitNotRun}, {[]string{"show", "a b"}, exitUsage}} {
		if got, code := f.says(c.args...); code != c.code || got != "" {
			t.Errorf("%q: exit code %d: %s", c.args, code, got)
		}
	}
}

// TestComplete holds that the names of topologies are offered where one is wanted, and once.
func TestComplete(t *testing.T) {
	f := &fakeHost{topologies: []string{"lab", "web"}}
	for _, command := range []string{"destroy", "status", "confirm", "show", "suspend", "resume", "reconcile"} {
		if got, code := f.says("__complete", command, ""); !strings.HasPrefix(got, "lab\nweb\n:4\n") || code != exitOK {
			t.Errorf("%s: exit code %d: %s", command, code, got)
		}
		if got, _ := f.says("__complete", command, "lab", ""); strings.HasPrefix(got, "lab") {
			t.Errorf("%s, once more: %s", command, got)
		}
	}
	for _, command := range []string{"apply", "agent", "capture"} {
		if got, _ := f.says("__complete", command, "--"); strings.Contains(got, "`") || !strings.Contains(got, "--") {
			t.Errorf("the flags of %s: %s", command, got)
		}
	}
}
