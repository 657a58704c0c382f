package reconcile_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/plumbnet/plumb/pkg/battery/host"
	"github.com/plumbnet/plumb/pkg/kernel"
	"github.com/plumbnet/plumb/pkg/reconcile"
	"github.com/plumbnet/plumb/pkg/topology"
)

const RunDir = "/run/plumb"

// notRun says that an apply and a destroy can't begin, for a reason that the error tells, and change nothing.
func (l *lab) notRun(yaml, reason string) {
	l.Helper()
	topo := l.load(yaml)
	before := l.settle()
	_, err := l.tryApply(topo)
	_, gone := l.tryDestroy(topo.Name)
	for verb, err := range map[string]error{"apply": err, "destroy": gone} {
		if !errors.Is(err, reconcile.ErrNotRun) || !strings.Contains(err.Error(), reason) {
			l.Errorf("%s: %v, want ErrNotRun because of: %s", verb, err, reason)
		}
	}
	l.restored("after what could not begin", before)
}

// The record and the lock are nowhere that others could have made.
func TestRunDirPlanted(t *testing.T) {
	for name, script := range map[string]string{
		"another's":   "mkdir /run/plumb && chown 65534 /run/plumb",
		"writable":    "mkdir /run/plumb && chmod 0777 /run/plumb",
		"a link":      "mkdir /run/elsewhere && ln -s elsewhere /run/plumb",
		"a file":      "touch /run/plumb",
		"a fifo":      "mkfifo /run/plumb",
		"below, link": "mkdir -m 700 /run/plumb /run/elsewhere && ln -s ../elsewhere /run/plumb/COOKIE",
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t)
			yaml := l.example("docker0.yaml")
			l.apply(l.load(yaml))
			l.destroy("docker0")
			dirs, _ := filepath.Glob(RunDir + "/*")
			l.sh("rm", "-rf", RunDir)
			l.sh("sh", "-c", strings.ReplaceAll(script, "COOKIE", filepath.Base(dirs[0])))
			l.notRun(yaml, "belongs to another user, or others can write to it")
			h := l.open()
			if _, err := h.Diff(context.Background(), l.load(yaml)); err == nil || !strings.Contains(err.Error(), "remove it") {
				t.Errorf("diff: %v", err)
			}
			l.sh("rm", "-rf", RunDir, "/run/elsewhere")
		})
	}
}

// A record that can't be read stops everything, and says how to go on.
func TestRecordDamaged(t *testing.T) {
	for name, text := range map[string]string{
		"empty": "", "cut": `{"format":"plumb/host/v1","sysct`, "noise": "\x00\xff\x01",
		"another form": `{"format":"plumb/host/v9"}`,
		"no wants": `{"format":"plumb/host/v1",
			"sysctls":[{"namespace":"","kind":"sysctl","name":"net.ipv4.ip_forward","original":"0"}]}`,
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t)
			yaml := l.example("docker0.yaml")
			l.apply(l.load(yaml))
			paths, _ := filepath.Glob(RunDir + "/*/host.json")
			if err := os.WriteFile(paths[0], []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			l.notRun(yaml, "host record: ")
			l.sh("rm", paths[0])
			l.apply(l.load(yaml))
			l.destroy("docker0")
			l.sh("sysctl", "-qw", "net.ipv4.ip_forward=0") // what the record knew
			l.sh("sysctl", "-qw", "net.ipv4.conf.all.accept_redirects=1")
		})
	}
}

// A file system without room keeps a run from its beginning, or from its first change.
func TestRunDirFull(t *testing.T) {
	l := newLab(t)
	topo := l.load(l.example("docker0.yaml"))
	before := l.settle()
	l.sh("mkdir", "-p", "-m", "700", RunDir)
	l.sh("mount", "-t", "tmpfs", "-o", "size=4k,mode=700", "tmpfs", RunDir)
	l.sh("dd", "if=/dev/zero", "of="+RunDir+"/ballast", "bs=4096", "count=1", "status=none")
	_, err := l.tryApply(topo)
	if !errors.Is(err, unix.ENOSPC) || !errors.Is(err, reconcile.ErrNotRun) && !errors.Is(err, reconcile.ErrRolledBack) {
		t.Errorf("the error is %v, want one that says that there is no space", err)
	}
	l.restored("after an apply without room", before)
	l.sh("umount", RunDir)
	l.apply(topo)
	l.converged(topo)
}

// A file system that becomes full in the midst of a run keeps no rollback from its end: what the record was fits where
// it was, and is known to be there where a write of it failed.
func TestRunDirFullInARun(t *testing.T) {
	const edited = "name: docker0\nsysctls: {net.ipv4.conf.all.log_martians: 1, net.ipv4.conf.lo.rp_filter: 1}\n" +
		"bridges: {br0: {mtu: 1400, addresses: [192.168.10.1/24, 10.6.0.1/24]}}\n" +
		"routes: [{to: 10.99.0.0/16, type: blackhole}, {to: 10.98.0.0/16, type: blackhole}]\n" +
		"namespaces: {ns1: {}, ns9: {sysctls: {net.ipv4.ip_forward: 1, net.ipv4.conf.all.log_martians: 1}}}\n"
	l := newLab(t)
	l.sh("mkdir", "-p", "-m", "700", RunDir)
	l.sh("mount", "-t", "tmpfs", "-o", "size=64k,mode=700", "tmpfs", RunDir)
	topo, to := l.load(l.example("docker0.yaml")), l.load(edited)
	for _, from := range []*topology.Topology{nil, topo} {
		if from != nil {
			l.apply(from)
		}
		before, writes := l.settle(), 0
		for full := 0; full <= writes; full++ { // 0 is never
			n := 0
			l.undone(fmt.Sprintf("full after write %d of %d", full, writes), to, before, unconfirmed,
				through(&kernel.Seam{Around: func(w kernel.Write, write func() error) error {
					if strings.HasSuffix(w.What, ".confirm") { // the last
						writes = max(writes, n)
						return errInjected
					}
					err := write()
					if n++; n == full {
						l.sh("sh", "-c", "dd if=/dev/zero of="+RunDir+"/ballast bs=4096 status=none || true")
					}
					return err
				}}))
			l.sh("rm", "-f", RunDir+"/ballast")
		}
	}
	l.destroy(topo.Name)
	l.sh("umount", RunDir)
}

// What a run left that died in the midst of a write of its own is taken up by the next: the new record before it got
// its name, and the mount of /run/netns before it was shared.
func TestDiedBetween(t *testing.T) {
	l := newLab(t)
	topo := l.load(l.example("docker0.yaml"))
	l.apply(topo)
	l.destroy(topo.Name)
	dirs, _ := filepath.Glob(RunDir + "/*")
	l.sh("sh", "-c", "echo half > "+dirs[0]+"/host.json.new")
	l.sh("mount", "--make-private", host.NetnsDir)
	l.apply(topo)
	l.converged(topo)
	if found := l.sh("find", RunDir, "-name", "*.new", "-o", "-name", ".host*"); found != "" {
		t.Errorf("left over: %s", found)
	}
	if got := strings.TrimSpace(l.sh("findmnt", "-n", "-o", "PROPAGATION", host.NetnsDir)); got != "shared" {
		t.Errorf("%s is %s, want shared", host.NetnsDir, got)
	}
}

// A destroy needs no room: not for the lock, and the record only goes.
func TestDestroyRunDirFull(t *testing.T) {
	l := newLab(t)
	topo := l.load(l.example("docker0.yaml"))
	before := l.settle()
	l.sh("mkdir", "-p", "-m", "700", RunDir)
	l.sh("mount", "-t", "tmpfs", "-o", "size=16k,mode=700", "tmpfs", RunDir)
	l.apply(topo)
	lock, _ := filepath.Glob(RunDir + "/*/lock")
	l.sh("truncate", "-s", "0", lock[0])
	l.sh("sh", "-c", "dd if=/dev/zero of="+RunDir+"/ballast bs=4096 status=none || true")
	if report, err := l.tryDestroy(topo.Name); err != nil {
		t.Errorf("destroy: %v\n%s", err, outcomes(report))
	}
	l.restored("after a destroy without room", before)
	l.sh("umount", RunDir)
}

// Stamps are in the kernel: what carries them is known again when /run/plumb is lost.
func TestRunDirLost(t *testing.T) {
	l := newLab(t)
	topo := l.load(l.example("namespaced-nat.yaml"))
	l.apply(topo)
	l.sh("rm", "-rf", RunDir)
	l.inSync(topo)
	l.apply(topo)
	l.sh("rm", "-rf", RunDir)
	l.destroy(topo.Name)
}

// Things in /run/netns that are no namespaces are in nobody's way, unless they have a wanted name; then they are
// refused, and left alone.
func TestNetnsDirLeftovers(t *testing.T) {
	l := newLab(t)
	l.foreign()
	l.script(`
		touch /run/netns/junk
		ln -s nowhere /run/netns/dangling
		ln -s foreign1 /run/netns/alias
		mkdir /run/netns/dir
		mkfifo /run/netns/fifo
		touch /run/netns/bound
		mount --bind /proc/version /run/netns/bound
		mkdir /run/netns/tmp
		mount -t tmpfs tmpfs /run/netns/tmp
		mknod /run/netns/char c 240 240
		mknod /run/netns/block b 240 240
		touch /run/netns/closed
		chmod 0000 /run/netns/closed`)
	socket, err := net.Listen("unix", "/run/netns/socket")
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close() //nolint:errcheck // nobody listens
	l.mark()
	topo := l.load(l.example("namespaced-nat.yaml"))
	l.apply(topo)
	l.converged(topo)
	l.destroy(topo.Name)
	bin, file := public(l, t)
	for _, command := range []string{"apply", "destroy"} { // to whom not all files are open
		exits(t, 0, "setpriv", "--bounding-set", "-all,+net_admin,+sys_admin", bin, command, "-f", file)
	}
	for _, name := range []string{
		"bound", "dir", "fifo", "tmp", "alias", "dangling", "junk", "char", "block", "closed", "socket",
	} {
		_, err := l.tryApply(l.load(fmt.Sprintf("name: x\nnamespaces: {%s: {}}\n", name)))
		refused(t, err, "")
	}
	l.restored("after the refusals", l.base.Text)
	l.script(`
		umount /run/netns/bound
		umount /run/netns/tmp
		rm -r /run/netns/junk /run/netns/dangling /run/netns/alias /run/netns/dir
		rm -r /run/netns/fifo /run/netns/bound /run/netns/tmp
		rm -f /run/netns/char /run/netns/block /run/netns/closed /run/netns/socket`)
	l.mark()
	l.script("touch /run/netns/uts\nmount --bind /proc/self/ns/uts /run/netns/uts") // which the snapshot can't enter
	_, err = l.tryApply(l.load("name: x\nnamespaces: {uts: {}}\n"))
	refused(t, err, "is no network namespace: remove it")
	l.script("umount /run/netns/uts\nrm /run/netns/uts")
}

func TestNetnsDirReadOnly(t *testing.T) {
	l := newLab(t)
	topo := l.load(l.example("docker0.yaml"))
	l.apply(topo) // makes /run/netns a mount
	l.destroy(topo.Name)
	before := l.settle()
	l.sh("mount", "-o", "remount,bind,ro", host.NetnsDir)
	_, err := l.tryApply(topo)
	if !errors.Is(err, reconcile.ErrRolledBack) || !errors.Is(err, unix.EROFS) {
		t.Errorf("the error is %v, want one that says that the file system is read-only", err)
	}
	l.restored("after the failure", before)
	l.sh("mount", "-o", "remount,bind,rw", host.NetnsDir)
	l.apply(topo)
	l.sh("mount", "-o", "remount,bind,ro", host.NetnsDir)
	_, err = l.tryDestroy(topo.Name)
	if !errors.Is(err, reconcile.ErrPartial) || !strings.Contains(err.Error(), "left: delete namespace ns1") {
		t.Errorf("destroy: %v, want ErrPartial and what is left", err)
	}
	l.sh("mount", "-o", "remount,bind,rw", host.NetnsDir)
	l.destroy(topo.Name)
}

// The name of a namespace goes while processes live on in it: its cables have ends in a namespace without a name.
func TestNamespaceUnmounted(t *testing.T) {
	for _, name := range []string{"docker0.yaml", "namespaced-nat.yaml"} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t)
			topo := l.load(l.example(name))
			l.apply(topo)
			made := l.settle()
			var held []*exec.Cmd
			for _, ns := range []string{"ns1", "home", "phone"} {
				path := filepath.Join(host.NetnsDir, ns)
				if _, err := os.Stat(path); err != nil {
					continue
				}
				cmd := exec.Command("nsenter", "--net="+path, "sleep", "1000")
				if err := cmd.Start(); err != nil {
					t.Fatal(err)
				}
				held = append(held, cmd)
				for !strings.Contains(l.sh("ip", "netns", "pids", ns), fmt.Sprint(cmd.Process.Pid)) {
				}
				l.script("umount " + path + "\nrm " + path)
			}
			l.apply(topo)
			l.converged(topo)
			l.restored("made anew", made)
			l.destroy(topo.Name)
			l.restored("after destroy, with the processes,", l.base.Text)
			for _, cmd := range held {
				_ = cmd.Process.Kill()
				_ = cmd.Wait() // it was killed
			}
		})
	}
}

// Runs at once wait for each other: of one topology, and of several, in processes of their own.
func TestAtOnce(t *testing.T) {
	for _, n := range []int{2, 8} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			l := newLab(t)
			l.foreign()
			l.uplink()
			var orders []order
			for i := range n {
				name := fmt.Sprintf("t%d", i/2) // each twice
				orders = append(orders, order{Name: name, File: router(name, fmt.Sprint(i/2))})
			}
			l.atOnce(orders)
			for _, o := range orders {
				l.names = append(l.names, o.Name)
				l.inSync(l.load(o.File))
			}
			for i := range orders {
				orders[i].File = ""
			}
			l.atOnce(orders)
			l.restored("after all were destroyed at once", l.base.Text)
		})
	}
}

func (l *lab) atOnce(orders []order) {
	l.Helper()
	var wait sync.WaitGroup
	for _, o := range orders {
		cmd, err := o.Command()
		if err != nil {
			l.Fatal(err)
		}
		wait.Go(func() {
			if err := cmd.Run(); err != nil {
				l.Errorf("%s: %v: %s", o.Name, err, cmd.Stdout)
			}
		})
	}
	wait.Wait()
}
