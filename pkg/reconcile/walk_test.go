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
	"github.com/plumbnet/plumb/pkg/topology"
)

// walkLength is how many rounds a walk has, from an empty host to an empty host.
const walkLength = 6

// TestWalk lets happen at random what happens to a host in months: the file is edited, hands change things, writes
// fail, plumb is killed, another topology comes and goes at the same time. After each round one apply must converge,
// packets must flow, and after the last one the host must be as if the last file alone had been applied; then as before
// all of it. TEST_WALK is the number of rounds, and TEST_SEED=N TEST_WALK=1 walks the N-th walk again.
func TestWalk(t *testing.T) {
	start, rounds := number("TEST_SEED", 1), number("TEST_WALK", 60)
	t.Logf("TEST_SEED=%d TEST_WALK=%d", start, rounds)
	if rounds > walkLength && host.InParts(t) {
		return
	}
	var seeds []uint64
	for i := range (rounds + walkLength - 1) / walkLength {
		seeds = append(seeds, start+i)
	}
	for _, seed := range host.Share(t, seeds) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			w := &walk{lab: newLab(t), inventor: newInventor(seed, false).here(t).withKeys(t), invents: seed%2 == 0}
			t.Cleanup(func() { // after that of the lab
				if t.Failed() {
					t.Logf("TEST_SEED=%d TEST_WALK=1\n%s\nthe file:\n%s", seed, strings.Join(w.events, "\n"), w.file)
				}
			})
			if w.invents {
				w.present()
			}
			w.walk()
		})
	}
}

// walk is a host to which things happen.
type walk struct {
	*lab
	inventor
	invents bool   // the files are made up as a whole, and no packets are sent
	file    string // that the host is to match
	events  []string
}

// walkEdits are what is edited in the file of the drift test, each time a few.
var walkEdits = [][2]string{
	{"br1: {}", "br1: {addresses: [10.77.0.1/24]}"},
	{"bridges:\n", "bridges:\n  br2: {mtu: 1400}\n"},
	{"192.168.10.2/24, ", ""},
	{`"fd00:10::2/64"`, `"fd00:10::3/64"`},
	{"port-name: port1", "port-name: port2"},
	{"peer: ns2/eth1,", "peer: ns2/eth1, mtu: 1400,"},
	{"metric: 7", "metric: 8"},
	{"type: blackhole", "type: unreachable"},
	{"weight: 2", "weight: 3"},
	{"172.16.0.1/16, ", ""},
	{"rp_filter: 2", "rp_filter: 0"},
	{"nat:\n", "nat:\n  - {masquerade: 10.0.0.0/30}\n"},
	{"  ns2:\n", "  ns3:\n    interfaces: {eth0: {bridge: br1, addresses: [10.77.0.9/24]}}\n  ns2:\n"},
	{"interfaces:\n  lo:", "interfaces:\n  vx0: {master: br1, vxlan: {id: 7, remote: 192.0.2.7}}\n  lo:"},
	{"    routes:\n", "    rules: [{priority: 100, from: 10.77.0.0/24, table: 7}]\n    routes:\n"},
	{"      eth1: {peer", "      m0: {macvlan: {parent: host/br1}, addresses: [10.77.0.5/24]}\n      eth1: {peer"},
}

// walkOther are another topology, as it comes and changes. It switches on what the first one does, too, but for the
// last, which can stand beside any.
var walkOther = []string{"", `
name: other
bridges: {ob0: {addresses: [10.250.0.1/24, "fd00:250::1/64"]}}
namespaces: {on1: {interfaces: {eth0: {bridge: ob0, addresses: [10.250.0.2/24]}}}}
nat: [{masquerade: 10.250.0.0/24}]
`, `
name: other
bridges: {ob0: {addresses: [10.250.0.1/24]}, ob1: {}}
namespaces: {on2: {interfaces: {eth0: {bridge: ob1}}}}
sysctls: {net.ipv6.conf.all.forwarding: 1}
`, `
name: other
bridges: {ob0: {addresses: [10.250.0.1/24]}}
`}

func (w *walk) walk() {
	happens := []func(){w.drift, w.hand, w.hand, w.fail, w.kill, w.beside}
	w.edit()
	for range walkLength {
		for range w.IntN(4) {
			choose(w.inventor, happens...)()
		}
		if w.oneIn(2) {
			w.edit()
		}
		w.converge()
	}
	w.destroy("other")
	want := w.settle()
	w.destroy("drift")
	w.restored("after the walk", w.base.Text)
	w.converge()
	w.restored("after the walk, against the last file alone,", want)
}

func (w *walk) happened(format string, args ...any) {
	w.events = append(w.events, fmt.Sprintf(format, args...))
}

// edit makes another file that is valid.
func (w *walk) edit() {
	if w.invents {
		w.file = invented(w.TB, w.inventor, "drift").text
		w.happened("another file")
		return
	}
	for {
		text := drifting
		var done []string
		for _, e := range walkEdits {
			if w.oneIn(4) {
				text = strings.Replace(text, e[0], e[1], 1)
				done = append(done, e[1])
			}
		}
		_, problems := topology.Load(topology.Input{Name: "walk.yaml", Data: []byte(text)})
		if !problems.HasErrors() {
			w.file = text
			w.happened("edit: %q", done)
			return
		}
	}
}

// drift changes something by hand that the file of the drift test declares; a part may be missing.
func (w *walk) drift() {
	if w.invents {
		return // the host of other files is not the topology's in all that a drift changes
	}
	d := choose(w.inventor, slices.Concat(linkDrifts, addressDrifts, routeDrifts, otherDrifts)...)
	w.happened("drift: %s", d.name)
	for line := range strings.Lines(d.do) {
		if line = strings.TrimSpace(line); line != "rest" {
			_ = exec.Command("sh", "-c", line).Run()
		}
	}
	d.wait(w.lab)
}

// hand changes some link, but for those that the tests' host has, what is there already, and those of the other
// topology.
func (w *walk) hand() {
	sections := w.look(false).Sections
	s := choose(w.inventor, sections...)
	var links []string
	for _, l := range s.Links {
		if l.Name != "lo" && !strings.HasPrefix(l.Name, "ob") && !isTheirs(l.Name) {
			links = append(links, l.Name)
		}
	}
	if len(links) == 0 || strings.HasPrefix(s.Name, "on") || s.Name == theirNamespace {
		return
	}
	link := choose(w.inventor, links...)
	do := fmt.Sprintf(choose(w.inventor, "link set dev %s down", "link del dev %s", "link set dev %s mtu 1400",
		"link set dev %s address 02:00:00:00:0f:0f", "link set dev %s nomaster", "address flush dev %s scope global",
		"address add 10.211.0.1/24 dev %s", "route flush dev %s"), link)
	args := strings.Fields(do)
	if s.Name != "" {
		args = append([]string{"-n", s.Name}, args...)
	}
	if w.isOthers(s.Name, link) {
		return
	}
	w.happened("hand: ip %s", strings.Join(args, " "))
	_ = host.Run("ip", args...)
}

// isOthers says whether a link has the stamp of the other topology.
func (w *walk) isOthers(section, link string) (yes bool) {
	err := host.Inside(section, func() error {
		out, err := exec.Command("ip", "link", "show", "dev", link).CombinedOutput()
		yes = strings.Contains(string(out), "alias plumb:other/")
		return err
	})
	if err != nil {
		w.Fatal(err)
	}
	return yes
}

// fail lets a write of an apply fail. All is as before then, unless the apply could do without.
func (w *walk) fail() {
	k := int64(1 + w.IntN(40))
	before := w.rest()
	report, err := w.tryApply(w.load(w.file), through(at(k, func(_ kernel.Write, write func() error) error {
		return errors.Join(write(), errInjected)
	})))
	w.happened("write %d fails: %v", k, err)
	switch {
	case err == nil, errors.Is(err, reconcile.ErrRefused), errors.Is(err, reconcile.ErrNotRun):
	case !errors.Is(err, reconcile.ErrRolledBack):
		w.Errorf("write %d failed: %v\n%s", k, err, outcomes(report))
	default:
		w.same("after the rollback", withoutFiles(before), withoutFiles(w.rest()))
	}
}

// withoutFiles leaves out of a snapshot the empty files that a destroy that was killed has left in /run/netns.
func withoutFiles(text string) string {
	lines := slices.Collect(strings.Lines(text))
	return strings.Join(slices.DeleteFunc(lines, func(s string) bool { return strings.HasSuffix(s, " (a file)\n") }), "")
}

// kill ends an apply or a destroy at one of its writes, if it has so many.
func (w *walk) kill() {
	o := order{Name: "drift", File: w.file, Die: int64(1 + w.IntN(40)), After: w.oneIn(2), Workers: w.IntN(3)}
	if w.oneIn(4) {
		o.File = ""
	}
	cmd, err := o.Command()
	if err != nil {
		w.Fatal(err)
	}
	err = cmd.Run()
	w.happened("kill: destroy %v, write %d, after %v, workers %d: %v", o.File == "", o.Die, o.After, o.Workers, err)
	if cmd.ProcessState.Exited() {
		w.happened("it ended by itself: %s", cmd.Stdout)
	}
}

// beside applies or destroys the other topology while this one is applied.
func (w *walk) beside() {
	files := walkOther
	if w.invents {
		files = []string{files[0], files[3]}
	}
	o := order{Name: "other", File: choose(w.inventor, files...)}
	w.happened("beside: %q", o.File)
	cmd, err := o.Command()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		w.Fatal(err)
	}
	if !slices.Contains(w.names, "other") {
		w.names = append(w.names, "other")
	}
	w.converge()
	if err := cmd.Wait(); err != nil {
		w.Errorf("the other topology: %v\n%s", err, cmd.Stdout)
	}
	if o.File != "" {
		w.inSync(w.load(o.File))
	}
}

// converge says that one apply brings the host to the file, and that packets flow then.
func (w *walk) converge() {
	w.happened("converge")
	topo := w.load(w.file)
	w.apply(topo)
	w.inSync(topo)
	if !w.invents {
		w.lab.ping("ns1", "192.168.10.1")
		w.lab.ping("ns1", "fd00:10::1")
	}
	if w.Failed() {
		w.FailNow()
	}
}
