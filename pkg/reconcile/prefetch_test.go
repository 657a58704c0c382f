package reconcile_test

import (
	"maps"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/plumbnet/plumb/pkg/battery/host"
	"github.com/plumbnet/plumb/pkg/reconcile"
)

// startPrefetch is for those who need what is prefetched.
func (l *lab) startPrefetch(why reconcile.Purpose) *reconcile.Prefetch {
	l.Helper()
	if runtime.GOMAXPROCS(0) < 2 {
		l.Skip("nothing is prefetched with one processor")
	}
	return reconcile.StartPrefetch(why)
}

// prefetched has a run take over what was read of all namespaces before it.
func (l *lab) prefetched(why reconcile.Purpose) func(*reconcile.Options) {
	l.Helper()
	p := l.startPrefetch(why).Wait()
	l.Cleanup(func() {
		if err := p.Close(); err != nil {
			l.Errorf("close what was prefetched: %v", err)
		}
	})
	return taking(p)
}

// twoHosts has a cable between namespaces, a sysctl that is no switch, and a bridge.
const twoHosts = `
name: lab
bridges: {br0: {addresses: [10.9.0.1/24]}}
namespaces:
  ns1:
    interfaces:
      eth0: {bridge: br0, addresses: [10.9.0.2/24]}
      eth1: {peer: ns2/eth1, addresses: [10.9.1.1/30]}
    sysctls: {net.ipv4.ip_forward: "1", net.ipv4.ip_default_ttl: "99"}
  ns2:
    interfaces: {eth1: {addresses: [10.9.1.2/30]}}
    routes: [{to: default, via: 10.9.1.1}]
`

// What is prefetched is what a look takes: a change after it goes unseen, but for that the namespace is another by
// now, and the next look sees all.
func TestPrefetchIsTaken(t *testing.T) {
	l := newLab(t)
	topo := l.load(twoHosts)
	l.apply(topo)
	h := l.open(l.prefetched(reconcile.ForDiff))
	l.script("ip -n ns1 address add 10.9.7.7/32 dev eth0")
	for i, want := range []int{0, 1} {
		p, err := h.Diff(t.Context(), topo)
		if err != nil || len(p.Steps) != want {
			t.Errorf("diff %d: %v, want %d steps:\n%s", i, err, want, planText(p))
		}
	}
	h = l.open(l.prefetched(reconcile.ForDiff))
	l.script("ip netns del ns2\nip netns add ns2")
	if p, err := h.Diff(t.Context(), topo); err != nil || !p.Refused() {
		t.Errorf("%v; the plan does not see that ns2 is another:\n%s", err, planText(p))
	}
	l.script("ip netns del ns2")
	l.apply(topo)
	l.converged(topo)
}

// Of what belongs to nobody, or to another host, no more than the links is read: it may be a great deal. For a
// destroy that is enough.
func TestPrefetchOfOurs(t *testing.T) {
	l := newLab(t)
	l.script("ip netns add stranger\nip netns add guest\nip -n guest link set lo alias plumb:lab@1")
	l.fixture(func() { l.script("ip netns del stranger\nip netns del guest") })
	topo := l.load(twoHosts)
	l.apply(topo)
	for why, ours := range map[reconcile.Purpose]bool{reconcile.ForDiff: true, reconcile.ForApply: true, reconcile.ForDestroy: false} {
		p := l.startPrefetch(why).Wait()
		want := map[string]bool{"": true, "ns1": ours, "ns2": ours, "stranger": false, "guest": false}
		if got := p.Read(); !maps.Equal(got, want) {
			t.Errorf("for purpose %d whole are %v, want %v", why, got, want)
		}
		if p, err := l.open(taking(p)).Diff(t.Context(), topo); err != nil || len(p.Steps) > 0 {
			t.Errorf("diff after purpose %d: %v\n%s", why, err, planText(p))
		}
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	}
}

// A run changes what it has prefetched through its own seam, and beside what it reads itself.
func TestPrefetchAndChange(t *testing.T) {
	l := newLab(t)
	l.apply(l.load(twoHosts))
	changed := l.load(strings.NewReplacer("10.9.1.2/30", "10.9.1.2/29", `"99"`, `"98"`).Replace(twoHosts))
	before := l.seam.Count()
	report := l.apply(changed, l.prefetched(reconcile.ForApply))
	if n := l.seam.Count() - before; n < int64(len(report.Outcomes)) {
		t.Errorf("%d writes through the seam for\n%s", n, outcomes(report))
	}
	l.converged(changed)
	if report, err := l.tryDestroy("lab", l.prefetched(reconcile.ForDestroy)); err != nil {
		t.Errorf("destroy: %v\n%s", err, outcomes(report))
	}
}

// A prefetch for a run that has the lock makes nothing, reads nothing while another has the lock, and keeps others
// out until the run is over.
func TestPrefetchLocked(t *testing.T) {
	l := newLab(t)
	if err := host.Run("rm", "-rf", runDir); err != nil {
		t.Fatal(err)
	}
	if read := l.startPrefetch(reconcile.ForApply).Wait().Read(); len(read) > 0 {
		t.Errorf("a prefetch reads though there is no lock: %v", read)
	}
	if made, _ := filepath.Glob(runDir + "*"); len(made) > 0 {
		t.Errorf("a prefetch made %v", made)
	}
	topo := l.load(twoHosts)
	unlocked := l.prefetched(reconcile.ForDiff)
	l.apply(topo)
	if report := l.apply(topo, unlocked); len(report.Outcomes) > 0 {
		t.Errorf("what was read before another run was taken:\n%s", outcomes(report))
	}
	hasty := func(o *reconcile.Options) { o.LockTimeout = time.Millisecond }
	holds := l.prefetched(reconcile.ForApply)
	if read := l.startPrefetch(reconcile.ForApply).Wait().Read(); len(read) > 0 {
		t.Errorf("a prefetch reads while another has the lock: %v", read)
	}
	if _, err := l.tryApply(topo, hasty); err == nil || !strings.Contains(err.Error(), "lock: held by") {
		t.Errorf("apply beside a prefetch: %v, want that the lock is held", err)
	}
	l.apply(topo, holds, hasty)
	l.apply(topo, hasty) // the first has released it
	p := l.startPrefetch(reconcile.ForApply)
	for range 2 {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	}
	l.apply(topo, hasty)
}
