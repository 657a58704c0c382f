package reconcile_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/plumbnet/plumb/pkg/battery/host"
	"github.com/plumbnet/plumb/pkg/kernel"
	"github.com/plumbnet/plumb/pkg/reconcile"
)

// The faults that TestFaults found, each by itself.

// onField gives a journey by its name to a test.
func onField(t *testing.T, name string) *field {
	t.Helper()
	all := journeys(t)
	i := slices.IndexFunc(all, func(j journey) bool { return j.name == name })
	return (&faultRun{Writes: make(map[string]bool), Meddled: make(map[string]int)}).field(t, all[i])
}

// number is that of the first write of the journey that begins so.
func (d *field) number(what string) int64 {
	d.Helper()
	i := slices.IndexFunc(d.writes, func(w string) bool { return strings.HasPrefix(w, what) })
	if i < 0 {
		d.Fatalf("no write begins with %q: %q", what, d.writes)
	}
	return int64(i + 1)
}

// What stands at the name of ours by now, and is another's, is neither changed nor deleted, nor is ours plugged into
// it.
func TestSwapped(t *testing.T) {
	const (
		bridge    = "ip link del br0\nip link add br0 type bridge && ip link set br0 alias meddler"
		namespace = "ip netns del ns1\nip netns add ns1 && ip -n ns1 link set lo alias meddler"
	)
	if host.InParts(t) {
		return
	}
	for _, test := range host.Share(t, []struct{ name, journey, at, script string }{
		{"between its creation and its stamp", "docker0-dual made", "set up link br0", bridge},
		{"a refusal in the second round", "docker0-dual made", "write table", bridge},
		{"no port of ours on it", "docker0-dual changed", "change link br0", bridge},
		{"no port of ours on it, back", "docker0-dual changed back", "change link br0.1", bridge},
		{"deleted by name", "docker0-dual destroyed", "delete ", bridge},
		{"a namespace like a crash's leftover", "docker0-dual made", "create namespace", namespace},
		{"a namespace in the second round", "docker0-dual made", "write table", namespace},
		{"a namespace deleted by name", "docker0-dual destroyed", "unmount", namespace},
		{"the record's directory gone", "docker0-dual changed", "create namespace", "rm -rf /run/plumb"},
	}) {
		t.Run(test.name, func(t *testing.T) {
			d := onField(t, test.journey)
			d.meddle(test.script, d.number(test.at))
		})
	}
}

// A rollback takes a namespace away, and dies between unmounting and removing its file: it must have been written down.
func TestKilledInRollbackLeavesFile(t *testing.T) {
	d := onField(t, "docker0-dual made")
	back := slices.Index(d.wayBack(), "remove /run/netns/ns1")
	o, last := d.order(), int64(len(d.writes))
	o.Fail, o.Die = last, last+int64(back)+1
	d.sacrifice(o)
	d.arrived(d.to, d.after)
}

// A rollback puts a sysctl back that the failed run had given up, and dies: its original must not be forgotten.
func TestKilledInRollbackKeepsOriginals(t *testing.T) {
	d := onField(t, "docker0-dual changed")
	o, last := d.order(), int64(len(d.writes))
	o.Fail, o.Die, o.After = last, last+int64(len(d.wayBack())), true
	d.sacrifice(o)
	d.gone()
}

// A run is to change the value of a sysctl, and dies before: the value is still that which plumb wrote earlier.
func TestKilledBeforeSysctl(t *testing.T) {
	d := onField(t, "guest changed")
	o := d.order()
	o.Die = d.number("write net/ipv4/conf/fv0/rp_filter")
	d.sacrifice(o)
	d.gone()
}

// A port that a bridge had blocked while it ran STP is set forwarding, unless the bridge is to run STP again.
func TestPortBlockedByOldSTP(t *testing.T) {
	l := newLab(t)
	yaml := l.example("docker0-dual.yaml")
	l.apply(l.load(yaml))
	l.sh("ip", "link", "set", "br0", "type", "bridge", "stp_state", "1")
	l.sh("ip", "link", "set", "br0", "type", "bridge", "stp_state", "0") // its port is listening now
	l.apply(l.load(strings.ReplaceAll(yaml, "stp: false", "stp: true")))
	l.destroy("docker0-dual")
}

// A destroy goes on without a record, and says no more than that is left.
func TestDestroyWithoutRecord(t *testing.T) {
	d := onField(t, "namespaced-nat destroyed")
	_, err := d.travel(&kernel.Seam{Around: func(w kernel.Write, write func() error) error {
		if w.What == "write host record" {
			return unix.ENOSPC
		}
		return write()
	}})
	if !errors.Is(err, reconcile.ErrPartial) || !errors.Is(err, unix.ENOSPC) {
		t.Errorf("the error is %v, want ErrPartial because of the record", err)
	}
	d.restored("after a destroy that could not write the record", d.empty)
	d.gone()
}

// An error lists all that is left, however much that is.
func TestLeftIsComplete(t *testing.T) {
	d := onField(t, "namespaced-nat destroyed")
	_, err := d.travel(&kernel.Seam{Around: func(w kernel.Write, write func() error) error {
		if strings.HasPrefix(w.What, "delete") || strings.HasPrefix(w.What, "mark") || strings.HasPrefix(w.What, "unmount") {
			return unix.EBUSY
		}
		return write()
	}})
	if err == nil {
		t.Fatal("all deletions failed, and destroy succeeded")
	}
	for _, ns := range []string{"home", "laptop", "phone", "internet"} {
		if !strings.Contains(err.Error(), "delete namespace "+ns) {
			t.Errorf("namespace %s is not told to be left: %v", ns, err)
		}
	}
	d.gone()
}
