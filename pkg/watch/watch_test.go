package watch

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/plumbnet/plumb/pkg/battery/host"
	"github.com/plumbnet/plumb/pkg/kernel"
)

// changes are what somebody types, in a namespace that is named N with a link that is named L, and what is heard of it.
var changes = []struct{ name, command, what string }{
	{"mtu", "ip -n N link set L mtu 1400", "link L"},
	{"down", "ip -n N link set L down", "link L"},
	{"up", "ip -n N link set L up", "link L"},
	{"address", "ip -n N address add 10.9.0.1/24 dev L", "address 10.9.0.1/24 on L"},
	{"IPv6 address", "ip -n N address add fd09::1/64 dev L", "address fd09::1/64"},
	{"route", "ip -n N route add 10.10.0.0/16 via 10.9.0.2", "route 10.10.0.0/16"},
	{"default route", "ip -n N route add default via 10.9.0.2", "route default"},
	{"route in a table", "ip -n N route add 10.11.0.0/16 via 10.9.0.2 table 77", "route 10.11.0.0/16 in table 77"},
	{"IPv6 route", "ip -n N route add default via fd09::2", "IPv6 route default"},
	{"nexthop", "ip -n N nexthop add id 9 via 10.9.0.2 dev L", "nexthop 9"},
	{"nexthop deleted", "ip -n N nexthop del id 9", "nexthop 9 deleted"},
	{"route deleted", "ip -n N route del 10.10.0.0/16", "route 10.10.0.0/16 deleted"},
	{"rule", "ip -n N rule add from 10.12.0.0/16 priority 77 table 77", "rule 77"},
	{"rule deleted", "ip -n N rule del priority 77", "rule 77 deleted"},
	{"IPv6 rule", "ip -n N -6 rule add from fd12::/64 priority 78 table 77", "IPv6 rule 78"},
	{"IPv6 rule deleted", "ip -n N -6 rule del priority 78", "IPv6 rule 78 deleted"},
	{"address deleted", "ip -n N address del 10.9.0.1/24 dev L", "address 10.9.0.1/24 on L deleted"},
	{"nftables", "ip netns exec N nft add table inet t1", "nftables table inet t1"},
	{"nftables emptied", "ip netns exec N nft flush ruleset", "nftables table inet t1"},
	{"sysctl", "ip netns exec N sysctl -qw net.ipv4.conf.L.accept_local=1",
		"sysctl net/ipv4/conf/L/accept_local = 1"},
	{"sysctl that netlink tells", "ip netns exec N sysctl -qw net.ipv4.ip_forward=1",
		"sysctls in net/ipv4/conf of all"},
	{"new link", "ip -n N link add br9 type bridge", "link br9"},
	{"port", "ip -n N link set L master br9", "link L"},
	{"no port", "ip -n N link set L nomaster", "link L as a bridge port"},
	{"link deleted", "ip -n N link del br9", "link br9 deleted"},
	{"altname", "ip -n N link property add dev L altname other", "link L"},
}

// change makes them all, one after the other, and waits for each.
func change(t *testing.T, w *Watcher, section, link string) {
	t.Helper()
	for _, c := range changes {
		command := strings.ReplaceAll(c.command, "L", link)
		if section == "" {
			command = strings.NewReplacer("-n N ", "", "ip netns exec N ", "").Replace(command)
		}
		script(t, strings.ReplaceAll(command, "N", section))
		typed := time.Now()
		e := await(t, w, Event{Section: section, What: strings.ReplaceAll(c.what, "L", link)})
		t.Logf("%-4s %-26s heard %6.2f ms after the command had ended: %s by %q",
			section, c.name, float64(e.At.Sub(typed).Microseconds())/1000, e.What, e.By)
	}
}

// Every kind of change is heard on the host, in a namespace that is cabled to it, and in two that are cabled only to
// each other, which the kernel tells of only when they have a number in the host's.
func TestChanges(t *testing.T) {
	w := start(t, Options{})
	namespaces(t, "n1", "n2", "n3")
	t.Cleanup(func() { _ = host.Run("ip", "link", "del", "v0") })
	script(t, `ip link add v0 type veth peer name v1 netns n1
		ip link set v0 up
		ip -n n1 link set v1 up
		ip -n n2 link add v2 type veth peer name v3 netns n3
		ip -n n2 link set v2 up
		ip -n n3 link set v3 up`)
	t.Cleanup(func() { script(t, "sysctl -qw net.ipv4.ip_forward=0") })
	follow(t, w, "n1", "n2", "n3")
	change(t, w, "", "v0")
	change(t, w, "n1", "v1")
	change(t, w, "n2", "v2")
	change(t, w, "n3", "v3")
}

// VLANs of a bridge's ports are heard of, where the kernel has them.
func TestBridgeVLAN(t *testing.T) {
	w := start(t, Options{})
	namespaces(t, "n1")
	if err := host.Run("ip", "-n", "n1", "link", "add", "br9", "type", "bridge", "vlan_filtering", "1"); err != nil {
		t.Skip(err)
	}
	follow(t, w, "n1")
	script(t, "ip netns exec n1 bridge vlan add dev br9 self vid 9")
	await(t, w, Event{Section: "n1", What: "bridge VLANs"})
}

// What changes in namespaces that are not followed is not told.
func TestOthers(t *testing.T) {
	w := start(t, Options{})
	namespaces(t, "n1", "other")
	script(t, "ip link add v0 type veth peer name v1 netns other")
	await(t, w, Event{What: "link v0"})
	follow(t, w, "other")
	follow(t, w, "n1")
	script(t, `ip -n other link set v1 up
		ip netns exec other nft add table inet t1
		ip netns exec other sysctl -qw net.ipv4.ip_forward=1
		ip netns delete other
		ip -n n1 link set lo up`)
	for {
		switch e := next(t, w); {
		case e.Section == "n1" && e.What == "link lo":
			return
		case e.Section == "other":
			t.Errorf("%+v", e)
		}
	}
}

// A sysctl that is written by a process elsewhere is heard in the namespace that it belongs to.
func TestSysctlFromElsewhere(t *testing.T) {
	w := start(t, Options{})
	namespaces(t, "n1", "n2")
	script(t, `ip link add v0 type veth peer name v1 netns n1
		ip -n n2 link add v1 type bridge`)
	follow(t, w, "n1", "n2")
	// The file is opened in n1 and written in n2, from mounts of their own; and the writer is there to be named.
	const write = `exec 3>/proc/sys/net/ipv4/conf/v1/rp_filter; exec nsenter --net=/run/netns/n2 sh -c 'echo 2 >&3; read x'`
	writer := exec.Command("ip", "netns", "exec", "n1", "sh", "-c", write)
	hold, err := writer.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := writer.Start(); err != nil {
		t.Fatal(err)
	}
	e := await(t, w, Event{Section: "n1", What: "sysctl net/ipv4/conf/v1/rp_filter = 2"})
	if want := fmt.Sprintf("pid %d (sh)", writer.Process.Pid); e.By != want {
		t.Errorf("written by %q, want %q", e.By, want)
	}
	if err := hold.Close(); err != nil {
		t.Fatal(err)
	}
	_ = writer.Wait() // read has found the end of its input
	// By then a write in n2 would have been told of.
	script(t, "ip netns exec n2 sysctl -qw net.ipv4.conf.v1.rp_filter=1")
	for {
		switch e := next(t, w); {
		case e.Section == "n2" && e.What == "sysctl net/ipv4/conf/v1/rp_filter = 1":
			return
		case e.Section == "n2" && strings.HasPrefix(e.What, "sysctl net/ipv4/conf/v1/rp_filter"):
			t.Errorf("%+v", e)
		}
	}
}

// The value of a secret stays one.
func TestSecret(t *testing.T) {
	w := start(t, Options{})
	namespaces(t, "n1")
	follow(t, w, "n1")
	script(t, "ip netns exec n1 sysctl -qw net.ipv6.conf.lo.stable_secret=2001:db8::1")
	e := await(t, w, Event{Section: "n1", What: "sysctl net/ipv6/conf/lo/stable_secret"})
	if strings.Contains(e.What, "=") {
		t.Error(e.What)
	}
}

// Who did it is told where the kernel says so.
func TestWho(t *testing.T) {
	w := start(t, Options{})
	namespaces(t, "n1")
	script(t, "ip -n n1 link set lo up")
	follow(t, w, "n1")
	for _, c := range []struct{ what, name, command string }{
		{"nftables table ip t1", "nft", "exec nft add table ip t1"},
		{"nftables table ip t1", "nft", "exec nft delete table ip t1"},
		{"address 10.0.0.1/32", "", "exec ip address add 10.0.0.1/32 dev lo"},
		{"route 10.1.0.0/16", "", "exec ip route add 10.1.0.0/16 dev lo"},
		{"rule 77", "", "exec ip rule add priority 77 table 77"},
		{"sysctl net/ipv4/ip_default_ttl = 65", "", "exec sysctl -qw net.ipv4.ip_default_ttl=65"},
	} {
		by := exec.Command("ip", "netns", "exec", "n1", "sh", "-c", c.command)
		if out, err := by.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v: %s", c.command, err, out)
		}
		e := await(t, w, Event{Section: "n1", What: c.what})
		// The name is that of a process that may have ended by now.
		want := fmt.Sprintf("pid %d", by.Process.Pid)
		if c.name != "" {
			want += " (" + c.name + ")"
		}
		if e.By != want && !(c.name == "" && strings.HasPrefix(e.By, want+" (")) {
			t.Errorf("%s by %q, want %q", e.What, e.By, want)
		}
	}
	script(t, "ip -n n1 link set lo mtu 1400")
	if e := await(t, w, Event{Section: "n1", What: "link lo"}); e.By != "" {
		t.Errorf("%s by %q, which the kernel does not tell", e.What, e.By)
	}
}

// Names come and go, also for another namespace, and each time the section is to be looked at.
func TestNames(t *testing.T) {
	w := start(t, Options{})
	follow(t, w, "n1") // there is no directory yet, or nothing in it
	for range 3 {
		namespaces(t, "n1")
		await(t, w, Event{Section: "n1", What: "namespace n1"})
		script(t, "ip -n n1 link set lo up")
		await(t, w, Event{Section: "n1", What: "link lo"})
		script(t, "ip netns delete n1")
		await(t, w, Event{Section: "n1", What: "namespace n1 deleted"})
	}
	// A name is taken away, and given to another one at once.
	namespaces(t, "n1")
	await(t, w, Event{Section: "n1", What: "namespace n1"})
	script(t, `ip netns delete n1
		ip netns add n1
		ip -n n1 link set lo up`)
	await(t, w, Event{Section: "n1", What: "namespace n1"})
	script(t, "ip -n n1 link set lo mtu 1400")
	await(t, w, Event{Section: "n1", What: "link lo"})
}

// A name without a namespace that anybody may leave behind is nothing.
func TestNoNamespace(t *testing.T) {
	w := start(t, Options{})
	namespaces(t, "n1")
	path := host.NetnsDir + "/file"
	if err := os.WriteFile(path, nil, 0o444); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Remove(path) })
	follow(t, w, "file", "n1")
	script(t, "ip -n n1 link set lo up")
	await(t, w, Event{Section: "n1", What: "link lo"})
	follow(t, w)
	if err := w.Follow([]string{"n1", "n1", ""}, nil); err != nil {
		t.Fatal(err)
	}
	script(t, "ip -n n1 link set lo mtu 1400")
	await(t, w, Event{Section: "n1", What: "link lo"})
}

// A namespace that somebody has open is followed by another name than its own, which it need not have.
func TestAttached(t *testing.T) {
	w := start(t, Options{})
	lives := exec.Command("unshare", "--net", "sh", "-c", "ip link set lo up; echo; read x; ip link set lo mtu 1400; read x")
	in, err := lives.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := lives.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := lives.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := out.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	var n *kernel.Namespace
	err = kernel.OnThread(func(th kernel.Thread) error {
		f, _, err := kernel.OpenProcess(lives.Process.Pid)
		if err == nil {
			n, err = kernel.Attach(th, "web", f, new(kernel.Seam))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Follow(nil, []string{"web"}); err != nil {
		t.Fatal(err)
	}
	await(t, w, Event{Section: "web", What: "namespace web is followed from now on"})
	for range 2 { // the second is no news
		if err := errors.Join(w.Attach("web", n), w.Attach("other", n)); err != nil {
			t.Fatal(err)
		}
	}
	n.Close()
	await(t, w, Event{Section: "web", What: "namespace web"})
	if _, err := in.Write([]byte("\n")); err != nil {
		t.Fatal(err)
	}
	await(t, w, Event{Section: "web", What: "link lo"})
	script(t, fmt.Sprintf("nsenter --net=/proc/%d/ns/net sysctl -qw net.ipv4.ip_default_ttl=65", lives.Process.Pid))
	await(t, w, Event{Section: "web", What: "sysctl net/ipv4/ip_default_ttl = 65"})
	if err := in.Close(); err != nil {
		t.Fatal(err)
	}
	_ = lives.Wait() // read has found the end of its input
	await(t, w, Event{Section: "web", What: "namespace web deleted"})
}

// The host's namespace may have a number in itself, and then the kernel tells of it by that.
func TestHostHasNumber(t *testing.T) {
	w := start(t, Options{})
	script(t, "ip netns attach self "+fmt.Sprint(os.Getpid()))
	t.Cleanup(func() { script(t, "ip netns delete self") })
	switch err := host.Run("ip", "netns", "set", "self", "auto"); {
	case err == nil:
		await(t, w, Event{What: "the number of the host's namespace"})
	case !strings.Contains(err.Error(), "already"): // since the test ran before: it keeps it
		t.Fatal(err)
	}
	for _, w := range []*Watcher{w, start(t, Options{})} {
		script(t, `ip link set lo mtu 1400
			ip link set lo mtu 1401`)
		await(t, w, Event{What: "link lo"})
		script(t, "nft add table ip t9")
		await(t, w, Event{What: "nftables table ip t9"})
		script(t, "nft delete table ip t9")
		await(t, w, Event{What: "nftables table ip t9"})
	}
}

// What the kernel had no room for may have been anything.
func TestOverrun(t *testing.T) {
	const small = 4 << 10
	w := start(t, Options{RcvBuf: small})
	namespaces(t, "n1")
	follow(t, w, "n1")
	for w.Overruns() == 0 {
		if err := input(addresses(2000), "ip", "-n", "n1", "-batch", "-"); err != nil {
			t.Fatal(err)
		}
	}
	await(t, w, Event{All: true})
	typed := time.Now()
	script(t, "ip -n n1 link set lo mtu 1400") // and it hears again
	for e := next(t, w); e.Section != "n1" || e.What != "link lo" && e.What != "more changes" || e.At.Before(typed); {
		e = next(t, w)
	}
}

// A watched namespace that somebody deletes is gone at once, with its cables.
func TestDeletedDies(t *testing.T) {
	w := start(t, Options{})
	namespaces(t, "n1", "n2")
	script(t, `ip link add v0 type veth peer name v1 netns n1
		ip -n n1 link add v2 type veth peer name v3 netns n2
		ip -n n1 link set v1 up`)
	follow(t, w, "n1", "n2")
	script(t, `ip netns exec n1 sysctl -qw net.ipv4.conf.v1.rp_filter=2
		ip netns exec n1 nft add table inet t1`)
	await(t, w, Event{Section: "n1", What: "nftables"})
	script(t, "ip netns delete n1")
	for left := 2; left > 0; {
		if e := next(t, w); e.Section == "" && e.What == "link v0 deleted" || e.Section == "n2" && e.What == "link v3 deleted" {
			left--
		}
	}
	if err := host.Run("ip", "link", "show", "v0"); err == nil {
		t.Error("the host's end of the cable is still there")
	}
}

// The watcher has as much open as ever after many namespaces have come and gone.
func TestNothingGrows(t *testing.T) {
	before := len(descriptors(t))
	w := start(t, Options{})
	follow(t, w, "n1", "n2")
	t.Cleanup(func() {
		for _, name := range []string{"n1", "n2"} { // those that a failed cycle has left
			_ = host.Run("ip", "netns", "delete", name)
		}
	})
	// Whatever the Go runtime opens for itself is open by then.
	cycle := func() {
		script(t, `ip netns add n1
			ip netns add n2`)
		await(t, w, Event{Section: "n2", What: "namespace n2"})
		script(t, `ip -n n1 link add v1 type veth peer name v2 netns n2
			ip -n n1 link set v1 up
			ip netns exec n2 sysctl -qw net.ipv4.ip_default_ttl=65`)
		await(t, w, Event{Section: "n1", What: "link v1"}, Event{Section: "n2", What: "sysctl"})
		script(t, `ip netns delete n1
			ip netns delete n2`)
		await(t, w, Event{Section: "n2", What: "namespace n2 deleted"})
	}
	cycle()
	open, running := descriptors(t), goroutines()
	t.Logf("%d goroutines, %d descriptors more than before", running, len(open)-before)
	if running > 6 || len(open)-before > 10 {
		t.Errorf("the watcher has %d goroutines and %d descriptors", running, len(open)-before)
	}
	for range 100 {
		cycle()
	}
	// The last lookup may be going on.
	until(t, "as many descriptors as before", func() bool { return len(descriptors(t)) <= len(open) })
	until(t, "as many goroutines as before", func() bool { return goroutines() <= running })
	w.mu.Lock()
	defer w.mu.Unlock()
	if n := len(w.places.heard); n > 3 {
		t.Errorf("it knows %d numbers", n)
	}
}

// Close ends all, also with events that nobody has taken, and can be called again.
func TestClose(t *testing.T) {
	before := descriptors(t)
	w := start(t, Options{})
	namespaces(t, "n1")
	if err := w.Follow([]string{"n1"}, nil); err != nil {
		t.Fatal(err)
	}
	script(t, "ip -n n1 link set lo up")
	w.Close()
	w.Close()
	for range w.Events() {
		t.Error("an event after the end")
	}
	if err := w.Follow(nil, nil); !errors.Is(err, ErrClosed) {
		t.Errorf("follow after the end: %v", err)
	}
	if n := goroutines(); n > 0 {
		t.Errorf("%d goroutines are left", n)
	}
	if after := descriptors(t); len(after) > len(before) {
		t.Errorf("left open: %d, before %d", len(after), len(before))
	}
}

// Without a capability that it needs, the watcher says which, and leaves nothing open.
func TestCapabilities(t *testing.T) {
	start(t, Options{}).Close() // what the Go runtime opens for itself is open by then
	before := descriptors(t)
	for capability, want := range map[int]string{
		unix.CAP_NET_ADMIN: "CAP_NET_ADMIN", unix.CAP_NET_BROADCAST: "CAP_NET_BROADCAST", unix.CAP_SYS_ADMIN: "CAP_SYS_ADMIN",
	} {
		err := without(capability, func() error {
			w, err := Start(Options{})
			if err == nil {
				w.Close()
			}
			return err
		})
		if !errors.Is(err, unix.EPERM) || !strings.Contains(err.Error(), want) {
			t.Errorf("without %s: %v", want, err)
		}
	}
	if after := descriptors(t); len(after) > len(before) {
		t.Errorf("open are %q, before %q", after, before)
	}
}

// without runs f on a thread that has all capabilities but one. The thread ends with it.
func without(capability int, f func() error) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		head := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
		var data [2]unix.CapUserData
		err := unix.Capget(&head, &data[0])
		if err == nil {
			data[capability/32].Effective &^= 1 << (capability % 32)
			err = unix.Capset(&head, &data[0])
		}
		if err == nil {
			err = f()
		}
		done <- err
	}()
	return <-done
}

// A source that fails is opened again, and everything may have changed meanwhile.
func TestBroken(t *testing.T) {
	w := start(t, Options{})
	namespaces(t, "n1")
	follow(t, w, "n1")
	null, err := unix.Open("/dev/null", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(null) //nolint:errcheck // only read
	for i, to := range []string{"anon_inode:[fanotify]", "socket:"} {
		fd := find(t, to)
		if err := unix.Dup3(null, fd, unix.O_CLOEXEC); err != nil {
			t.Fatal(err)
		}
		script(t, `ip -n n1 link set lo up
			ip netns exec n1 sysctl -qw net.ipv4.ip_default_ttl=65`)
		await(t, w, Event{All: true})
		script(t, fmt.Sprintf("ip -n n1 link set lo mtu %d", 1400+i))
		await(t, w, Event{Section: "n1", What: "link lo"})
	}
}

// find finds the first descriptor of a kind.
func find(t *testing.T, to string) int {
	t.Helper()
	for fd := range 100 {
		if have, err := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", fd)); err == nil && strings.HasPrefix(have, to) {
			return fd
		}
	}
	t.Fatalf("no descriptor of %s", to)
	return -1
}
