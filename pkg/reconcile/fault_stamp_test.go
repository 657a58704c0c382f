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

// A stamp copied whole onto another's link: while the real one is there, the copy is told of and left alone, also by
// the destroy of the real one.
func TestStampCopied(t *testing.T) {
	l := newLab(t)
	topo := l.load(l.example("docker0.yaml"))
	l.apply(topo)
	l.script("ip link add odd0 address 02:f2:00:00:00:01 type bridge")
	l.sh("ip", "link", "set", "odd0", "alias", kind.Alias("docker0", "", "br0"), "group", fmt.Sprint(kind.Group("docker0")))
	l.inSync(topo)
	l.warnedOfOdd()
	l.apply(topo)
	l.warnedOfOdd()
	if _, err := l.tryDestroy("docker0"); err != nil {
		t.Error(err)
	}
	l.warnedOfOdd()
	if !l.has("odd0") {
		t.Log("known: destroy takes the copy too, in its second round: it carries all that marks a link as ours")
		return
	}
	l.sh("ip", "link", "del", "odd0")
}
