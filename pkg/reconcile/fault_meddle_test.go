package reconcile_test

import (
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/plumbnet/plumb/pkg/battery/host"
	"github.com/plumbnet/plumb/pkg/kernel"
	"github.com/plumbnet/plumb/pkg/reconcile"
)

// meddles are what somebody else does to docker0-dual while plumb is at work. What they make is known by its alias.
// Those that only do something before a certain write are tried there beside the sample.
var meddles = []struct{ name, script, before string }{
	{name: "the bridge renamed", script: "ip link set br0 name zz0"},
	{name: "the bridge deleted", script: "ip link del br0"},
	{name: "the bridge down", script: "ip link set br0 down"},
	{name: "its addresses flushed", script: "ip address flush dev br0"},
	{name: "the cable deleted", script: "ip link del br0.1"},
	{name: "the cable moved away", script: "ip link set br0.1 netns foreign1"},
	{name: "the cable unplugged", script: "ip link set br0.1 nomaster"},
	{name: "the namespace deleted", script: "ip netns del ns1"},
	{name: "the namespace flushed", script: "ip -n ns1 address flush dev eth0\nip -n ns1 route flush proto 112"},
	{name: "the far end renamed", script: "ip -n ns1 link set eth0 name zz0"},
	{name: "the namespace's lo down", script: "ip -n ns1 link set lo down"},
	{name: "the table deleted", script: "nft delete table inet plumb-docker0-dual"},
	{name: "rules of another", script: "nft add table ip meddler\nnft delete table ip meddler"},
	{name: "forwarding switched off", script: "sysctl -qw net.ipv4.ip_forward=0"},
	{name: "the bridge's name taken", script: "ip link add br0 type bridge && ip link set br0 alias meddler",
		before: "create link br0"},
	{name: "the bridge swapped", script: "ip link del br0\nip link add br0 type bridge && ip link set br0 alias meddler"},
	{name: "the namespace's name taken", script: "ip netns add ns1 && ip -n ns1 link set lo alias meddler",
		before: "create namespace"},
	{name: "the namespace swapped", script: "ip netns del ns1\nip netns add ns1 && ip -n ns1 link set lo alias meddler",
		before: "mount /run/netns/ns1"},
	{name: "the record deleted", script: "rm -rf /run/plumb"},
}

// leave takes away what a meddler made.
const leave = `
ip link show br0 | grep -q 'alias meddler' && ip link del br0
ip -n ns1 link show lo | grep -q 'alias meddler' && ip netns del ns1
true`

// meddling changes things at a write of the run. It ends well, or all is as before; nothing of others is touched.
func (f *faultRun) meddling(t *testing.T) {
	for _, j := range host.Share(t, journeys(t)) {
		if !strings.HasPrefix(j.name, "docker0-dual ") {
			continue
		}
		t.Run(j.name, func(t *testing.T) {
			d := f.field(t, j)
			for _, m := range meddles {
				picked := f.pick(t.Name()+m.name, len(d.writes), some(false, 4))
				i := slices.IndexFunc(d.writes,
					func(what string) bool { return m.before != "" && strings.HasPrefix(what, m.before) })
				if k := int64(i + 1); k > 0 && !slices.Contains(picked, k) {
					picked = append(picked, k)
				}
				for _, k := range picked {
					d.disturb("meddling: "+m.name, fmt.Sprintf("%s at write %d", m.name, k), func() { d.meddle(m.script, k) })
				}
			}
		})
	}
}

// afterNamespace is that the kernel has cleaned up a deleted namespace, as far as it takes an end of a cable with that
// which somebody has moved away.
var afterNamespace = drift{until: "[ -e /run/netns/ns1 ] || ! ip -n foreign1 link show br0.1"}

// meddledAll says that each meddle did change something, at times.
func (f *faultRun) meddledAll(t *testing.T) {
	t.Helper()
	for _, m := range meddles {
		t.Logf("%s: %d times", m.name, f.Meddled[m.script])
		if f.Meddled[m.script] == 0 {
			t.Errorf("%s: nothing was there to change each time", m.name)
		}
	}
}

// meddle runs a script at the k-th write, before it is made. Parts of it fail where what they change is not there.
func (d *field) meddle(script string, k int64) {
	d.Helper()
	d.Logf("at %q", d.writes[k-1])
	theirs := ""
	report, err := d.travel(at(k, func(_ kernel.Write, write func() error) error {
		// The thread may be inside a namespace that is being made.
		did := false
		_ = host.Inside("", func() error {
			for line := range strings.Lines(script) {
				did = exec.Command("sh", "-c", line).Run() == nil || did
			}
			return nil
		})
		if did {
			d.run.Meddled[script]++
		}
		theirs = d.meddlers()
		return write()
	}))
	if now := d.meddlers(); now != theirs {
		d.Errorf("the meddler's was touched: it was %s\nand is %s", theirs, now)
	}
	if out, err := exec.Command("sh", "-c", leave).CombinedOutput(); err != nil {
		d.Fatalf("%v: %s", err, out)
	}
	afterNamespace.wait(d.lab)
	switch {
	case err == nil && d.to == nil:
		d.restored("after destroy", d.empty)
	case err == nil && int(k) < len(d.writes) && !onlyWarns(d.writes[k-1]):
		d.inSync(d.to.Topology)
	case err == nil: // after the last look at the host
	case errors.Is(err, reconcile.ErrRolledBack), errors.Is(err, reconcile.ErrRefused),
		errors.Is(err, reconcile.ErrNotRun):
		d.restored("after the rollback of: "+err.Error(), d.before)
	case errors.Is(err, reconcile.ErrRollback), d.to == nil && errors.Is(err, reconcile.ErrPartial):
		if !strings.Contains(err.Error(), "left: ") {
			d.Errorf("the error does not say what is left: %v", err)
		}
	default:
		d.Errorf("%v\n%s", err, outcomes(report))
	}
	d.Logf("it ended: %v", err)
	if d.to == nil {
		d.gone()
		return
	}
	d.arrived(d.to, d.after)
}

// meddlers tells what there is of the meddler's.
func (d *field) meddlers() string {
	var out []byte
	_ = host.Inside("", func() error { // an error when there is nothing
		out, _ = exec.Command("sh", "-c",
			"ip link show | grep -B2 'alias meddler'; ip -n ns1 link show lo | grep -B2 'alias meddler'").Output()
		return nil
	})
	return string(out)
}
