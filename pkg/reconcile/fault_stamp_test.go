package reconcile_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/plumbnet/plumb/pkg/object"
)

// warnedOfOdd says that the last run warned of the link odd0.
func (l *lab) warnedOfOdd() {
	l.Helper()
	if !strings.Contains(strings.Join(l.warnings, "\n"), "odd0") {
		l.Errorf("no warning tells of odd0: %q", l.warnings)
	}
}

// A link that has our group by chance, and no stamp beside it or somebody's, is left alone. With somebody's, apply
// refuses; destroy tells of it in any case.
func TestGroupCollides(t *testing.T) {
	for name, test := range map[string]struct {
		alias, group string
		refused      bool
	}{
		"no alias":                   {"", "own", false},
		"a foreign alias":            {"mine", "own", true},
		"another topology's alias":   {"plumb:other//odd0", "own", true},
		"a foreign alias and doomed": {"mine", "doomed", true},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t)
			topo := l.load(l.example("docker0.yaml"))
			l.script("ip link add odd0 address 02:f2:00:00:00:01 type bridge")
			l.fixture(func() { l.sh("ip", "link", "del", "odd0") })
			l.apply(topo)
			group := map[string]uint32{"own": object.Group("docker0"), "doomed": object.Doomed("docker0")}[test.group]
			l.sh("ip", "link", "set", "odd0", "alias", test.alias, "group", fmt.Sprint(group))
			if test.refused {
				l.refusedFor(l.example("docker0.yaml"), "link odd0: has the group of topology docker0")
			} else {
				l.converged(topo)
			}
			before := l.sh("ip", "-d", "address", "show", "odd0")
			l.destroy("docker0")
			l.warnedOfOdd()
			if now := l.sh("ip", "-d", "address", "show", "odd0"); now != before {
				t.Errorf("odd0 was\n%sand is\n%s", before, now)
			}
			l.sh("ip", "link", "set", "odd0", "alias", "", "group", "0")
			l.restored("after destroy", l.base.Text)
		})
	}
}

// copyStamp puts the stamp of docker0's br0 on odd0.
func (l *lab) copyStamp() {
	l.Helper()
	l.sh("ip", "link", "set", "odd0", "alias", object.Alias("docker0", "", "br0"),
		"group", fmt.Sprint(object.Group("docker0")))
}

// A stamp copied whole onto another's link, older or younger than ours. Ours is the one that has the name and the MAC
// that it was made with: destroy takes it, and leaves the copy. Apply waits for a person to clear that up.
func TestStampCopied(t *testing.T) {
	const odd = `
		ip link add odd0 address 02:f2:00:00:00:01 type bridge
		ip address add 10.88.0.1/24 dev odd0
		ip link set odd0 up
		ip route add 10.89.0.0/16 via 10.88.0.2 proto static`
	for _, older := range []bool{true, false} {
		t.Run(fmt.Sprintf("older %v", older), func(t *testing.T) {
			l := newLab(t)
			l.script(odd)
			l.fixture(func() { l.sh("ip", "link", "del", "odd0") })
			topo := l.load(l.example("docker0.yaml"))
			if older {
				l.apply(topo)
			} else {
				l.sh("ip", "link", "del", "odd0")
				l.apply(topo)
				l.script(odd)
			}
			made := l.settle()
			l.copyStamp()
			both := l.settle()
			refusal(t, l.diff(topo), object.LinkKey("", "odd0"), "links br0 and odd0 bear one stamp")
			_, err := l.tryApply(topo)
			refused(t, err, "remove it from the one that is not plumb's")
			l.restored("after the refusal", both)
			l.sh("ip", "link", "set", "odd0", "alias", "", "group", "0")
			l.converged(topo)
			l.restored("after the copy went", made)
			l.copyStamp()
			l.destroy("docker0")
			l.warnedOfOdd()
			if l.has("br0") {
				t.Error("destroy left br0")
			}
			l.sh("ip", "link", "set", "odd0", "alias", "", "group", "0")
			l.restored("after destroy", l.base.Text)
		})
	}
}

// When neither of two bearers is as plumb made it, nothing tells which is ours: destroy takes neither, and all the
// rest.
func TestStampCopiedUntold(t *testing.T) {
	for name, meddle := range map[string]string{
		"another mac":       "ip link set br0 address 02:f2:00:00:00:02",
		"renamed":           "ip link set br0 name brx",
		"the copy has both": "ip link set br0 name brx\nip link set brx address 02:f2:00:00:00:03\nip link set odd0 name br0",
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t)
			l.script("ip link add odd0 address 02:f2:00:00:00:01 type bridge")
			l.fixture(func() { l.sh("ip", "link", "del", "odd0") })
			topo := l.load(l.example("docker0.yaml") + "sysctls: {net.ipv4.conf.br0.rp_filter: 2}\n")
			l.apply(topo)
			l.copyStamp()
			l.script(meddle)
			_, err := l.tryApply(topo)
			refused(t, err, "bear one stamp")
			l.destroy("docker0")
			if said := strings.Join(l.warnings, "\n"); !strings.Contains(said, " bear one stamp") {
				t.Errorf("the warnings do not name both: %q", said)
			}
			theirs, ours := "odd0", "br0"
			if l.has("brx") {
				ours = "brx"
			}
			if !l.has(theirs) {
				theirs = "br0"
				l.sh("ip", "link", "set", "br0", "name", "odd0")
			}
			if v := l.sh("sysctl", "-n", "net.ipv4.conf."+ours+".rp_filter"); name == "another mac" && v != "2\n" {
				t.Errorf("rp_filter of %s is now %s", ours, v)
			}
			l.sh("ip", "link", "del", ours)
			l.sh("ip", "link", "set", "odd0", "alias", "", "group", "0")
			l.restored("after destroy, without the bridge,", l.base.Text)
		})
	}
}

// The stamp of a link in a namespace, copied onto one of the host, does not make that ours.
func TestStampCopiedOut(t *testing.T) {
	l := newLab(t)
	l.script("ip link add odd0 address 02:f2:00:00:00:01 type bridge")
	l.fixture(func() { l.sh("ip", "link", "del", "odd0") })
	topo := l.load(l.example("docker0.yaml"))
	l.apply(topo)
	l.sh("ip", "link", "set", "odd0", "alias", object.Alias("docker0", "ns1", "eth0"),
		"group", fmt.Sprint(object.Group("docker0")))
	_, err := l.tryApply(topo)
	refused(t, err, "links ns1/eth0 and odd0 bear one stamp")
	l.destroy("docker0")
	l.warnedOfOdd()
	l.sh("ip", "link", "set", "odd0", "alias", "", "group", "0")
	l.restored("after destroy", l.base.Text)
}
