package kind

import (
	"errors"
	"net/netip"
	"os"
	"slices"
	"testing"

	"github.com/plumbnet/plumb/pkg/kernel"
	"github.com/plumbnet/plumb/pkg/plan"
)

// Whatever of the IPv4 parameters a new namespace has otherwise than the kernel would have it is found, and what is found puts it right.
func TestInherit(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	err := kernel.OnThread(func(thread kernel.Thread) error {
		n, err := kernel.Create(thread, "", new(kernel.Seam))
		if err != nil {
			return err
		}
		defer n.Close()
		if _, err := mend(n); err != nil { // what this machine's own namespaces inherit
			return err
		}
		for _, p := range conf4 {
			if p.name == "" {
				continue
			}
			err = errors.Join(err, inherits(t, n, p, []string{"all"}), inherits(t, n, p, []string{"default", "lo"}))
			if p.in("lo") != p.in("default") { // which lo has anyway
				err = errors.Join(err, inherits(t, n, p, []string{"default"}))
			}
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// inherits gives a parameter another value in some directories, and tests what is found then.
func inherits(t *testing.T, n *kernel.Namespace, p parameter, dirs []string) error {
	var want []setting
	for _, dir := range dirs {
		odd := p.in(dir)
		want = append(want, odd.setting(dir))
		odd.value ^= 1
		s := odd.setting(dir)
		if err := n.WriteSysctlHere(s.path, s.value); err != nil {
			return err
		}
	}
	got, err := mend(n)
	if err != nil {
		return err
	}
	missing := func(s setting) bool { return !slices.Contains(got, s) }
	if slices.ContainsFunc(want, missing) || len(got) > len(want) && p.name != "forwarding" { // which changes others
		t.Errorf("with another %s in %v, what must be written is %v, and not %v", p.name, dirs, got, want)
	}
	if got, err = mend(n); len(got) > 0 {
		t.Errorf("after %s was mended in %v, what must be written is %v", p.name, dirs, got)
	}
	return err
}

// mend writes what the namespace has otherwise than a new one would, and lists it.
func mend(n *kernel.Namespace) ([]setting, error) {
	got, err := inherit(n)
	for _, s := range got.deviations {
		err = errors.Join(err, n.WriteSysctlHere(s.path, s.value))
	}
	return got.deviations, err
}

// The other end of a cable is known where it has nothing that a host has configured, and becomes what is wanted where it has.
func TestInheritLink(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	for _, parameters := range [][]string{
		nil, {"default/addr_gen_mode", "lo/addr_gen_mode"}, {"default/disable_ipv6", "lo/disable_ipv6"},
		{"default/forwarding", "lo/forwarding"}, {"all/forwarding", "default/forwarding", "lo/forwarding"},
	} {
		for _, mtu := range []uint32{1500, 1000} { // too small for IPv6
			err := kernel.OnThread(func(thread kernel.Thread) error {
				far, err := inheritor(thread, parameters)
				if err != nil {
					return err
				}
				defer far.NS.Close()
				if far.plain != (parameters == nil) {
					t.Errorf("a namespace that has inherited %v gives its links what the kernel does by default: %v", parameters, far.plain)
				}
				near, err := kernel.Create(thread, "near", new(kernel.Seam))
				if err != nil {
					return err
				}
				defer near.Close()
				return makesCable(t, far, NewSection(near), mtu)
			})
			if err != nil {
				t.Errorf("where %v is inherited, with an MTU of %d: %v", parameters, mtu, err)
			}
		}
	}
}

// inheritor makes a namespace as if it had inherited 1 for some parameters of IPv6.
func inheritor(thread kernel.Thread, parameters []string) (*Section, error) {
	n, err := kernel.Create(thread, "far", new(kernel.Seam))
	if err != nil {
		return nil, err
	}
	for _, p := range parameters {
		err = errors.Join(err, n.WriteSysctlHere("net/ipv6/conf/"+p, "1"))
	}
	s := NewSection(n)
	if err == nil {
		var got inheritance
		got, err = new(Env).resetConf(n)
		s.plain = got.plain
	}
	if err != nil {
		n.Close()
	}
	return s, err
}

// makesCable tests that what is told beforehand of the end of a cable is so, and that the end becomes what is wanted.
func makesCable(t *testing.T, far, near *Section, mtu uint32) error {
	l := Link{NS: "far", Name: "eth0", Ifname: "eth0", Type: Veth, MTU: mtu, MAC: MAC{0x02, 5: 1}, Up: true, Group: Group("test")}
	other := l
	other.NS, other.MAC = "near", MAC{0x02, 5: 2}
	want := []plan.Object{l, other}
	if mtu >= MinIPv6MTU {
		l.LinkLocal = plan.Some(netip.MustParseAddr("fe80::1"))
		want = []plan.Object{l, other, Address{NS: "far", Dev: "eth0", Prefix: netip.MustParsePrefix("fd00::1/64")}}
	}
	e := Env{Topology: "test", Sections: map[string]*Section{"far": far, "near": near}}
	e.SetWant(want, nil)
	own, err := e.createLinks([]Link{l, other})
	if err != nil {
		return err
	}
	made, err := FindLink(far.NS, "eth0")
	if err != nil {
		return err
	}
	told := e.otherEnd(l, own)
	if (told.Index != 0) != (far.plain && own.Index != 0) { // of which kernels before 6.2 tell nothing
		t.Errorf("index %d is told of the other end, where the own is %d, and what it has is known: %v", told.Index, own.Index, far.plain)
	}
	live := LiveLink{Index: made.Index, Group: made.Group, NoLinkLocal: made.NoLinkLocal, Disabled6: made.Disabled6, Forwarding6: made.Forwarding6}
	if told.Index != 0 && told != live {
		t.Errorf("told is %+v of the other end, which has %+v", told, live)
	}
	if err := e.finishLink(l, told, false); err != nil {
		return err
	}
	if made, err = FindLink(far.NS, "eth0"); made.NoLinkLocal || made.Disabled6 || made.Forwarding6 || !made.Up() {
		t.Errorf("in the end it has %+v", made)
	}
	return err
}
