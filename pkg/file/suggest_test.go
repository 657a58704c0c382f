package file

import "testing"

func TestNearest(t *testing.T) {
	known := []string{"addresses", "bridge", "peer", "mtu", "mac", "port-name", "br0", "br1"}
	for word, want := range map[string]string{
		"adresses": "addresses", "address": "addresses", "brigde": "bridge", "mut": "mtu", "br2": "br0",
		"portname": "port-name",
		"gateway":  "", "x": "", "": "", "master": "",
	} {
		if got := Nearest(word, known); got != want {
			t.Errorf("%q: %q, want %q", word, got, want)
		}
	}
}
