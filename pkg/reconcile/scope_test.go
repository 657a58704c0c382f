package reconcile_test

import (
	"errors"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/plumbnet/plumb/pkg/kernel"
	"github.com/plumbnet/plumb/pkg/reconcile"
)

// The kernel has one scope for all IPv4 addresses of a subnet on a link. Where that of others is in the way nothing of
// the topology can make way: one write tells so, and no second is tried.
func TestScopeOfOthers(t *testing.T) {
	l := newLab(t)
	const bridge = "name: scopes\nbridges: {br0: {dynamic: true, addresses: [ADDRESSES]}}\n"
	l.apply(l.load(strings.Replace(bridge, "ADDRESSES", "", 1)))
	l.script("ip address add 10.7.0.9/24 dev br0 scope link")
	before, tried := l.settle(), 0
	_, err := l.tryApply(l.load(strings.Replace(bridge, "ADDRESSES", "10.7.0.1/24", 1)),
		through(&kernel.Seam{Around: func(w kernel.Write, write func() error) error {
			if strings.HasPrefix(w.What, "add address 10.7.0.1/24") {
				tried++
			}
			return write()
		}}))
	if !errors.Is(err, reconcile.ErrRolledBack) || !errors.Is(err, unix.EINVAL) || tried != 1 {
		t.Errorf("the error is %v, after %d tries, want EINVAL after one", err, tried)
	}
	l.restored("after the rollback", before)
}
