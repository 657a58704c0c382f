package reconcile_test

import (
	"fmt"
	"strings"
	"testing"
)

// TestUnderlayShared makes many links from one section while others are made in it: a step uses the section that its
// link is made from too. The race detector watches.
func TestUnderlayShared(t *testing.T) {
	l := newLab(t)
	var b strings.Builder
	b.WriteString("name: x\nbridges: {br0: {}, br1: {}}\nnamespaces:\n  zz: {}\n")
	for i := range 20 {
		fmt.Fprintf(&b, `  n%d:
    interfaces:
      e0: {bridge: br1}
      m0: {macvlan: {parent: host/br0}}
      v0: {vxlan: {id: %d, dev: host/br0, remote: 192.0.2.1}}
      v1: {vxlan: {id: %d, underlay: zz, remote: 192.0.2.1}}
`, i, 100+i, 200+i)
	}
	topo := l.load(b.String())
	l.apply(topo)
	l.inSync(topo)
}
