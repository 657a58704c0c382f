package reconcile_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestRulesAlike changes rules that the kernel takes for each other: it deletes the first that is not unlike what it is
// asked for, and does not see "not".
func TestRulesAlike(t *testing.T) {
	const (
		narrow  = "{priority: 60, from: 10.9.0.0/16, iif: eth7, table: 5}"
		wide    = "{priority: 60, iif: eth7, table: 5}"
		all     = "{priority: 60, table: 5}"
		negated = "{priority: 60, not: true, from: 10.9.0.0/16, iif: eth7, table: 5}"
	)
	l := newLab(t)
	file := func(name, ns string, rules ...string) string {
		list := "rules: [" + strings.Join(rules, ", ") + "]"
		if ns == "" {
			return "{name: " + name + ", " + list + "}"
		}
		return "{name: " + name + ", namespaces: {" + ns + ": {" + list + "}}}"
	}
	for _, rules := range [][]string{
		{narrow, wide, all}, {narrow}, {negated}, {wide, narrow}, {wide}, {narrow, negated}, {narrow}, {all, wide}, {wide},
	} {
		topo := l.load(file("x", "ns1", rules...))
		l.apply(topo)
		l.inSync(topo)
		if n := strings.Count(l.sh("ip", "-n", "ns1", "rule", "show", "pref", "60"), "60:"); n != len(rules) {
			t.Errorf("of %d rules there are %d", len(rules), n)
		}
	}
	one := l.load(file("one", "", narrow))
	l.apply(one)
	l.apply(l.load(file("two", "", wide)))
	if _, err := l.tryDestroy("two"); err != nil {
		t.Error(err)
	}
	l.inSync(one)
}

// A table is called by its name in rt_tables, by plumb and by ip(8).
func TestTableByName(t *testing.T) {
	const tables = "/etc/iproute2"
	l := newLab(t)
	l.must(os.MkdirAll(tables, 0o755))
	l.script("mount -t tmpfs tmpfs " + tables)
	l.fixture(func() { l.sh("umount", tables) })
	l.must(os.WriteFile(filepath.Join(tables, "rt_tables"), []byte("4711\tuplink # of the lab\n"), 0o600))
	topo := l.load(`
name: named
namespaces:
  a:
    routes: [{to: 10.9.0.0/16, type: blackhole, table: uplink}]
    rules: [{priority: 100, from: 10.1.0.0/24, table: uplink}]
`)
	l.apply(topo)
	l.converged(topo)
	for _, show := range []string{"route show table 4711", "route show table uplink", "rule show table 4711"} {
		if out := l.sh("ip", strings.Fields("-n a "+show)...); !strings.Contains(out, "10.") {
			t.Errorf("ip %s: %s", show, out)
		}
	}
}
