package reconcile_test

import (
	"strings"
	"testing"
)

// Each end of a cable has one queue, however many processors there are.
func TestCableQueues(t *testing.T) {
	l := newLab(t)
	topo := l.load(besideNet())
	l.apply(topo)
	for _, link := range []string{
		l.sh("ip", "-n", "h3", "-d", "link", "show", "eth0"),
		l.sh("ip", "-d", "link", "show", "type", "veth"),
	} {
		if !strings.Contains(link, "numtxqueues 1 ") || !strings.Contains(link, "numrxqueues 1 ") ||
			strings.Count(link, "numtxqueues 1 ") != strings.Count(link, "numtxqueues ") {
			t.Errorf("not one queue each way:\n%s", link)
		}
	}
	l.destroy(topo.Name)
}
