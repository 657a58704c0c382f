package link

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
	"golang.zx2c4.com/wireguard/wgctrl/wgtypes"

	"github.com/plumbnet/plumb/pkg/plan"
)

// A key is printed by nothing: not where a type has its say, nor where fmt looks into fields by itself.
func TestSecretIsHidden(t *testing.T) {
	key := [keySize]byte{1: 200, 2: 201, 3: 202, 4: 203, 31: 64}
	s := newSecret(key)
	peer := WireGuardPeer{PublicKey: PublicKey{9}, PresharedKey: s}
	other := peer
	other.PresharedKey = newSecret([keySize]byte{7})
	l := Link{NS: "ns1", Name: "wg0", Type: "wireguard", Spec: WireGuard{PrivateKey: s, Peers: plan.NewList(nil, peer)}}
	was := l
	was.Spec = WireGuard{PrivateKey: other.PresharedKey, Peers: plan.NewList(nil, other)}
	fields, fixed := plan.Compare(l, was)
	if len(fields) != 2 || fixed || fields[0].String() != "private key changed" ||
		fields[1].String() != peer.Item()+" preshared key changed" {
		t.Errorf("%v, fixed %t", fields, fixed)
	}
	text, err := json.Marshal([]any{l, s, peer, fields})
	if err != nil {
		t.Fatal(err)
	}
	said := string(text) + fmt.Sprintf("%v %+v %#v %s %x %q", l, l, l, s, s, s) +
		fmt.Sprintf("%v %#v", &l, struct{ s Secret }{s}) +
		fmt.Sprintf("%v %+v", struct{ l plan.List[WireGuardPeer] }{l.Spec.(WireGuard).Peers}, struct{ s *Secret }{&s})
	for _, form := range []string{
		base64.StdEncoding.EncodeToString(key[:])[:8], hex.EncodeToString(key[1:5]), "200 201 202", "200, 201, 202",
		"0xc8, 0xc9", string(key[1:5]),
	} {
		if strings.Contains(said, form) {
			t.Errorf("%q is told in %s", form, said)
		}
	}
	if s != newSecret(key) || s == other.PresharedKey || s.reveal() != key || newSecret([keySize]byte{}) != (Secret{}) {
		t.Error("keys are not compared by what they are")
	}
}

// A key is read from a small regular file that its owner alone can use; nothing tells what else is in a file.
func TestReadSecret(t *testing.T) {
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }
	const key = "yPrnCwundIqF0RwkliJno43XZAEXjhQ7D+elFUJ5yH0="
	for name, f := range map[string]struct {
		text string
		mode os.FileMode
	}{
		"key": {key + "\n", 0o600}, "bare": {key, 0o400}, "open": {key, 0o640},
		"long":     {strings.Repeat(" ", 4097) + key, 0o600},
		"password": {"hunter2 is my password\n", 0o600}, "two": {key + "\n" + key + "\n", 0o600}, "empty": {"", 0o600},
		"zero": {strings.Repeat("A", 43) + "=\n", 0o600}, "theirs": {key, 0o600},
	} {
		if err := os.WriteFile(path(name), []byte(f.text), f.mode); err != nil {
			t.Fatal(err)
		}
	}
	for _, err := range []error{
		os.Symlink("key", path("link")), unix.Mkfifo(path("fifo"), 0o600), os.Mkdir(path("dir"), 0o700),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	says := map[string]string{
		"key": "", "bare": "", "link": "", "open": "chmod 600 " + path("open"), "long": "more than 4096 bytes",
		"password": "wg genkey", "two": "wg genkey", "empty": "wg genkey", "zero": "wg genkey", "none": "no such file",
		"fifo": "no regular file", "dir": "no regular file",
	}
	if os.Geteuid() == 0 {
		if err := os.Chown(path("theirs"), 1000, 1000); err != nil {
			t.Fatal(err)
		}
		says["theirs"] = "chown root " + path("theirs")
	}
	for name, want := range says {
		got, err := Secret{path: name}.in(dir).read()
		switch {
		case want == "" && (err != nil || got == Secret{} || got.path != ""):
			t.Errorf("%s: %v, %v", name, got, err)
		case want != "" && (err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), path(name))):
			t.Errorf("%s: %v, want %s", name, err, want)
		case err != nil && (strings.Contains(err.Error(), key[:8]) || strings.Contains(err.Error(), "hunter2")):
			t.Errorf("%s: the content is told: %v", name, err)
		}
	}
}

// A link whose own key is that of a peer is refused, and a key is clamped as the kernel does.
func TestWireGuardKeys(t *testing.T) {
	dir := t.TempDir()
	raw := [keySize]byte{0: 255, 31: 255}
	text := base64.StdEncoding.EncodeToString(raw[:])
	if err := os.WriteFile(filepath.Join(dir, "key"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	w := WireGuard{PrivateKey: Secret{path: filepath.Join(dir, "key")}}
	got, err := w.withKeys()
	if key := got.PrivateKey.reveal(); err != nil || key[0] != 0xf8 || key[31] != 0x7f {
		t.Errorf("%x, %v", key, err)
	}
	if again, err := got.withKeys(); err != nil || again != got {
		t.Errorf("read again it is %v, %v", again, err)
	}
	var own PublicKey
	if err := own.Parse("", publicText(got)); err != nil {
		t.Fatal(err)
	}
	w.Peers = plan.NewList(nil, WireGuardPeer{PublicKey: own})
	if _, err := w.withKeys(); err == nil || !strings.Contains(err.Error(), "is the link's own") {
		t.Errorf("a link that is its own peer: %v", err)
	}
}

// publicText is the public key of a link.
func publicText(w WireGuard) string { return wgtypes.Key(w.PrivateKey.reveal()).PublicKey().String() }

// A key that must lie beneath a directory is found there, and not where a link leads to.
func TestReadSecretBeneath(t *testing.T) {
	const key = "yPrnCwundIqF0RwkliJno43XZAEXjhQ7D+elFUJ5yH0=\n"
	dir, outside := t.TempDir(), t.TempDir()
	for _, path := range []string{filepath.Join(dir, "a", "wg0.key"), filepath.Join(outside, "wg0.key")} {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(key), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for to, name := range map[string]string{outside: "out", "a": "in", filepath.Join(outside, "wg0.key"): "out.key"} {
		if err := os.Symlink(to, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	for path, ok := range map[string]bool{
		"a/wg0.key": true, "out/wg0.key": false, "in/wg0.key": false, "out.key": false, "../wg0.key": false, "none": false,
	} {
		_, err := Secret{path: path, within: dir}.read()
		if (err == nil) != ok {
			t.Errorf("%s: %v", path, err)
		}
	}
}
