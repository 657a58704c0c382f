package reconcile_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"golang.zx2c4.com/wireguard/wgctrl/wgtypes"
)

// withKeys lets the inventor draw wireguard links, where the kernel has them: their keys are files of the test.
func (v inventor) withKeys(t *testing.T) inventor {
	t.Helper()
	if lacksLinks(t, "wireguard") {
		return v
	}
	v.keys = t.TempDir()
	for i := range 3 {
		key := wgtypes.Key{0: 64, 1: byte(i), 31: 64}
		if err := os.WriteFile(v.key(i), []byte(key.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return v
}

// key is a file that has one of three keys.
func (v inventor) key(i int) string { return filepath.Join(v.keys, fmt.Sprint(i, ".key")) }

// wireguards adds links whose keys, ports, and peers are few: from one topology to the next they change hands.
func (v inventor) wireguards(rooms []*room) {
	if v.keys == "" {
		return
	}
	taken := make(map[string]bool)
	for _, r := range rooms {
		for _, name := range []string{"w0", "w1"} {
			of := mapping{"private-key-file": v.key(v.IntN(3))}
			underlay := r.name
			if v.oneIn(4) {
				of["underlay"], underlay = "host", ""
			}
			if port := choose(v, 0, 0, 7001, 7002); port != 0 {
				claim := fmt.Sprint(underlay, port)
				if taken[claim] {
					continue
				}
				taken[claim], of["listen-port"] = true, port
			}
			if v.oneIn(2) {
				continue
			}
			if v.oneIn(4) {
				of["fwmark"] = 1 + v.IntN(2)
			}
			of["peers"] = v.peers()
			link := mapping{"wireguard": of}
			if v.oneIn(4) {
				link["mtu"] = choose(v, 1000, 1300)
			}
			if v.oneIn(2) {
				link["addresses"] = []any{fmt.Sprintf("10.17%d.%s.1/24", r.number, name[1:])}
			}
			r.section("interfaces")[name] = link
		}
	}
}

// peers are up to three, each with some of what a peer can have.
func (v inventor) peers() (list []any) {
	for i := range 3 {
		if v.oneIn(2) {
			continue
		}
		p := mapping{"public-key": wgtypes.Key{0: byte(i), 31: 7}.String()}
		if v.oneIn(2) {
			p["endpoint"] = choose(v, "192.0.2.1:7", "192.0.2.2:7", "[2001:db8::1]:7")
		}
		if v.oneIn(2) {
			p["allowed-ips"] = []any{fmt.Sprintf("10.18%d.0.0/24", i), fmt.Sprintf("fd00:18%d::/64", v.IntN(2)*3+i)}
		}
		if v.oneIn(4) {
			p["keepalive"] = "30s"
		}
		if v.oneIn(4) {
			p["preshared-key-file"] = v.key(v.IntN(3))
		}
		list = append(list, p)
	}
	return list
}
