package reconcile_test

import (
	"slices"
	"strings"
	"testing"
)

const natOut = `
name: warned
bridges: {br0: {addresses: [192.168.10.1/24, "fd00:10::1/64"]}}
nat:
  - {masquerade: 192.168.10.0/24, out: eth9}
  - {masquerade: "fd00:10::/64"}
`

// warned says that exactly one warning of the last run holds all the words.
func (l *lab) warned(words ...string) {
	l.Helper()
	n := 0
	for _, w := range l.warnings {
		if !slices.ContainsFunc(words, func(word string) bool { return !strings.Contains(w, word) }) {
			n++
		}
	}
	if n != 1 {
		l.Errorf("%d warnings hold all of %q, want 1; all are\n%s", n, words, strings.Join(l.warnings, "\n"))
	}
}

// TestWarnOutNamesNoInterface says which interface could have been meant.
func TestWarnOutNamesNoInterface(t *testing.T) {
	l := newLab(t)
	topo := l.load(natOut)
	l.diff(topo)
	l.warned("masquerade 192.168.10.0/24 out eth9: there is no interface eth9")
	l.uplink()
	l.apply(topo)
	l.warned("there is no interface eth9", "the default route leaves by up0")
	l.destroy(topo.Name)
	l.sh("ip", "link", "add", "eth9", "type", "bridge")
	l.fixture(func() { l.sh("ip", "link", "delete", "eth9") })
	l.diff(topo)
	if len(l.warnings) > 0 {
		t.Errorf("warnings with everything in place: %q", l.warnings)
	}
}

// TestWarnForwardDropped tells of other tools' chains that drop what shall be forwarded, each for its family only,
// with a rule for a remedy that nft takes.
func TestWarnForwardDropped(t *testing.T) {
	l := newLab(t)
	l.script(`
		nft add table ip filter
		nft add chain ip filter FORWARD { type filter hook forward priority 0 ; policy drop ; }
		nft add table inet fw
		nft add chain inet fw calm { type filter hook forward priority 0 ; policy accept ; }
		nft add chain inet fw input { type filter hook input priority 0 ; policy drop ; }
	`)
	l.fixture(func() { l.script("nft delete table ip filter\nnft delete table inet fw") })
	l.diff(l.load(natOut))
	l.warned("table ip filter, chain FORWARD", "192.168.10.0/24",
		"nft insert rule ip filter FORWARD ip saddr 192.168.10.0/24 accept")
	for _, w := range l.warnings {
		if strings.Contains(w, "fd00:10::") || strings.Contains(w, "inet fw") {
			t.Errorf("a warning without cause: %s", w)
		}
	}
	l.sh("nft", "insert", "rule", "ip", "filter", "FORWARD", "ip", "saddr", "192.168.10.0/24", "accept")
	l.mark()
}
