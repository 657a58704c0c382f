package reconcile_test

import (
	"cmp"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/plumbnet/plumb/pkg/battery/snapshot"
	"github.com/plumbnet/plumb/pkg/kernel"
	"github.com/plumbnet/plumb/pkg/reconcile"
)

// journey is a run that is to be disturbed: an apply from one topology, or none, to another; or a destroy.
type journey struct {
	name string
	// from and to are nil for none.
	from, to *text
	// whole says that every write is disturbed, and not a sample.
	whole bool
	// way is a namespace and an address that it reaches when one of the topologies is applied.
	way [2]string
}

// pings are a way through each example.
var pings = map[string][2]string{
	"attach-container": {"db", "10.20.0.10"},
	"docker0":          {"ns1", "192.168.10.1"},
	"docker0-dual":     {"ns1", "fd00:10::1"},
	"ipv6-only":        {"alice", "fd00:b::10"},
	"namespaced-nat":   {"phone", "198.51.100.80"},
	"routers":          {"r1", "10.255.0.3"},
	"vlan-trunk":       {"pc1", "10.10.0.12"},
	"uplink-bridge":    {"guest", world4},
	"two-lans":         {"gw", "10.2.0.80"}, // its other bridges run STP, and take half a minute to forward
}

// changes are what makes another topology of an example: it has more, less and other things.
var changes = map[string]*strings.Replacer{
	"docker0-dual": strings.NewReplacer(
		"    addresses: [192.168.10.1/24,", "    mtu: 1400\n    stp: true\n    addresses: [192.168.10.1/24, 10.7.0.1/24,",
		"    stp: false\n", "",
		"        port-name: br0.1\n", "        port-name: br0.2\n        mtu: 1400\n",
		"    routes:\n", "    routes:\n      - {to: 10.6.0.0/16, via: 192.168.10.1, metric: 5}\n",
		`  - {masquerade: "fd00:10::/64"}`, "  - {masquerade: 10.7.0.0/24}",
		"nat:\n", "  ns2:\n    bridges: {sw0: {addresses: [10.1.1.1/24]}}\n    interfaces: {up: {peer: ns1/down}}\n"+
			"    sysctls: {net.ipv4.conf.all.log_martians: 1}\nnat:\n",
	),
	"namespaced-nat": strings.NewReplacer(
		"  laptop:\n", "  tablet:\n",
		"peer: internet/home\n", "peer: internet/home\n        mtu: 1400\n",
		"192.168.1.11/24", "192.168.1.12/24",
		", out: wan", "",
	),
}

// guest makes nothing of its own on the host, but changes what others made; changedGuest wants other values.
const (
	guest = `
name: guest
sysctls: {net.ipv4.conf.fv0.rp_filter: 1, net.ipv4.ip_forward: 1, net.ipv4.conf.default.arp_ignore: 1}
routes: [{to: 10.50.0.0/16, dev: fv0}, {to: 10.51.0.0/16, via: 10.99.2.9, dev: fbr0, metric: 7}]
`
	changedGuest = `
name: guest
sysctls: {net.ipv4.conf.fv0.rp_filter: 2, net.ipv6.conf.all.forwarding: 1, net.ipv4.conf.default.arp_ignore: 2}
routes: [{to: 10.50.0.0/16, dev: fbr0}, {to: 10.52.0.0/16, dev: fv0}]
`
)

// journeys lists, for each example, how it is made, changed, changed back, and destroyed.
func journeys(t *testing.T) []journey {
	t.Helper()
	l := &lab{TB: t}
	read := func(yaml string) *text { return &text{l.load(yaml), yaml} }
	a, b := read(guest), read(changedGuest)
	none := [2]string{}
	all := []journey{
		{"guest made", nil, a, true, none}, {"guest changed", a, b, true, none}, {"guest destroyed", b, nil, true, none},
	}
	for _, file := range examples(t) {
		name := strings.TrimSuffix(file, ".yaml")
		yaml := l.example(file)
		_, whole := changes[name]
		changed := variants[1].edit(yaml)
		if whole {
			changed = changes[name].Replace(yaml)
		}
		a, b := read(yaml), read(changed)
		way := pings[name]
		changedWay := way
		if name == "docker0-dual" { // its changed bridge runs STP, too
			changedWay = none
		}
		all = append(all,
			journey{name + " made", nil, a, whole, way},
			journey{name + " changed", a, b, name == "docker0-dual", changedWay},
			journey{name + " destroyed", a, nil, whole, way})
		if whole {
			all = append(all, journey{name + " changed back", b, a, false, way})
		}
	}
	return all
}

// verb is what the run of a journey is called in the table.
func (j journey) verb() string {
	switch {
	case j.to == nil:
		return "destroy"
	case j.from == nil:
		return "apply"
	}
	return "change"
}

// topology is the name of the one that the journey is about.
func (j journey) topology() string {
	if j.to == nil {
		return j.from.Name
	}
	return j.to.Name
}

// order is one for a victim to make the journey.
func (j journey) order() order {
	o := order{Name: j.topology()}
	if j.to != nil {
		o.File = j.to.text
	}
	return o
}

// field is a host on which one journey is disturbed, time after time.
type field struct {
	*lab
	journey
	run *faultRun
	t   *testing.T
	// empty, before and after are snapshots without the topology, and of the two ends of the journey.
	empty, before, after string
	// writes are those of the journey when nobody disturbs it, but for the copy at its end: see [onlyWarns].
	writes []string
}

func (f *faultRun) field(t *testing.T, j journey) *field {
	t.Helper()
	d := &field{lab: newLab(t), journey: j, run: f, t: t}
	d.around(cmp.Or(j.from, j.to).text)
	d.empty = d.settle()
	d.reset()
	d.before = d.settle()
	seam := d.watch()
	if _, err := d.travel(seam); err != nil {
		t.Fatal(err)
	}
	d.after = d.settle()
	if last := len(d.writes) - 1; last >= 0 && strings.HasSuffix(d.writes[last], appliedCopy) {
		d.writes = d.writes[:last]
	}
	for _, w := range d.writes {
		f.Writes[unnamed(w)] = true
	}
	d.reset()
	return d
}

// watch is a seam that notes the journey's writes.
func (d *field) watch() *kernel.Seam {
	return &kernel.Seam{Around: func(w kernel.Write, write func() error) error {
		d.writes = append(d.writes, w.What)
		return write()
	}}
}

// travel makes the journey through a seam.
func (d *field) travel(seam *kernel.Seam) (reconcile.Report, error) {
	d.Helper()
	if d.to == nil {
		return d.tryDestroy(d.from.Name, through(seam))
	}
	return d.tryApply(d.to.Topology, through(seam))
}

// reset makes the host as the journey finds it.
func (d *field) reset() {
	d.Helper()
	d.destroy(d.topology())
	if d.from != nil {
		d.apply(d.from.Topology)
	}
}

// disturb makes one test of its own of a fault, and counts it.
func (d *field) disturb(sort, name string, test func()) {
	d.t.Helper()
	outer := d.TB
	ok := d.t.Run(name, func(t *testing.T) { d.TB = t; test() })
	d.TB = outer
	leftovers := 0
	if !ok {
		d.destroy(d.topology())
		leftovers = strings.Count(snapshot.Difference(d.empty, d.settle()), "\n")
		d.reset()
	}
	d.run.note(sort, ok, leftovers)
	if leftovers > 0 {
		d.Fatalf("%s: what was left can't be cleared", name)
	}
}

// arrived says that one more apply brings the host to topo, that it works there, and that a destroy leaves nothing.
// Want, unless empty, is the snapshot there.
func (d *field) arrived(topo *text, want string) {
	d.Helper()
	if topo != nil {
		d.apply(topo.Topology)
		d.inSync(topo.Topology)
		if want != "" {
			d.restored("after the next apply", want)
		}
		if d.way[0] != "" {
			d.lab.ping(d.way[0], d.way[1])
		}
	}
	d.gone()
}

// gone says that a destroy leaves nothing, and goes back to the beginning.
func (d *field) gone() {
	d.Helper()
	d.destroy(d.topology())
	d.restored("after the next destroy", d.empty)
	if left := recordOf(d); left != "" {
		d.Errorf("after the next destroy a record is left: %s", left)
	}
	if d.from != nil && !d.Failed() {
		d.apply(d.from.Topology)
	}
}

// recordOf is the text of the host record, empty when there is none.
func recordOf(d *field) string {
	d.Helper()
	paths, err := filepath.Glob("/run/plumb/*/host.json")
	if err != nil || len(paths) == 0 {
		return ""
	}
	b, err := os.ReadFile(paths[0])
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		d.Fatal(err)
	}
	return string(b)
}
