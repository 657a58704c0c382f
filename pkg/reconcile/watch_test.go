package reconcile_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/plumbnet/plumb/pkg/agent"
	"github.com/plumbnet/plumb/pkg/battery"
	"github.com/plumbnet/plumb/pkg/battery/host"
	"github.com/plumbnet/plumb/pkg/reconcile"
	"github.com/plumbnet/plumb/pkg/topology"
	"github.com/plumbnet/plumb/pkg/watch"
)

// keeper is a loop that keeps a topology, and what it has told.
type keeper struct {
	end func()

	mu   sync.Mutex
	told []agent.Event
}

// keep has a loop keep a topology until end is called.
func (l *lab) keep(topo *topology.Topology, dryRun bool) *keeper {
	l.Helper()
	if !slices.Contains(l.names, topo.Name) {
		l.names = append(l.names, topo.Name)
	}
	w, err := watch.Start(watch.Options{})
	if err != nil {
		l.Fatal(err)
	}
	k, inputs := new(keeper), make(chan []agent.Input, 1)
	h := l.open(func(o *reconcile.Options) {
		o.Attached = agent.Attach(w, func(err error) { l.Error(err) })
	})
	inputs <- []agent.Input{{Topology: topo, ReportOnly: dryRun}}
	loop := &agent.Loop{
		Begin: func(bool) agent.Session { return h.Begin() }, Follow: w.Follow,
		Heard: w.Events(), Inputs: inputs, Tell: k.tell,
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { defer close(ended); loop.Run(ctx) }()
	k.end = sync.OnceFunc(func() {
		cancel()
		<-ended
		w.Close()
		l.must(h.Close())
	})
	l.Cleanup(k.end)
	k.waits(l, "take the topology", func(list []agent.Event) bool { return len(list) > 0 || dryRun })
	return k
}

func (k *keeper) tell(e agent.Event) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.told = append(k.told, e)
}

func (k *keeper) events() []agent.Event {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.Clone(k.told)
}

// waits waits until what was told is so.
func (k *keeper) waits(l *lab, what string, so func([]agent.Event) bool) {
	l.Helper()
	const limit = 20 * time.Second
	for begun := time.Now(); !so(k.events()); time.Sleep(5 * time.Millisecond) {
		if time.Since(begun) > limit {
			l.Fatalf("after %v it did not %s; it told\n%s", limit, what, k)
		}
	}
}

func (k *keeper) String() string {
	var b strings.Builder
	for _, e := range k.events() {
		fmt.Fprintf(&b, "%s %v %v\n", e.What, e.By, e.Err)
		for _, o := range e.Outcomes {
			fmt.Fprintf(&b, "  %s: %s\n", o.Result, battery.StepText(o.Step))
		}
	}
	return b.String()
}

// heals waits until the host is as it was. Of a change in several steps, a pass can come in the midst and fail.
func (k *keeper) heals(l *lab, change, before string) {
	l.Helper()
	when, steps := "after "+change, strings.Count(strings.TrimSpace(change), "\n")
	const limit = 20 * time.Second
	begun := time.Now()
	for l.look(true).Text != before && time.Since(begun) < limit {
		time.Sleep(5 * time.Millisecond)
	}
	l.restored(when, before)
	for _, e := range k.events() {
		if e.What != agent.Applied && e.What != agent.Healed && (e.What != agent.Failed || steps == 0) {
			l.Errorf("%s it told of what is %s", when, e.What)
		}
	}
	if l.Failed() {
		l.Logf("it told\n%s", k)
	}
}

// TestWatchHeals holds that each drift is heard of and healed.
func TestWatchHeals(t *testing.T) {
	if host.InParts(t) {
		return
	}
	l := newLab(t)
	topo := l.load(drifting)
	l.apply(topo)
	before := l.settle()
	for _, d := range host.Share(t, slices.Concat(linkDrifts, addressDrifts, routeDrifts, otherDrifts)) {
		if d.name == "lo down for good" {
			continue // when lo is healed in the midst, what is left is an address taken off lo, which plumb does not see
		}
		t.Run(d.name, func(t *testing.T) {
			sub := *l
			sub.TB = t
			k := sub.keep(topo, false) // one for each: it heals again later what it has healed
			defer k.end()
			for line := range strings.Lines(d.do) {
				if line = strings.TrimSpace(line); line != "rest" {
					_ = host.Run("sh", "-c", line) // it may have been healed in the midst
				}
			}
			k.heals(&sub, d.do, before)
		})
	}
}

// TestWatchBetweenNamespaces holds that a change is heard of in namespaces that no cable joins with the host's.
func TestWatchBetweenNamespaces(t *testing.T) {
	l := newLab(t)
	topo := l.load(`
name: two
namespaces:
  a: {interfaces: {eth1: {peer: b/eth1, addresses: [10.3.0.1/30]}}}
  b: {interfaces: {eth1: {addresses: [10.3.0.2/30]}}}
`)
	k := l.keep(topo, false)
	before := l.settle()
	for _, line := range []string{
		"ip -n a link set eth1 down", "ip -n b address del 10.3.0.2/30 dev eth1", "ip -n b link set eth1 mtu 1400",
		"ip netns del a",
	} {
		l.script(line)
		k.heals(l, line, before)
		k.end()
		k = l.keep(topo, false)
	}
}

// TestWatchDryRun holds that drift is only reported where that is asked for.
func TestWatchDryRun(t *testing.T) {
	l := newLab(t)
	topo := l.load("name: dry\nbridges: {br0: {addresses: [192.168.30.1/24]}}\n")
	l.apply(topo)
	k := l.keep(topo, true)
	writes := l.seam.Count()
	l.script("ip link set br0 mtu 1400")
	k.waits(l, "see the drift", func(list []agent.Event) bool {
		return len(list) == 1 && list[0].What == agent.Drifted && len(list[0].Outcomes) == 1
	})
	l.script("ip link set br0 mtu 1500")
	k.waits(l, "see that it is over", func(list []agent.Event) bool { return len(list) == 2 && list[1].What == agent.InSync })
	if n := l.seam.Count() - writes; n > 0 {
		t.Errorf("it made %d writes", n)
	}
}

// TestWatchCommand follows a file through edits with the program itself: a good one, a bad one, and one that the kernel
// refuses; and ends at a signal with all as it is.
func TestWatchCommand(t *testing.T) {
	l := newLab(t)
	path := filepath.Join(t.TempDir(), "lab.yaml")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	const good = "name: lab\nbridges: {br0: {addresses: [192.168.30.1/24]}}\n"
	write(good)
	l.names = append(l.names, "lab")
	out := new(lockedBuffer)
	cmd := exec.Command(plumb(t), "watch", "-f", path)
	cmd.Stdout, cmd.Stderr = out, out
	l.must(cmd.Start())
	waited := sync.OnceValue(cmd.Wait)
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = waited() })
	says := func(text string) {
		t.Helper()
		eventually(t, "say "+text, func() bool { return strings.Contains(out.String(), text) })
		out.Reset()
	}
	says("+ address br0 192.168.30.1/24")
	l.script("ip link set br0 mtu 1400")
	says("~ link br0  mtu 1400 -> 1500; healed in")
	l.script("sysctl -qw net.ipv4.conf.br0.forwarding=1")
	says("healed in")
	write(strings.ReplaceAll(good, "30.1", "31.1"))
	says("- address br0 192.168.30.1/24")
	write(good + "oops: 1\n")
	says("what was there before is kept")
	l.script("ip link add gone type bridge")
	write(good + "interfaces: {gone: {vxlan: {id: 1, remote: 192.0.2.1}}}\n")
	says("! link gone")
	if !strings.Contains(l.sh("ip", "-br", "address", "show", "br0"), "192.168.31.1/24") {
		t.Error("an edit that was refused has changed something")
	}
	l.script("ip link set br0 mtu 1400")
	says("~ link br0  mtu 1400 -> 1500; healed in")
	l.script("ip link del gone")
	says("+ link gone")
	l.must(cmd.Process.Signal(syscall.SIGHUP))
	l.must(cmd.Process.Signal(syscall.SIGTERM))
	if err := waited(); err != nil {
		t.Errorf("it ends with %v: %s", err, out)
	}
	if !strings.Contains(l.sh("ip", "-br", "address", "show", "br0"), "192.168.30.1/24") {
		t.Error("its end has changed something")
	}
}

// TestWatchRival holds that a manager of links that changes something back again and again is named, with the lines
// that have it leave the link alone.
func TestWatchRival(t *testing.T) {
	l, bin := newLab(t), plumb(t)
	l.names = append(l.names, "lab")
	out := new(lockedBuffer)
	cmd := exec.Command(bin, "watch", "-f", topologyFile(t, "name: lab\nbridges: {br0: {}}\n"))
	cmd.Stdout, cmd.Stderr = out, out
	rival := exec.Command(filepath.Join(t.TempDir(), "systemd-networkd"), "-c",
		"while :; do echo 1 > /proc/sys/net/ipv4/conf/br0/forwarding; sleep 0.1; done")
	l.sh("cp", "/bin/sh", rival.Path)
	for _, c := range []*exec.Cmd{cmd, rival} {
		l.must(c.Start())
		defer func() { _ = c.Process.Kill(); _ = c.Wait() }()
		eventually(t, "apply", func() bool { return strings.Contains(out.String(), "applied in") })
	}
	for _, text := range []string{
		"(systemd-network), is changed back again and again",
		"lab: systemd-networkd leaves br0 alone with the lines [Match], Name=br0",
	} {
		eventually(t, "say "+text, func() bool { return strings.Contains(out.String(), text) })
	}
}

// lockedBuffer can be read while a command writes it.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// Reset forgets what was written.
func (b *lockedBuffer) Reset() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.b.Reset()
}

// TestWatchAttached holds that what somebody changes in a namespace of others is healed at once, that one who has gone is
// waited for, and that the next one is wired.
func TestWatchAttached(t *testing.T) {
	l := newLab(t)
	web := filepath.Join(t.TempDir(), "web")
	topo := l.load(fmt.Sprintf(`
name: lab
bridges: {br0: {addresses: [192.168.30.1/24]}}
namespaces:
  web: {attach: "path:%s", interfaces: {eth0: {bridge: br0, addresses: [192.168.30.2/24]}}}
`, web))
	begin := func() (pid int, end func()) {
		cmd := exec.Command("unshare", "--net", "sh", "-c", "echo; read x")
		in, err := cmd.StdinPipe()
		l.must(err)
		out, err := cmd.StdoutPipe()
		l.must(err)
		l.must(cmd.Start())
		_, err = out.Read(make([]byte, 1))
		l.must(err)
		l.must(os.WriteFile(web, nil, 0o600))
		l.script(fmt.Sprintf("mount --bind /proc/%d/ns/net %s", cmd.Process.Pid, web))
		return cmd.Process.Pid, sync.OnceFunc(func() {
			l.must(in.Close())
			_ = cmd.Wait() // read has found the end of its input
			l.script("umount --lazy " + web)
			l.must(os.Remove(web))
		})
	}
	pid, end := begin()
	defer func() { end() }()
	inside := func(command string) string {
		return fmt.Sprintf("nsenter --net=/proc/%d/ns/net %s", pid, command)
	}
	wired := func() bool {
		return host.Run("sh", "-c", inside("ip address show dev eth0 | grep -q 192.168.30.2/24")) == nil
	}
	k := l.keep(topo, false)
	for _, command := range []string{
		"ip address flush dev eth0", "ip link set eth0 down", "ip link del eth0", "sysctl -qw net.ipv4.conf.eth0.forwarding=1",
	} {
		l.must(host.Run("sh", "-c", inside(command)))
		k.waits(l, "heal "+command, func([]agent.Event) bool {
			p, err := l.open().Diff(context.Background(), topo)
			return err == nil && len(p.Steps) == 0
		})
	}
	before := len(k.events())
	end()
	k.waits(l, "tell that it is away", func(told []agent.Event) bool {
		return slices.ContainsFunc(told[before:], func(e agent.Event) bool { return errors.Is(e.Err, reconcile.ErrAway) })
	})
	pid, end = begin()
	k.waits(l, "wire the next one", func([]agent.Event) bool { return wired() })
}
