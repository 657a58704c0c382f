package reconcile_test

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.zx2c4.com/wireguard/wgctrl/wgtypes"

	"github.com/plumbnet/plumb/pkg/battery/host"
	"github.com/plumbnet/plumb/pkg/plan"
	"github.com/plumbnet/plumb/pkg/reconcile"
)

const siteToSite = "wireguard-site-to-site.yaml"

// siteLab is a lab on a kernel that has WireGuard.
func siteLab(t *testing.T) (l *lab, yaml string) {
	l = newLab(t)
	if !slices.Contains(examples(t), siteToSite) {
		t.Skip("the kernel has no links of type wireguard")
	}
	return l, l.example(siteToSite)
}

// Two sites reach each other through the tunnel, and the one that may call from anywhere is followed when it moves:
// that is no drift.
func TestPacketsWireGuard(t *testing.T) {
	l, yaml := siteLab(t)
	topo := l.load(yaml)
	l.apply(topo)
	l.reaches("pc-a", "pc-b", "10.2.0.10", "10.1.0.10")
	l.reaches("pc-a", "pc-b", "fd00:2::10", "fd00:1::10")
	l.reaches("pc-b", "pc-a", "10.1.0.10", "10.2.0.10")
	l.reaches("pc-b", "pc-a", "fd00:1::10", "fd00:2::10")
	l.converged(topo)
	moves := strings.NewReplacer("192.0.2.1/24", "192.0.2.7/24", "listen-port: 51820", "listen-port: 51821",
		"192.0.2.2:51820", "192.0.2.2:51821")
	moved := l.load(moves.Replace(yaml))
	l.apply(moved)
	l.reaches("pc-a", "pc-b", "10.2.0.10", "10.1.0.10")
	l.converged(moved)
	t.Log("without the record nobody knows what the kernel was told: what is there will do")
	records, err := filepath.Glob("/run/plumb/*/host.json")
	if err != nil || len(records) != 1 {
		t.Fatalf("records: %v, %v", records, err)
	}
	if err := os.Remove(records[0]); err != nil {
		t.Fatal(err)
	}
	if p := l.diff(moved); len(p.Steps) > 0 {
		t.Errorf("without the record it is not in sync:\n%s", planText(p))
	}
	l.apply(moved)
}

// No key is told: not in a plan, a trace, an error or the host record.
func TestWireGuardKeysAreHidden(t *testing.T) {
	l, yaml := siteLab(t)
	var told strings.Builder
	trace := func(o *reconcile.Options) {
		o.Trace = func(what string, _ time.Duration, err error) { fmt.Fprintln(&told, what, err) }
	}
	tell := func(p plan.Plan) {
		text := plan.Text{Name: "x", All: true}
		lines := p.Outcomes("")
		doc := plan.NewDocument("x", lines, nil)
		if err := errors.Join(text.WritePlan(&told, p), plan.WriteJSON(&told, []plan.Document{doc}, false)); err != nil {
			t.Fatal(err)
		}
	}
	apply := func(yaml string) {
		h := l.open(trace)
		report, err := h.Apply(t.Context(), l.load(yaml))
		fmt.Fprintln(&told, err, h.Close())
		tell(report.Plan)
		for _, path := range glob(t, "/run/plumb/*/*") {
			text, _ := os.ReadFile(path) // the lock is empty
			told.Write(text)
		}
	}
	l.names = append(l.names, "wireguard-site-to-site")
	other := l.example(siteToSite)
	for _, text := range []string{yaml, other, strings.ReplaceAll(yaml, "10.9.0.1/24", "10.9.0.3/24")} {
		apply(text)
	}
	if !strings.Contains(told.String(), "private key changed") || !strings.Contains(told.String(), "endpoint ") {
		t.Errorf("this does not tell of changes:\n%s", &told)
	}
	for _, yaml := range []string{yaml, other} {
		for _, m := range keyPath.FindAllStringSubmatch(yaml, -1) {
			text, err := os.ReadFile(m[1])
			if err != nil {
				t.Fatal(err)
			}
			key, err := base64.StdEncoding.DecodeString(strings.TrimSpace(string(text)))
			if err != nil {
				t.Fatal(err)
			}
			key[31] = 0 // the kernel sets bits of the first and the last byte
			for _, form := range []string{string(text[2:40]), hex.EncodeToString(key[1:31]), fmt.Sprint(key[1:31])[1:60]} {
				if strings.Contains(told.String(), form) {
					t.Errorf("a key of %s is told", m[1])
				}
			}
		}
	}
}

// What is wrong with a key file is found before anything is written, with the place of the link.
func TestWireGuardKeyFiles(t *testing.T) {
	l, yaml := siteLab(t)
	path := keyPath.FindStringSubmatch(yaml)[1]
	for _, test := range []struct {
		spoil func() error
		says  string
	}{
		{func() error { return os.Chmod(path, 0o644) }, "chmod 600 " + path},
		{func() error { return os.Remove(path) }, "no such file"},
		{func() error { return os.WriteFile(path, []byte("hunter2"), 0o600) }, "wg genkey"},
	} {
		if err := test.spoil(); err != nil {
			t.Fatal(err)
		}
		h := l.open()
		_, err := h.Diff(t.Context(), l.load(yaml))
		if err = errors.Join(err, h.Close()); !errors.Is(err, reconcile.ErrNotRun) ||
			!strings.Contains(err.Error(), test.says) ||
			!strings.Contains(err.Error(), "test.yaml:24: link site-a/wg0: private-key-file "+path) ||
			strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%v, want %s", err, test.says)
		}
	}
}

// A port that somebody has is told of, and nothing is left of the link.
func TestWireGuardTakenPort(t *testing.T) {
	l, yaml := siteLab(t)
	l.names = append(l.names, "wireguard-site-to-site")
	empty := l.settle()
	taken := l.load(strings.Replace(yaml, "listen-port: 51820", "listen-port: 5180\n          underlay: host", 1))
	l.udp("127.0.0.1:5180", func() {
		h := l.open()
		_, err := h.Apply(t.Context(), taken)
		if err = errors.Join(err, h.Close()); !errors.Is(err, reconcile.ErrRolledBack) ||
			!strings.Contains(err.Error(), "has UDP port 5180 on the host") {
			t.Errorf("%v", err)
		}
	})
	l.restored("after a port that was taken", empty)
}

// udp has a port of the host while f runs.
func (l *lab) udp(addr string, f func()) {
	l.Helper()
	var c net.PacketConn
	err := host.Inside("", func() (err error) {
		c, err = net.ListenPacket("udp4", addr)
		return err
	})
	if err != nil {
		l.Fatal(err)
	}
	f()
	if err := c.Close(); err != nil {
		l.Error(err)
	}
}

func glob(t *testing.T, pattern string) []string {
	t.Helper()
	list, err := filepath.Glob(pattern)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// keyPath is where a key is.
var keyPath = regexp.MustCompile(`private-key-file: (\S+)`)

var (
	keyFile   = regexp.MustCompile(`(private-key|preshared-key)-file: ([a-z-]+\.key)`)
	publicKey = regexp.MustCompile(`public-key: \S+ # wg pubkey < (\S+)`)
)

// withKeys makes the keys that an example says how to make, and has it name those.
func (l *lab) withKeys(yaml string) string {
	l.Helper()
	if !keyFile.MatchString(yaml) {
		return yaml
	}
	dir := l.TempDir()
	keys := make(map[string]wgtypes.Key)
	for _, m := range keyFile.FindAllStringSubmatch(yaml, -1) {
		if _, made := keys[m[2]]; made {
			continue
		}
		key, err := wgtypes.GeneratePrivateKey()
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, m[2]), []byte(key.String()+"\n"), 0o600)
		}
		if err != nil {
			l.Fatal(err)
		}
		keys[m[2]] = key
	}
	yaml = keyFile.ReplaceAllString(yaml, "$1-file: "+dir+"/$2")
	return publicKey.ReplaceAllStringFunc(yaml, func(line string) string {
		return "public-key: " + keys[publicKey.FindStringSubmatch(line)[1]].PublicKey().String()
	})
}
