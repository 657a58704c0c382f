package reconcile_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/plumbnet/plumb/pkg/kernel"
	"github.com/plumbnet/plumb/pkg/object"
	"github.com/plumbnet/plumb/pkg/plan"
	"github.com/plumbnet/plumb/pkg/reconcile"
	"github.com/plumbnet/plumb/pkg/topology"
)

// attached is a topology with a bridge of the host, and all kinds of objects in a namespace of somebody else's.
func attached(from string) string {
	return `
name: att
bridges:
  br0: {addresses: [10.77.0.1/24, "fd00:77::1/64"]}
namespaces:
  web:
    attach: "` + from + `"
    interfaces:
      eth7: {bridge: br0, port-name: port7, addresses: [10.77.0.7/24, "fd00:77::7/64"]}
      eth8: {peer: ns2/eth0, addresses: [10.77.8.1/30]}
      lo: {addresses: [10.77.99.1/32]}
    bridges:
      sw0: {addresses: [10.77.9.1/24]}
    routes:
      - {to: 10.70.0.0/16, via: 10.77.0.1}
      - {to: 10.71.0.0/16, via: 10.88.1.2, dev: own0}
      - {to: "fd00:70::/32", type: blackhole}
    rules: [{priority: 200, from: 10.77.9.0/24, table: 200}]
    sysctls: {net.ipv4.tcp_keepalive_time: "77", net.ipv4.conf.own0.rp_filter: "1"}
    nat: [{masquerade: 10.77.9.0/24, out: eth7}]
  ns2:
    interfaces: {eth0: {addresses: [10.77.8.2/30]}}
`
}

// A namespace of somebody else's gets what the file says, and destroy leaves it as it was, to the byte.
func TestAttach(t *testing.T) {
	for _, way := range []string{"pid", "netns", "path"} {
		t.Run(way, func(t *testing.T) {
			l := newLab(t)
			b := l.box()
			b.furnish()
			b.named("box")
			from := map[string]string{
				"pid": fmt.Sprintf("pid:%d", b.pid()), "netns": "netns:box", "path": "path:/run/netns/box",
			}[way]
			topo := l.load(attached(from))
			before, count := l.settle(), l.seam.Count()
			if p := l.diff(topo); p.Refused() || len(p.Steps) == 0 {
				t.Fatalf("the plan is\n%s", planText(p))
			}
			if n := l.seam.Count() - count; n != 0 {
				t.Errorf("diff made %d writes", n)
			}
			l.restored("after diff", before)
			l.apply(topo)
			l.converged(topo)
			b.run("ping -n -c 1 -W 5 10.77.0.1\nping -n -c 1 -W 5 fd00:77::1\nping -n -c 1 -W 5 10.77.8.2")
			l.inNS("ns2", "ping", "-n", "-c", "1", "-W", "5", "10.77.8.1")
			b.run("grep -qx 0 /proc/sys/net/ipv6/conf/eth7/accept_ra") // no router of a lab becomes theirs
			made := l.settle()
			if way == "pid" {
				l.drifts(topo, b, made)
			}
			l.destroy(topo.Name)
			l.restored("after destroy", before)
		})
	}
}

// drifts changes by hand what is plumb's in the namespace, which is healed, and what is not, which stays.
func (l *lab) drifts(topo interface{ Document() string }, b *box, made string) {
	l.Helper()
	for _, hand := range []string{
		"ip link set eth7 mtu 1400", "ip link del eth8", "ip link set eth7 down", "ip address del 10.77.0.7/24 dev eth7",
		"ip address del 10.77.99.1/32 dev lo", "ip link set eth7 name eth9", "ip route del 10.71.0.0/16",
		"ip rule del pref 200", "sysctl -qw net.ipv4.tcp_keepalive_time=99", "nft delete table inet plumb-att",
		"ip link del sw0",
	} {
		b.run(hand)
		if p := l.diff(l.load(topo.Document())); len(p.Steps) == 0 {
			l.Errorf("%s: diff finds nothing", hand)
		}
		l.apply(l.load(topo.Document()))
		l.restored("healed of "+hand, made)
	}
	for _, hand := range [][2]string{
		{"ip address add 10.88.2.1/24 dev own0", "ip address del 10.88.2.1/24 dev own0"},
		{"ip route add 10.72.0.0/16 via 10.88.1.3", "ip route del 10.72.0.0/16"},
		{"ip address add 10.88.3.1/32 dev lo", "ip address del 10.88.3.1/32 dev lo"},
		{"ip link add own1 type bridge", "ip link del own1"},
		{"ip rule add pref 300 from 10.1.0.0/16 lookup 300", "ip rule del pref 300"},
		{"ip link set lo down", "ip link set lo up"},
	} {
		b.run(hand[0])
		if p := l.diff(l.load(topo.Document())); len(p.Steps) > 0 && !strings.Contains(hand[0], "lo down") {
			l.Errorf("%s: the plan is\n%s", hand[0], planText(p))
		}
		b.run(hand[1])
	}
	l.apply(l.load(topo.Document()))
}

const container = `
name: att
bridges: {br0: {addresses: [10.77.0.1/24]}}
namespaces:
  web:
    attach: docker:web
    interfaces: {eth7: {bridge: br0, port-name: port7, addresses: [10.77.0.7/24]}}
    bridges: {sw0: {}}
    sysctls: {net.ipv4.tcp_keepalive_time: "77"}
`

// A container that was started again is seen as missing what was in it, and is wired again.
func TestAttachRestarted(t *testing.T) {
	l := newLab(t)
	pid := l.engine()
	topo := l.load(container)
	l.missing(topo, "container web is not running")
	first := l.box()
	pid.Store(int64(first.pid()))
	l.apply(topo)
	l.converged(topo)
	first.end()
	l.missing(topo, "container web has ended")

	second := l.box()
	second.run("sysctl -qw net.ipv4.tcp_keepalive_time=4321")
	pid.Store(int64(second.pid()))
	p := l.diff(topo)
	for _, k := range []plan.Key{object.LinkKey("web", "eth7"), object.LinkKey("web", "sw0")} {
		// The kernel may take its time to end the first one, with its cable.
		makes := func(s plan.Step) bool {
			is := func(c plan.Change) bool { return c.Key() == k }
			return (s.Action == plan.Create || s.Action == plan.Replace) && slices.ContainsFunc(s.Changes, is)
		}
		if !slices.ContainsFunc(p.Steps, makes) {
			t.Errorf("the plan does not make %s:\n%s", k.Label(), planText(p))
		}
	}
	if strings.Contains(planText(p), "link br0") || strings.Contains(planText(p), "namespace") {
		t.Errorf("the plan has more than what was in the container:\n%s", planText(p))
	}
	l.apply(topo)
	l.converged(topo)
	second.run("ping -n -c 1 -W 5 10.77.0.1")
	l.destroy(topo.Name)
	if out := second.run("sysctl -n net.ipv4.tcp_keepalive_time"); strings.TrimSpace(out) != "4321" {
		t.Errorf("the parameter of the second container is %s after destroy", out)
	}
	if out := second.run("ip -br link"); strings.Count(out, "\n") != 1 {
		t.Errorf("destroy leaves\n%s", out)
	}
}

// missing says that a namespace is not there: neither diff nor apply does anything.
func (l *lab) missing(topo interface{ Document() string }, why string) {
	l.Helper()
	count := l.seam.Count()
	_, err := l.tryApply(l.load(topo.Document()))
	if !errors.Is(err, reconcile.ErrNotRun) || !strings.Contains(err.Error(), why) ||
		!strings.Contains(err.Error(), "test.yaml:") {
		l.Errorf("apply: %v, want ErrNotRun, the place in the file, and %q", err, why)
	}
	if n := l.seam.Count() - count; n > 3 { // the directories and the file of the lock
		l.Errorf("%d writes", n)
	}
}

// A section that moves to another namespace leaves the old one, which lives on, as it was; so does one that goes.
func TestAttachMoved(t *testing.T) {
	l := newLab(t)
	pid := l.engine()
	one, two := l.box(), l.box()
	for i, b := range []*box{one, two} {
		b.furnish()
		b.named(fmt.Sprintf("box%d", i))
	}
	before := l.settle()
	topo := l.load(container)
	pid.Store(int64(two.pid()))
	l.apply(topo)
	pure := l.settle()
	l.destroy(topo.Name)
	l.restored("after destroy", before)

	pid.Store(int64(one.pid()))
	l.apply(topo)
	pid.Store(int64(two.pid()))
	l.apply(topo)
	l.converged(topo)
	l.restored("moved", pure)
	l.apply(l.load(strings.ReplaceAll(container, "  web:", "  www:"))) // another name for the same one
	l.apply(topo)
	l.restored("renamed, and back", pure)
	l.apply(l.load("name: att\nbridges: {br0: {addresses: [10.77.0.1/24]}}\n"))
	l.apply(l.load("name: att\n"))
	l.restored("without the section", before)
}

// A process that has the number of one that was attached is not it.
func TestAttachPIDReused(t *testing.T) {
	l := newLab(t)
	b := l.box()
	topo := l.load(fmt.Sprintf("name: att\nnamespaces: {web: {attach: \"pid:%d\", bridges: {sw0: {}}}}\n", b.pid()))
	l.apply(topo)
	l.converged(topo)
	record, _ := filepath.Glob("/run/plumb/*/host.json")
	data, err := os.ReadFile(record[0])
	if err != nil {
		t.Fatal(err)
	}
	var r object.Record
	if err := json.Unmarshal(data, &r); err != nil || len(r.Attached["att"]) != 1 || r.Attached["att"][0].Started == 0 {
		t.Fatalf("the record has no start time: %v\n%s", err, data)
	}
	r.Attached["att"][0].Started-- // as of one that was there before
	if data, err = json.Marshal(&r); err == nil {
		err = os.WriteFile(record[0], data, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	l.missing(topo, "another has got its number")
	l.destroy(topo.Name)
	l.apply(topo)
}

// Destroy needs neither the copy of what was applied nor the host record.
func TestAttachForgotten(t *testing.T) {
	for _, lost := range []string{"nothing", "applied", "host.json", "*"} {
		t.Run("without "+lost, func(t *testing.T) {
			l := newLab(t)
			l.engine().Store(int64(l.box().pid())) // which is in nobody's way
			b := l.box()
			b.named("box")
			b.run("sysctl -qw net.ipv4.ip_forward=1") // what it was before only the record knows
			l.mark()
			topo := l.load(fmt.Sprintf(`
name: att
bridges: {br0: {}}
namespaces:
  web:
    attach: "pid:%d"
    interfaces: {eth7: {bridge: br0, addresses: [10.77.0.7/24]}}
    bridges: {sw0: {addresses: [10.78.0.1/24]}}
    routes: [{to: 10.79.0.0/16, via: 10.78.0.2}]
    nat: [{masquerade: 10.78.0.0/24, out: eth7}]
`, b.pid()))
			before := l.settle()
			l.apply(topo)
			paths, _ := filepath.Glob("/run/plumb/*/" + lost)
			for _, path := range paths {
				if err := os.RemoveAll(path); err != nil {
					t.Fatal(err)
				}
			}
			l.destroy(topo.Name)
			l.restored("after destroy", before)
		})
	}
}

// The copy of what was applied tells where it came from, and is for root alone.
func TestApplied(t *testing.T) {
	l := newLab(t)
	b := l.box()
	text := fmt.Sprintf("# mine\nname: att\nnamespaces: {web: {attach: \"pid:%d\", bridges: {sw0: {}}}}\n", b.pid())
	l.apply(l.load(text))
	paths, _ := filepath.Glob("/run/plumb/*/applied/att")
	if len(paths) != 1 {
		t.Fatalf("copies: %v", paths)
	}
	var copied struct {
		Topology, File, Document string
		Attached                 []object.Attachment
	}
	data, err := os.ReadFile(paths[0])
	if err == nil {
		err = json.Unmarshal(data, &copied)
	}
	here, _ := filepath.Abs("test.yaml")
	id := idOf(t, b)
	if err != nil || copied.Document != text || copied.File != here || copied.Topology != "att" ||
		len(copied.Attached) != 1 || copied.Attached[0].ID() != id {
		t.Errorf("%v; the copy is %s", err, data)
	}
	if st, err := os.Stat(paths[0]); err != nil || st.Mode() != 0o600 {
		t.Errorf("mode %v, %v", st.Mode(), err)
	}
	l.destroy("att")
	if paths, _ = filepath.Glob("/run/plumb/*/applied/*"); len(paths) > 0 {
		t.Errorf("destroy leaves %v", paths)
	}
}

func idOf(t *testing.T, b *box) kernel.ID {
	t.Helper()
	f, _, err := kernel.OpenProcess(b.pid())
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	return f.ID
}

// What is nobody's to attach is refused, and what is no namespace is missing.
func TestAttachRefused(t *testing.T) {
	dir := t.TempDir() // which goes last
	l := newLab(t)
	b := l.box()
	b.named("box")

	l.script(`ip netns add mine
		ln -s /run/netns/box ` + dir + `/link
		mkfifo ` + dir + `/fifo
		touch ` + dir + `/uts
		mount --bind /proc/self/ns/uts ` + dir + `/uts`)
	l.fixture(func() { l.script("ip netns del mine\numount " + dir + "/uts") })
	l.apply(l.load("name: other\nnamespaces: {theirs: {}}\n"))
	before := l.settle()
	web := object.NamespaceKey("web")
	for _, test := range []struct{ spaces, why string }{
		{fmt.Sprintf(`{web: {attach: "pid:%d"}}`, os.Getpid()), "is the host's own namespace"},
		{`{web: {attach: "path:/run/host.net"}}`, "is the host's own namespace"},
		{fmt.Sprintf(`{app: {attach: "netns:box"}, web: {attach: "pid:%d"}}`, b.pid()), "is the same namespace as app"},
		{`{web: {attach: "netns:theirs"}}`, "belongs to topology other"},
	} {
		topo := l.load("name: att\nbridges: {br0: {}}\nnamespaces: " + test.spaces)
		refusal(t, l.diff(topo), web, test.why)
		for _, change := range [][]func(*reconcile.Options){nil, {adopt}} {
			_, err := l.tryApply(topo, change...)
			refused(t, err, test.why)
		}
		l.restored("after the refusal of "+test.spaces, before)
	}
	t.Setenv("DOCKER_HOST", "unix://"+dir+"/none.sock")
	for _, test := range []struct{ from, why string }{
		{"path:" + dir + "/link", "is a symbolic link"},
		{"path:" + b.path(), "is a symbolic link"},
		{"path:" + dir + "/fifo", "is a file, and not a network namespace"},
		{"path:/dev/null", "is a file, and not a network namespace"},
		{"path:" + dir + "/uts", "is a namespace, and not one of the network"},
		{"path:" + dir, "is a file, and not a network namespace"},
		{"path:" + dir + "/none", "no such file or directory"},
		{"netns:none", "no such file or directory"},
		{"pid:4194304", "process 4194304 is not there"},
		{"docker:web", "systemctl start docker"},
		{"podman:web", "systemctl start podman.socket"},
	} {
		text := fmt.Sprintf("name: att\nbridges: {br0: {}}\nnamespaces: {web: {attach: %q}}\n", test.from)
		l.missing(l.load(text), test.why)
	}
}

// A namespace of the topology's own and an attached one can't have one name: what is in the first would be lost.
func TestAttachStillMade(t *testing.T) {
	l := newLab(t)
	b := l.box()
	made, attached := l.load("name: att\nnamespaces: {web: {bridges: {sw0: {}}}}\n"),
		l.load(fmt.Sprintf("name: att\nnamespaces: {web: {attach: \"pid:%d\", bridges: {sw0: {}}}}\n", b.pid()))
	l.apply(made)
	before := l.settle()
	const why = "plumb has made for this topology: name another, or destroy the topology first"
	refusal(t, l.diff(attached), object.NamespaceKey("web"), why)
	for _, change := range [][]func(*reconcile.Options){nil, {adopt}} {
		_, err := l.tryApply(attached, change...)
		refused(t, err, why)
	}
	l.restored("after the refusal", before)
	l.destroy(made.Name)
	l.apply(attached)
	l.apply(made) // the other way all goes from somebody else's
	l.converged(made)
	if out := b.run("ip -br link"); strings.Count(out, "\n") != 1 {
		t.Errorf("the attached namespace still has\n%s", out)
	}
}

// Two topologies in one namespace, by two names, know of each other what the record tells.
func TestAttachShared(t *testing.T) {
	l := newLab(t)
	b := l.box()
	b.furnish()
	b.named("box")
	before := l.settle()
	topo := func(name, ns, value, address string) *topology.Topology {
		return l.load(fmt.Sprintf(`
name: %s
namespaces:
  %s:
    attach: netns:box
    sysctls: {net.ipv4.tcp_keepalive_time: "%s"}
    interfaces: {lo: {addresses: [%s]}}
`, name, ns, value, address))
	}
	one, two := topo("one", "web", "77", "10.77.0.1/32"), topo("two", "www", "77", "10.77.0.2/32")
	l.apply(one)
	l.apply(two)
	l.converged(one)
	refusal(t, l.diff(topo("two", "www", "88", "10.77.0.2/32")),
		object.SysctlKey("www", "net.ipv4.tcp_keepalive_time"), "topology one wants 77")
	refusal(t, l.diff(topo("two", "www", "77", "10.77.0.1/32")),
		plan.Key{NS: "www", Kind: "address", Name: "lo 10.77.0.1/32"}, "belongs to topology one")
	l.destroy("one")
	if out := b.run("sysctl -n net.ipv4.tcp_keepalive_time"); strings.TrimSpace(out) != "77" {
		t.Errorf("the parameter is %s, and two wants 77", out)
	}
	l.converged(two)
	l.destroy("two")
	l.restored("after both", before)
}

// A rollback leads back in a container that ends meanwhile, too; the host is as it was.
func TestAttachEndsMeanwhile(t *testing.T) {
	l := newLab(t)
	pid := l.engine()
	topo, before := l.load(container), l.settle()
	count := int64(0)
	for k := int64(1); k == 1 || k <= count; k += 2 {
		b := l.box()
		pid.Store(int64(b.pid()))
		count = 0
		_, err := l.tryApply(topo, through(&kernel.Seam{Around: func(_ kernel.Write, write func() error) error {
			if count++; count == k {
				b.end()
			}
			return write()
		}}))
		if err != nil && !errors.Is(err, reconcile.ErrRolledBack) {
			t.Errorf("the container ends at write %d: %v", k, err)
		}
		l.destroy(topo.Name)
		l.restored(fmt.Sprintf("the container ended at write %d, and after destroy", k), before)
	}
}

// Whatever goes wrong at a write, the next apply and the next destroy lead where they should.
func TestAttachFaults(t *testing.T) {
	l := newLab(t)
	b := l.box()
	b.furnish()
	b.named("box")
	text := attached(fmt.Sprintf("pid:%d", b.pid()))
	topo, before := l.load(text), l.settle()
	l.apply(topo)
	made := l.settle()
	for _, leaving := range []bool{false, true} {
		var writes []string
		note := through(&kernel.Seam{Around: func(w kernel.Write, write func() error) error {
			writes = append(writes, w.String())
			return write()
		}})
		l.destroy(topo.Name)
		if l.apply(topo, note); leaving {
			writes = nil
			if _, err := l.tryDestroy(topo.Name, note); err != nil {
				t.Fatal(err)
			}
		}
		for i, k := range rand.New(rand.NewPCG(number("TEST_FAULTS_SEED", 20), 1)).Perm(len(writes)) {
			if i >= 14 && os.Getenv("TEST_FAULTS") != "all" {
				break
			}
			if l.destroy(topo.Name); leaving {
				l.apply(topo)
			}
			l.attachFault(topo, text, int64(k+1), writes[k], leaving, i%3)
			l.apply(topo)
			l.restored(fmt.Sprintf("fault %d at write %d (%s), and after the next apply", i%3, k+1, writes[k]), made)
			l.destroy(topo.Name)
			l.restored(fmt.Sprintf("fault %d at write %d (%s), and after destroy", i%3, k+1, writes[k]), before)
		}
	}
}

// attachFault lets the k-th write fail, or fail though it was made, or be the last of a process that is killed.
func (l *lab) attachFault(topo *topology.Topology, text string, k int64, what string, leaving bool, sort int) {
	l.Helper()
	o := order{Name: topo.Name, File: text, Die: k, After: k%2 == 0}
	if leaving {
		o.File = ""
	}
	if sort == 2 {
		l.sacrifice(o)
		return
	}
	fails := faults["not made"]
	if sort == 1 {
		fails = faults["made and reported as failed"]
	}
	before := l.look(true).Text
	var err error
	if seam := through(at(k, fails)); leaving {
		_, err = l.tryDestroy(topo.Name, seam)
	} else {
		_, err = l.tryApply(topo, seam)
	}
	switch {
	case leaving:
		if err != nil && !errors.Is(err, reconcile.ErrPartial) {
			l.Errorf("write %d (%s): %v", k, what, err)
		}
	case !onlyWarns(what) && !errors.Is(err, reconcile.ErrRolledBack):
		l.Errorf("write %d (%s): %v, want ErrRolledBack", k, what, err)
	case err != nil:
		l.restored(fmt.Sprintf("rolled back from write %d (%s)", k, what), before)
	}
}
