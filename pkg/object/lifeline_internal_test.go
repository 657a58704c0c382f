package object

import (
	"io/fs"
	"net/netip"
	"testing"
)

// TestSSHAddress finds the session in the environment, or in that of an ancestor, as sudo takes it away.
func TestSSHAddress(t *testing.T) {
	const session = "SSH_CONNECTION=198.51.100.7 50000 192.0.2.2 22"
	files := map[string]string{
		"/proc/9/stat": "9 (a (b) c) S 8 9 9 0", "/proc/8/stat": "8 (sudo) S 7 8 8 0", "/proc/7/stat": "7 (sh) S 1 7 7 0",
		"/proc/8/environ": "HOME=/root\x00", "/proc/7/environ": "HOME=/root\x00" + session + "\x00TERM=x",
		"/proc/5/stat": "5 (sh) S 4 5 5 0", "/proc/4/stat": "4 (sh) S 1 4 4 0",
		"/proc/3/stat": "3 (loop) S 3 3 3 0", "/proc/3/environ": "", "/proc/2/stat": "cut", "/proc/2/environ": session,
	}
	readFile := func(path string) ([]byte, error) {
		if text, ok := files[path]; ok {
			return []byte(text), nil
		}
		return nil, fs.ErrPermission
	}
	for _, test := range []struct {
		name, env string
		pid       int
		want      string
	}{
		{"its own", "198.51.100.7 50000 192.0.2.2 22", 1, "192.0.2.2"},
		{"ipv6", "2001:db8::7 50000 2001:db8::2 22", 1, "2001:db8::2"},
		{"with a zone", "fe80::1%br0 50000 fe80::42%br0 22", 1, "fe80::42"},
		{"mapped", "::ffff:198.51.100.7 50000 ::ffff:192.0.2.2 22", 1, "192.0.2.2"},
		{"an ancestor's", "", 9, "192.0.2.2"},
		{"of no session", "", 1, ""},
		{"out of reach", "", 5, ""},
		{"without an end", "", 3, ""},
		{"damaged", "", 2, ""},
		{"no address", "a 1 b 2", 1, ""},
		{"too short", "198.51.100.7 50000", 1, ""},
	} {
		getenv := func(string) string { return test.env }
		want, _ := netip.ParseAddr(test.want)
		if got := sshAddress(getenv, readFile, test.pid); got != want {
			t.Errorf("%s: %v, want %v", test.name, got, want)
		}
	}
}
