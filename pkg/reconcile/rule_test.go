package reconcile_test

import (
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
