package reconcile_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/plumbnet/plumb/pkg/reconcile"
)

const uplinkBridge = `
name: office
bridges: {br0: {addresses: [192.0.2.2/24], mtu: 1400}}
namespaces:
  isp: {interfaces: {eth0: {bridge: br0, addresses: [192.0.2.1/24]}}}
routes: [{to: default, via: 192.0.2.1}]
`

func guarded(o *reconcile.Options) { o.AllowDisconnect = false }

// refusedFor says that apply of a topology is refused for a reason, that diff says the same, and nothing is written.
func (l *lab) refusedFor(yaml, reason string) {
	l.Helper()
	topo := l.load(yaml)
	before := l.settle()
	_, err := l.tryApply(topo, guarded)
	if !errors.Is(err, reconcile.ErrRefused) || !strings.Contains(err.Error(), reason) {
		l.Errorf("apply: %v, want a refusal for: %s", err, reason)
	}
	if p := l.diff(topo, guarded); !p.Refused() || !strings.Contains(planText(p), reason) {
		l.Errorf("diff does not refuse for: %s\n%s", reason, planText(p))
	}
	l.same("after the refusal", before, l.settle())
}

// TestLockout refuses what takes the host's default route, its uplink or an address of that, until it is allowed.
func TestLockout(t *testing.T) {
	l := newLab(t)
	l.apply(l.load(uplinkBridge), guarded)
	without := func(s string) string { return strings.Replace(uplinkBridge, s, "", 1) }
	l.refusedFor(without("routes: [{to: default, via: 192.0.2.1}]"), "would take the host's default route")
	l.refusedFor(strings.ReplaceAll(uplinkBridge, "192.0.2.2/24", "192.0.2.3/24"), "would take an address of br0, the host's uplink")
	l.refusedFor(strings.ReplaceAll(uplinkBridge, "mtu: 1400", `mac: "02:00:00:00:00:01"`), "would cut br0, the host's uplink")

	h := l.open(guarded)
	_, err := h.Destroy(context.Background(), "office")
	if !errors.Is(err, reconcile.ErrRefused) || !strings.Contains(err.Error(), "--allow-disconnect") {
		t.Errorf("destroy: %v, want a refusal with its remedy", err)
	}
	l.apply(l.load(strings.ReplaceAll(uplinkBridge, "mtu: 1400", "mtu: 1300")), guarded) // harmless
	l.apply(l.load(without("routes: [{to: default, via: 192.0.2.1}]")))                  // allowed by the lab
	l.apply(l.load(uplinkBridge), guarded)
}

// TestLockoutSSH knows the session by what sshd told the process.
func TestLockoutSSH(t *testing.T) {
	l := newLab(t)
	l.apply(l.load(strings.Replace(uplinkBridge, "routes: [{to: default, via: 192.0.2.1}]", "", 1)), guarded)
	t.Setenv("SSH_CONNECTION", "192.0.2.1 50000 192.0.2.2 22")
	l.refusedFor(`{name: office}`, "the current SSH session")
}
