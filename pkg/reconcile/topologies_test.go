package reconcile_test

import (
	"fmt"
	"testing"
)

// TestTopologies names what is on the host by each way to know it: a link, a namespace, the record.
func TestTopologies(t *testing.T) {
	l := newLab(t)
	l.foreign()
	l.uplink()
	names := func(want ...string) {
		t.Helper()
		got, err := l.open().Topologies()
		if err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%v, %v, want %v", got, err, want)
		}
	}
	names()
	l.apply(l.load("name: l\nbridges: {br0: {}}\n"))
	l.apply(l.load("name: n\nnamespaces: {ns1: {}, ns2: {}}\n"))
	l.apply(l.load("name: r\nroutes: [{to: 10.7.0.0/16, via: 10.99.3.2}]\n"))
	l.apply(l.load("name: s\nsysctls: {net.ipv4.ip_forward: 1}\n"))
	names("l", "n", "r", "s")
	l.destroy("r")
	l.destroy("n")
	names("l", "s")
}
