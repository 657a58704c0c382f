package reconcile_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/plumbnet/plumb/pkg/kind"
)

// warnedOfOdd says that the last run warned of the link odd0.
func (l *lab) warnedOfOdd() {
	l.Helper()
	if !strings.Contains(strings.Join(l.warnings, "\n"), "odd0") {
		l.Errorf("no warning tells of odd0: %q", l.warnings)
	}
}

// A link that has our group by chance, and no stamp beside it or somebody's, is left alone; destroy tells of it.
func TestGroupCollides(t *testing.T) {
	for name, alias := range map[string]string{"no alias": "", "a foreign alias": "mine", "another topology's alias": "plumb:other//odd0"} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t)
			l.script("ip link add odd0 address 02:f2:00:00:00:01 type bridge")
			l.sh("ip", "link", "set", "odd0", "alias", alias, "group", fmt.Sprint(kind.Group("docker0")))
			l.fixture(func() { l.sh("ip", "link", "del", "odd0") })
			topo := l.load(l.example("docker0.yaml"))
			l.apply(topo)
			l.converged(topo)
			l.destroy("docker0")
			l.warnedOfOdd()
			l.same("after destroy", l.base.text, l.settle())
		})
	}
}

// A stamp copied whole onto another's link: nothing tells which of the two is ours, so both are left alone until one of
// them goes.
func TestStampCopied(t *testing.T) {
	l := newLab(t)
	topo := l.load(l.example("docker0.yaml"))
	l.apply(topo)
	made := l.settle()
	l.script("ip link add odd0 address 02:f2:00:00:00:01 type bridge")
	l.sh("ip", "link", "set", "odd0", "alias", kind.Alias("docker0", "", "br0"), "group", fmt.Sprint(kind.Group("docker0")))
	both := l.settle()
	refusal(t, l.diff(topo), kind.LinkKey("", "br0"), "links br0 and odd0 both stand for it")
	_, err := l.tryApply(topo)
	refused(t, err, "remove the one that does not belong")
	l.same("after the refusal", both, l.settle())
	_, err = l.tryDestroy("docker0")
	t.Logf("destroy: %v; warnings: %q", err, l.warnings)
	if !l.has("odd0") {
		t.Error("destroy took the copy")
	}
	l.warnedOfOdd()
	l.sh("ip", "link", "del", "odd0")
	l.apply(topo)
	l.converged(topo)
	l.same("after the copy went", made, l.settle())
}
