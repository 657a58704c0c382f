package reconcile_test

import (
	"context"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/plumbnet/plumb/pkg/battery/host"
	"github.com/plumbnet/plumb/pkg/plan"
	"github.com/plumbnet/plumb/pkg/reconcile"
	"github.com/plumbnet/plumb/pkg/topology"
)

// begin begins a session that has applied a topology.
func (l *lab) begin(topo *topology.Topology) *reconcile.Session {
	l.Helper()
	l.names = append(l.names, topo.Name)
	s := l.open().Begin()
	l.Cleanup(s.Close)
	if r, err := s.Change(context.Background(), topo, nil); err != nil {
		l.Fatalf("change to %s: %v\n%s", topo.Name, err, outcomes(r))
	}
	return s
}

// touchedIn lists the sections of which two snapshots differ, as a watcher would have heard of them.
func touchedIn(was, is string) reconcile.Touched {
	touched := make(reconcile.Touched)
	lines := func(text string) map[string]bool {
		set := make(map[string]bool)
		for line := range strings.Lines(text) {
			set[line] = true
		}
		return set
	}
	note := func(these, those map[string]bool) {
		for line := range these {
			if !those[line] {
				section, _, _ := strings.Cut(line, ":")
				touched[strings.TrimPrefix(section, "host")] = true
			}
		}
	}
	note(lines(was), lines(is))
	note(lines(is), lines(was))
	return touched
}

// TestSessionHeals holds that a session heals each drift, when it reads no more than what the drift has touched, and
// that nothing is left then, however much is read.
func TestSessionHeals(t *testing.T) {
	if host.InParts(t) {
		return
	}
	l := newLab(t)
	topo := l.load(drifting)
	s := l.begin(topo)
	before := l.settle()
	for i, d := range host.Share(t, slices.Concat(linkDrifts, addressDrifts, routeDrifts, otherDrifts)) {
		ok := t.Run(d.name, func(t *testing.T) {
			sub := *l
			sub.TB = t
			sub.healed(s, d, before, i%2 == 0)
		})
		if !ok { // begin anew for those that follow
			_, _ = l.tryDestroy(topo.Name)
			s.Close()
			s = l.begin(topo)
			before = l.settle()
		}
	}
}

// healed makes a change, and has the session heal it, with a look before that or without.
func (l *lab) healed(s *reconcile.Session, d drift, before string, look bool) {
	l.Helper()
	ctx := context.Background()
	l.drift(d)
	writes, drifted := l.seam.Count(), l.rest()
	touched := touchedIn(before, drifted)
	if look {
		p, err := s.Look(ctx, touched)
		if err != nil || len(p.Steps) == 0 {
			l.Errorf("the look finds %q, %v", planText(p), err)
		}
		if n := l.seam.Count() - writes; n != 0 {
			l.Errorf("the look made %d writes", n)
		}
		touched = reconcile.Touched{}
	}
	r, err := s.Heal(ctx, touched, nil)
	if err != nil || len(r.Outcomes) == 0 && !d.passes {
		l.Errorf("the heal of %v: %v\n%s", touched, err, outcomes(r))
	}
	l.restored("after the change was healed", before)
	for _, touched := range []reconcile.Touched{{}, nil} {
		if r, err := s.Heal(ctx, touched, nil); err != nil || len(r.Plan.Steps) > 0 {
			l.Errorf("after the heal of what it touched, a pass that reads %v: %v\n%s", touched, err, planText(r.Plan))
		}
	}
}

const inTwo = `
name: two
bridges: {br0: {addresses: [192.168.30.1/24]}}
namespaces:
  a: {interfaces: {eth0: {bridge: br0, addresses: [192.168.30.2/24]}, eth1: {peer: b/eth1, addresses: [10.3.0.1/30]}}}
  b: {interfaces: {eth1: {addresses: [10.3.0.2/30]}}}
`

// TestSessionOfNamespaces holds that a session learns by itself that a namespace is gone, or is another.
func TestSessionOfNamespaces(t *testing.T) {
	l := newLab(t)
	s := l.begin(l.load(inTwo))
	before := l.settle()
	for _, script := range []string{"ip netns del a", "ip netns del a\nip netns add a", "ip netns del a\nip netns del b"} {
		l.script(script)
		r, err := s.Heal(context.Background(), reconcile.Touched{}, nil)
		if script != "ip netns del a\nip netns add a" {
			if err != nil {
				l.Errorf("after %q: %v\n%s", script, err, outcomes(r))
			}
			l.restored("after "+script, before)
			continue
		}
		refused := r.Plan.Refused() && len(r.Outcomes) == 0
		if !refused || err != nil {
			l.Errorf("a namespace of somebody else's in the place of ours: %v\n%s%s", err, planText(r.Plan), outcomes(r))
		}
		l.script("ip netns del a")
		if r, err := s.Heal(context.Background(), nil, nil); err != nil {
			l.Errorf("when it is gone: %v\n%s", err, outcomes(r))
		}
		l.restored("after that", before)
	}
}

// TestSessionHoldsNothing holds that between passes no descriptor stays open for each namespace: they go when somebody
// deletes them, and so do their cables.
func TestSessionHoldsNothing(t *testing.T) {
	l := newLab(t)
	was := descriptors(t)
	s := l.begin(l.load(inTwo))
	if _, err := s.Heal(context.Background(), nil, nil); err != nil {
		t.Error(err)
	}
	const ofHost = 2 // its namespace and its socket
	if n := descriptors(t) - was; n > ofHost+1 {
		t.Errorf("the session holds %d descriptors", n)
	}
	l.script("ip netns del a\nip netns del b")
	eventually(t, "let go of the cables of deleted namespaces", func() bool {
		return l.sh("ip", "-br", "link", "show", "type", "veth") == ""
	})
	s.Close()
	if n := descriptors(t) - was; n > 0 {
		t.Errorf("%d descriptors are left of the session", n)
	}
}

func descriptors(t *testing.T) int {
	t.Helper()
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(list)
}

// TestSessionLeavesAlone holds that what a heal is told to leave alone stays, with what needs it, and the rest is healed.
func TestSessionLeavesAlone(t *testing.T) {
	l := newLab(t)
	s := l.begin(l.load(inTwo))
	before := l.settle()
	l.script("ip -n b link del eth1\nip link set br0 mtu 1400")
	cable := func(k plan.Key) bool { return k.Kind == "link" && k.Name == "eth1" }
	r, err := s.Heal(context.Background(), nil, cable)
	if err != nil || len(r.Plan.Steps) <= len(r.Outcomes) || len(r.Outcomes) == 0 {
		t.Errorf("%v\n%s%s", err, planText(r.Plan), outcomes(r))
	}
	for _, o := range r.Outcomes {
		if o.Result != plan.Done || strings.Contains(o.Step.Key().Label(), "eth1") {
			t.Errorf("%s is %s", o.Step.Key().Label(), o.Result)
		}
	}
	if r, err := s.Heal(context.Background(), reconcile.Touched{}, nil); err != nil {
		t.Errorf("%v\n%s", err, outcomes(r))
	}
	l.restored("after all was healed", before)
}

// TestSessionChanges holds that a change to which there is an objection leaves all as it was, and the session with the
// topology that it had.
func TestSessionChanges(t *testing.T) {
	l := newLab(t)
	s := l.begin(l.load(inTwo))
	before := l.settle()
	other := l.load(strings.ReplaceAll(inTwo, "192.168.30.", "192.168.31."))
	objection := errors.New("no ping")
	saw := ""
	r, err := s.Change(context.Background(), other, func(context.Context) error {
		saw = l.sh("ip", "-br", "address", "show", "br0")
		return objection
	})
	if !errors.Is(err, objection) || !errors.Is(err, reconcile.ErrRolledBack) || !strings.Contains(saw, "192.168.31.1") {
		t.Errorf("%v, with %q there\n%s", err, saw, outcomes(r))
	}
	l.restored("after the objection", before)
	l.script("ip link set br0 mtu 1400")
	if r, err := s.Heal(context.Background(), nil, nil); err != nil || len(r.Outcomes) != 1 {
		t.Errorf("%v\n%s", err, outcomes(r))
	}
	l.restored("after the heal", before)
	if r, err := s.Change(context.Background(), other, nil); err != nil {
		t.Errorf("%v\n%s", err, outcomes(r))
	}
	l.converged(other)
	if _, err := s.Change(context.Background(), l.load("name: another\nbridges: {br9: {}}\n"), nil); !errors.Is(
		err, reconcile.ErrRefused) {
		t.Errorf("a session takes a topology of another name: %v", err)
	}
}

// TestSessionRefusesChange holds that a change that something stands in the way of is not what the session heals to.
func TestSessionRefusesChange(t *testing.T) {
	l := newLab(t)
	s := l.begin(l.load(inTwo))
	before := l.settle()
	other := l.load("name: two\nbridges: {br9: {}}\nnamespaces: {b: {}}\n")
	l.script("ip link add br9 type bridge")
	if _, err := s.Change(context.Background(), other, nil); !errors.Is(err, reconcile.ErrRefused) {
		t.Errorf("in the way of the change: %v", err)
	}
	for _, touched := range []reconcile.Touched{{}, {"": true}, nil} {
		r, err := s.Heal(context.Background(), touched, nil)
		if err != nil || len(r.Plan.Steps) > 0 {
			t.Errorf("a pass that reads %v after it: %v\n%s", touched, err, planText(r.Plan))
		}
	}
	l.script("ip link del br9")
	l.restored("after the refusal", before)
}

// TestSessionBesideOthers holds that a session sees what other runs have written into the host record meanwhile.
func TestSessionBesideOthers(t *testing.T) {
	l := newLab(t)
	s := l.begin(l.load("name: mine\nsysctls: {net.ipv4.ip_forward: 1}\nbridges: {br0: {addresses: [192.168.30.1/24]}}\n"))
	l.apply(l.load("name: other\nsysctls: {net.ipv4.ip_forward: 1}\nbridges: {br1: {}}\n"))
	if r, err := s.Heal(context.Background(), reconcile.Touched{}, nil); err != nil || len(r.Plan.Steps) > 0 {
		t.Errorf("%v\n%s", err, planText(r.Plan))
	}
	l.script("ip link set br0 mtu 1400")
	if r, err := s.Heal(context.Background(), reconcile.Touched{"": true}, nil); err != nil || len(r.Outcomes) != 1 {
		t.Errorf("%v\n%s", err, outcomes(r))
	}
	l.destroy("other")
	l.wants("after the other topology went", "ipv4/ip_forward", "1")
}
