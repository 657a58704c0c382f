package reconcile_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/plumbnet/plumb/pkg/battery"
	"github.com/plumbnet/plumb/pkg/battery/host"
	"github.com/plumbnet/plumb/pkg/kernel"
	"github.com/plumbnet/plumb/pkg/object"
	"github.com/plumbnet/plumb/pkg/plan"
	"github.com/plumbnet/plumb/pkg/reconcile"
)

// refused says that an error tells of a refusal, and why.
func refused(t testing.TB, err error, why string) {
	t.Helper()
	if !errors.Is(err, reconcile.ErrRefused) || !strings.Contains(err.Error(), why) {
		t.Errorf("the error is %v, want one of ErrRefused that says %q", err, why)
	}
}

func adopt(o *reconcile.Options) { o.Adopt = true }

func plainFile(t *testing.T) {
	t.Helper()
	if err := errors.Join(os.MkdirAll(host.NetnsDir, 0o755),
		os.WriteFile(filepath.Join(host.NetnsDir, "ns1"), nil, 0o444)); err != nil {
		t.Fatal(err)
	}
}

// refusing is something on the host that a topology has to be refused for.
type refusing struct {
	name  string
	make  func(*testing.T, *lab)
	clear string
	key   plan.Key
	why   string
	final bool // not even --adopt takes it over
}

func refusals() []refusing {
	group, other := fmt.Sprint(object.Group("docker0")), fmt.Sprint(object.Group("other"))
	const unstamped = "already exists and was not made by plumb: rename it, remove it, or use --adopt"
	return []refusing{
		{name: "a bridge without a stamp", make: commands("ip link add br0 type bridge"), clear: "ip link del br0",
			key: object.LinkKey("", "br0"), why: unstamped},
		{name: "a link of another type", make: commands("ip link add br0 type veth peer name brx"), clear: "ip link del br0",
			key: object.LinkKey("", "br0"), why: unstamped, final: true},
		{name: "the end of a cable", make: commands("ip link add br0.1 type veth peer name brx"), clear: "ip link del br0.1",
			key: object.LinkKey("", "br0.1"), why: unstamped, final: true},
		{name: "another topology's stamp",
			make:  commands("ip link add br0 type bridge", "ip link set br0 group "+other+" alias plumb:other//br0"),
			clear: "ip link del br0", key: object.LinkKey("", "br0"), why: "belongs to topology other", final: true},
		{name: "our group and another topology's alias",
			make:  commands("ip link add br0 type bridge", "ip link set br0 group "+group+" alias plumb:other//br0"),
			clear: "ip link del br0", key: object.LinkKey("", "br0"), why: "belongs to topology other", final: true},
		{name: "our group and somebody's alias",
			make:  commands("ip link add br0 type bridge", "ip link set br0 group "+group+" alias mine"),
			clear: "ip link del br0", key: object.LinkKey("", "br0"), why: unstamped},
		{name: "a namespace without a stamp", make: commands("ip netns add ns1"), clear: "ip netns del ns1",
			key: object.NamespaceKey("ns1"), why: unstamped},
		{name: "another topology's namespace",
			make:  commands("ip netns add ns1", "ip -n ns1 link set lo group "+other+" alias plumb:other@1"),
			clear: "ip netns del ns1", key: object.NamespaceKey("ns1"), why: "belongs to topology other", final: true},
		{name: "another host's namespace",
			make:  commands("ip netns add ns1", "ip -n ns1 link set lo group "+group+" alias plumb:docker0@1"),
			clear: "ip netns del ns1", key: object.NamespaceKey("ns1"), why: "of another host", final: true},
		{name: "a plain file", make: func(t *testing.T, _ *lab) { plainFile(t) }, clear: "rm " + host.NetnsDir + "/ns1",
			key: object.NamespaceKey("ns1"), why: "is no network namespace: remove it", final: true},
		{name: "a symbolic link", make: commands("ip netns add x", "ln -s x "+host.NetnsDir+"/ns1"),
			clear: "rm " + host.NetnsDir + "/ns1\nip netns del x",
			key:   object.NamespaceKey("ns1"), why: "ns1", final: true},
	}
}

// Whatever stands in the way without being ours is refused and left as it is, by diff as by apply.
func TestRefusals(t *testing.T) {
	for _, test := range refusals() {
		t.Run(test.name, func(t *testing.T) {
			l := newLab(t)
			topo := l.load(l.example("docker0.yaml"))
			test.make(t, l)
			before, count := l.settle(), l.seam.Count()
			refusal(t, l.diff(topo), test.key, test.why)
			report, err := l.tryApply(topo)
			refused(t, err, test.why)
			refusal(t, report.Plan, test.key, test.why)
			if test.final {
				_, err = l.tryApply(topo, adopt)
				refused(t, err, "")
			}
			if n := l.seam.Count() - count; n > 3 { // the directories and the file of the lock
				t.Errorf("%d writes", n)
			}
			l.destroy(topo.Name)
			l.restored("after the refusal and a destroy", before)
			l.script(test.clear)
		})
	}
}

func commands(list ...string) func(*testing.T, *lab) {
	return func(_ *testing.T, l *lab) { l.script(strings.Join(list, "\n")) }
}

// refusal says that a plan refuses a key, and why.
func refusal(t *testing.T, p plan.Plan, k plan.Key, why string) {
	t.Helper()
	for _, s := range p.Steps {
		if s.Action == plan.Refuse && s.Key() == k {
			if !strings.Contains(s.Reason, why) {
				t.Errorf("%s is refused because %q, want %q", k.Label(), s.Reason, why)
			}
			return
		}
	}
	t.Errorf("%s is not refused, but the plan is\n%s", k.Label(), planText(p))
}

// All refusals are told at once.
func TestRefusedAtOnce(t *testing.T) {
	l := newLab(t)
	l.script(`
		ip netns add ns1
		ip link add br0 type bridge
		ip link add br0.1 type veth peer name brx
		nft add table inet plumb-docker0`)
	before := l.settle()
	report, err := l.tryApply(l.load(l.example("docker0.yaml")))
	refused(t, err, "not made by plumb")
	for _, k := range []plan.Key{object.NamespaceKey("ns1"), object.LinkKey("", "br0"), object.LinkKey("", "br0.1")} {
		refusal(t, report.Plan, k, "not made by plumb")
	}
	l.restored("after the refusal", before)
	l.script(`
		ip netns del ns1
		ip link del br0
		ip link del br0.1
		nft delete table inet plumb-docker0`)
}

func TestAdopt(t *testing.T) {
	for _, test := range []struct {
		name, make string
		key        plan.Key
	}{
		{"a bridge", "ip link add br0 mtu 1400 type bridge stp_state 1\nip address add 10.9.9.9/24 dev br0",
			object.LinkKey("", "br0")},
		{"a namespace", "ip netns add ns1\nip -n ns1 address add 10.9.9.9/24 dev lo\n" +
			"ip netns exec ns1 sysctl -qw net.ipv4.ip_forward=1", object.NamespaceKey("ns1")},
	} {
		t.Run(test.name, func(t *testing.T) {
			l := newLab(t)
			topo := l.load(l.example("docker0.yaml"))
			l.apply(topo)
			pure := l.settle()
			l.destroy(topo.Name)
			l.script(test.make)
			index := l.indexes()
			_, err := l.tryApply(topo)
			refused(t, err, "--adopt")
			report := l.apply(topo, adopt)
			adopted := false
			for _, s := range report.Plan.Steps {
				adopted = adopted || s.Action == plan.Adopt && s.Key() == test.key
				if s.Action == plan.Replace {
					t.Errorf("replaced: %s", battery.StepText(s))
				}
			}
			if !adopted {
				t.Errorf("the plan does not adopt %s:\n%s", test.key.Label(), planText(report.Plan))
			}
			for line := range strings.Lines(index) {
				if !strings.Contains(l.indexes(), line) {
					t.Errorf("re-created: no longer %s", line)
				}
			}
			l.converged(topo)
			l.restored("adopted, not made anew,", pure)
			l.destroy(topo.Name)
		})
	}
}

// Inside `ip netns exec` what is mounted vanishes with the process.
func TestSlaveMount(t *testing.T) {
	l := newLab(t)
	l.foreign()
	bin := plumb(t)
	for _, command := range []string{"apply", "diff"} {
		cmd := exec.Command("ip", "netns", "exec", "foreign1", bin, command, "-f", "../../examples/docker0.yaml")
		out, err := cmd.CombinedOutput()
		if code := cmd.ProcessState.ExitCode(); code != 3 || !strings.Contains(string(out), "nsenter --net=") {
			t.Errorf("plumb %s: exit code %d (%v), want 3 and a way to go on; it says: %s", command, code, err, out)
		}
	}
}

func TestLockHeld(t *testing.T) {
	l := newLab(t)
	topo := l.load(l.example("docker0.yaml"))
	held, release := make(chan struct{}), make(chan struct{})
	first := true
	slow := &kernel.Seam{Around: func(w kernel.Write, write func() error) error {
		if strings.HasPrefix(w.What, "create link") && first {
			first = false
			close(held)
			<-release
		}
		return write()
	}}
	done := make(chan error)
	go func() {
		_, err := l.tryApply(topo, func(o *reconcile.Options) { o.Seam = slow })
		done <- err
	}()
	<-held
	count := l.seam.Count()
	h, err := reconcile.Open(reconcile.Options{LockTimeout: 50 * time.Millisecond, Seam: l.seam})
	if err != nil {
		t.Fatal(err)
	}
	_, err = h.Apply(context.Background(), topo)
	if !errors.Is(err, reconcile.ErrNotRun) ||
		!strings.Contains(err.Error(), fmt.Sprintf("held by process %d", os.Getpid())) {
		t.Errorf("the error is %v, want one of ErrNotRun that names the holder", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err = h.Destroy(ctx, topo.Name); !errors.Is(err, reconcile.ErrNotRun) {
		t.Errorf("interrupted while waiting: %v, want ErrNotRun", err)
	}
	if n := l.seam.Count() - count; n != 0 {
		t.Errorf("%d writes without the lock", n)
	}
	if _, err := h.Diff(context.Background(), topo); err != nil {
		t.Errorf("diff needs no lock, but says: %v", err)
	}
	close(release)
	if err := <-done; err != nil {
		t.Error(err)
	}
	l.converged(topo)
}

// A cable inside a namespace is not taken for the other end of one of the host's that has the same two indexes.
func TestSameIndexes(t *testing.T) {
	l := newLab(t)
	l.script("ip link add pad type bridge") // without it both indexes are the same
	l.fixture(func() { l.script("ip link del pad") })
	topo := l.load("name: x\ninterfaces: {a0: {peer: n2/e0}}\nnamespaces: {n1: {}, n2: {}}\n")
	l.apply(topo)
	docs, err := jsonOf("link show dev a0\n")
	if err != nil {
		t.Fatal(err)
	}
	a0 := docs[0][0]
	l.script(fmt.Sprintf("ip -n n1 link add x0 index %v type veth peer name x1 index %v", a0["link_index"], a0["ifindex"]))
	for range 20 { // sections are looked through in any order
		l.inSync(topo)
	}
}

// STP that is switched off while the topology changes leaves no trace: the kernel would go on to forget addresses fast.
func TestSTPOffInTopologyChange(t *testing.T) {
	l := newLab(t)
	yaml := "name: x\nbridges: {br0: {stp: true}}\nnamespaces: {n1: {interfaces: {eth0: {bridge: br0}}}}\n"
	l.apply(l.load(yaml))
	l.script(`
		ip link set br0 type bridge forward_delay 200
		ip -n n1 link set eth0 down
		ip -n n1 link set eth0 up`) // the port forwards after two delays, and that is the change
	ageing := func() any {
		docs, err := jsonOf("link show dev br0\n", "-d")
		if err != nil {
			t.Fatal(err)
		}
		return docs[0][0]["linkinfo"].(map[string]any)["info_data"].(map[string]any)["ageing_time"]
	}
	before := ageing()
	for deadline := time.Now().Add(20 * time.Second); ageing() == before; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the topology does not change")
		}
	}
	off := l.load(strings.Replace(yaml, "true", "false", 1))
	l.apply(off)
	l.converged(off)
	if now := ageing(); now != before {
		t.Errorf("the ageing time is %v, and was %v", now, before)
	}
}

// What stands on another topology's link is that one's, and brings no warning to those who meet it.
func TestNoWarningOfOthers(t *testing.T) {
	l := newLab(t)
	l.apply(l.load(l.example("docker0-dual.yaml")))
	l.diff(l.load(l.example("docker0.yaml")))
	for _, w := range l.warnings {
		t.Errorf("a warning: %s", w)
	}
}
