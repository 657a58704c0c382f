package reconcile_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/plumbnet/plumb/pkg/battery/host"
	"github.com/plumbnet/plumb/pkg/kernel"
	"github.com/plumbnet/plumb/pkg/object"
	"github.com/plumbnet/plumb/pkg/reconcile"
)

// Where links are declared in the topology half.
const (
	hostBridge, hostLink = "br9: {}", "e9: {peer: ns1/e9}"
	nsBridge, nsLink     = "br8: {}", "e9: {up: true}"
)

// half is what is there before a link is made.
const half = `
name: half
bridges: {` + hostBridge + `}
interfaces: {` + hostLink + `}
namespaces: {ns1: {bridges: {` + nsBridge + `}, interfaces: {` + nsLink + `}}}
`

// halves are links that are made then, beside others. Needs is what the kernel makes only if it is built for that.
// Unlike says that the link has no MAC by which it is told from others.
var halves = []struct {
	name, beside, link, needs string
	unlike                    bool
}{
	{name: "bridge", beside: hostBridge, link: "br0: {}"},
	{name: "mac declared", beside: hostBridge, link: `br0: {mac: "02:00:00:00:00:07"}`},
	{name: "bridge within", beside: nsBridge, link: "br0: {}"},
	{name: "cable", beside: nsLink, link: "eth0: {bridge: br9}"},
	{name: "cable of the host", beside: hostLink, link: "c0: {peer: host/c1}"},
	{name: "macvlan", beside: hostLink, link: "mv0: {macvlan: {parent: br9}}"},
	{name: "macvlan within", beside: nsLink, link: "mv0: {macvlan: {parent: host/br9}}"},
	{name: "macvtap", beside: hostLink, link: "mv0: {macvtap: {parent: br9}}"},
	{name: "passthru", beside: hostLink, link: "mv0: {macvlan: {parent: e9, mode: passthru}}", unlike: true},
	{name: "vxlan", beside: hostLink, link: "vx0: {vxlan: {id: 7}}"},
	{name: "ifb", beside: hostLink, link: "ifb7: {ifb: {}}"},
	{name: "dummy", beside: hostLink, link: "d0: {dummy: {}}", needs: "dummy"},
	{name: "vlan", beside: hostLink, link: "v0: {vlan: {parent: e9, id: 7}}", needs: "vlan id 7"},
	{name: "ipip", beside: hostLink, link: "t0: {ipip: {local: 192.0.2.1, remote: 192.0.2.2}}", needs: "ipip",
		unlike: true},
}

// halfRun is a link that somebody renames before it has its stamp.
type halfRun struct {
	*lab
	file  string
	ends  []string // places of the link, or of both ends of a cable
	write int64    // that makes it
}

// A link is made with our group, and stamped by a later write. Who renames it in between takes it from nobody: the
// rollback knows it, and so do apply and destroy after a crash.
func TestRenamedUnstamped(t *testing.T) {
	for _, h := range halves {
		t.Run(h.name, func(t *testing.T) {
			if h.needs != "" && !makes(h.needs) {
				t.Skipf("the kernel makes no %s", h.needs)
			}
			l := newLab(t)
			r := &halfRun{lab: l, file: strings.Replace(half, h.beside, h.beside+", "+h.link, 1)}
			before, after := r.find()
			for _, altname := range []bool{false, true} {
				r.fails(before, altname)
				if h.unlike {
					r.left(altname)
					continue
				}
				r.apply(r.load(half))
				r.dies(altname)
				r.destroy("half")
				r.restored("after the destroy", l.base.Text)
				r.apply(r.load(half))
				r.dies(altname)
				r.apply(r.load(r.file))
				r.restored("after the next apply", after)
				r.apply(r.load(half))
			}
		})
	}
}

// makes says whether the kernel makes a type of link.
func makes(kind string) bool {
	return host.Run("sh", "-c", "ip link add below type veth peer name other && "+
		"ip link add probe link below type "+kind+"; made=$?; ip link del probe; ip link del below; exit $made") == nil
}

// find makes the link once, and then is where it began.
func (r *halfRun) find() (before, after string) {
	r.Helper()
	r.apply(r.load(half))
	before = r.settle()
	n := int64(0)
	r.apply(r.load(r.file), inTurn, through(&kernel.Seam{Around: func(w kernel.Write, write func() error) error {
		n++
		if places, ok := strings.CutPrefix(w.What, "create link "); ok {
			r.ends, r.write = strings.Split(places, " and "), n
		}
		return write()
	}}))
	after = r.settle()
	r.apply(r.load(half))
	r.restored("without the link", before)
	if len(r.ends) == 0 {
		r.Fatal("no write makes a link")
	}
	return before, after
}

func inTurn(o *reconcile.Options) { o.Workers = 1 }

// meddle renames the link, which has its old name for another one then, or not.
func (r *halfRun) meddle(altname bool) {
	r.Helper()
	for i, place := range r.ends {
		ns, name, within := strings.Cut(place, "/")
		if !within {
			ns, name = "", place
		}
		r.must(host.Inside(ns, func() error {
			now := fmt.Sprintf("zz%d", i)
			err := errors.Join(host.Run("ip", "link", "set", name, "down"), host.Run("ip", "link", "set", name, "name", now))
			if altname {
				err = errors.Join(err, host.Run("ip", "link", "property", "add", "dev", now, "altname", name))
			}
			return err
		}))
	}
}

// fails lets the write fail that comes after the one that makes the link.
func (r *halfRun) fails(before string, altname bool) {
	r.Helper()
	seam := at(r.write+1, func(kernel.Write, func() error) error {
		// The thread may be inside a namespace.
		r.must(host.Inside("", func() error { r.meddle(altname); return nil }))
		return errInjected
	})
	report, err := r.tryApply(r.load(r.file), inTurn, through(seam))
	if !errors.Is(err, reconcile.ErrRolledBack) {
		r.Errorf("the error is %v, want ErrRolledBack\n%s", err, outcomes(report))
	}
	r.restored("after the rollback", before)
}

// dies lets the process die when the link was made.
func (r *halfRun) dies(altname bool) {
	r.Helper()
	r.sacrifice(order{Name: "half", File: r.file, Die: r.write, After: true})
	r.meddle(altname)
}

// left says that nothing is guessed where nothing tells, and that a warning tells of the link.
func (r *halfRun) left(altname bool) {
	r.Helper()
	r.dies(altname)
	r.destroy("half")
	told := func(text string) bool { return strings.Contains(text, "link zz0 has the group of topology half") }
	if !slices.ContainsFunc(r.warnings, told) {
		r.Errorf("no warning tells of zz0: %q", r.warnings)
	}
	if r.has("zz0") { // it goes with its parent
		r.sh("ip", "link", "del", "zz0")
	}
	r.restored("after the destroy", r.base.Text)
	r.apply(r.load(half))
}

// Who makes a link like ours that is not stamped yet keeps it: with the group alone, or with the MAC too as long as
// ours has its name. Where ours has another one nothing tells which it is.
func TestCopiedUnstamped(t *testing.T) {
	mac := object.DerivedMAC("docker0", "", "br0").String()
	for _, test := range []struct {
		name, mac, renamed string
		left               bool // ours
	}{
		{"the group", "02:f2:00:00:00:01", "zz0", false},
		{"the group, and ours has its name", "02:f2:00:00:00:01", "", false},
		{"the mac too", mac, "zz0", true},
		{"the mac too, and ours has its name", mac, "", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			l := newLab(t)
			yaml := l.example("docker0.yaml")
			n, made := int64(0), int64(0)
			l.apply(l.load(yaml), inTurn, through(&kernel.Seam{Around: func(w kernel.Write, write func() error) error {
				if n++; w.What == "create link br0" {
					made = n
				}
				return write()
			}}))
			l.destroy("docker0")
			l.sacrifice(order{Name: "docker0", File: yaml, Die: made, After: true})
			ours := "br0"
			if test.renamed != "" {
				l.sh("ip", "link", "set", ours, "name", test.renamed)
				ours = test.renamed
			}
			l.sh("ip", "link", "add", "odd0", "address", test.mac, "type", "bridge")
			l.sh("ip", "link", "set", "odd0", "group", fmt.Sprint(object.Group("docker0")))
			before := l.sh("ip", "-d", "link", "show", "odd0")
			l.destroy("docker0")
			l.warnedOfOdd()
			if now := l.sh("ip", "-d", "link", "show", "odd0"); now != before {
				t.Errorf("odd0 was\n%sand is\n%s", before, now)
			}
			if l.has(ours) != test.left {
				t.Errorf("%s is there: %v", ours, !test.left)
			}
			l.sh("ip", "link", "del", "odd0")
			if test.left {
				l.sh("ip", "link", "del", ours)
			}
			l.restored("after destroy", l.base.Text)
		})
	}
}
