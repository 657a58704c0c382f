package kinds

import (
	"errors"
	"net/netip"
	"os"
	"slices"
	"testing"

	"github.com/plumbnet/plumb/pkg/kernel"
	"github.com/plumbnet/plumb/pkg/link"
	"github.com/plumbnet/plumb/pkg/object"
	"github.com/plumbnet/plumb/pkg/plan"
)

// Whatever of the IPv4 parameters a new namespace has otherwise than the kernel would have it is found, and what is
// found puts it right.
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

// A link becomes what is wanted in a namespace that has inherited what a host has configured, and in one that has not.
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
				if far.Plain != (parameters == nil) {
					t.Errorf("a namespace that has inherited %v gives its links what the kernel does by default: %v",
						parameters, far.Plain)
				}
				near, err := kernel.Create(thread, "near", new(kernel.Seam))
				if err != nil {
					return err
				}
				defer near.Close()
				return makesCable(t, far, object.NewSection(near), mtu)
			})
			if err != nil {
				t.Errorf("where %v is inherited, with an MTU of %d: %v", parameters, mtu, err)
			}
		}
	}
}

// inheritor makes a namespace as if it had inherited 1 for some parameters of IPv6.
func inheritor(thread kernel.Thread, parameters []string) (*object.Section, error) {
	n, err := kernel.Create(thread, "far", new(kernel.Seam))
	if err != nil {
		return nil, err
	}
	for _, p := range parameters {
		err = errors.Join(err, n.WriteSysctlHere("net/ipv6/conf/"+p, "1"))
	}
	s := object.NewSection(n)
	if err == nil {
		var got inheritance
		got, err = resetConf(new(object.Env), n)
		s.Plain = got.plain
	}
	if err != nil {
		n.Close()
	}
	return s, err
}

// makesCable tests that the ends of a cable become what is wanted.
func makesCable(t *testing.T, far, near *object.Section, mtu uint32) error {
	l := link.Link{
		NS: "far", Name: "eth0", Ifname: "eth0", Type: link.TypeVeth, MTU: mtu, MAC: object.MAC{0x02, 5: 1}, Up: true,
		Group: object.Group("test"), Spec: link.Veth{}, Peer: "near/eth0",
	}
	other := l
	other.NS, other.MAC, other.Peer = "near", object.MAC{0x02, 5: 2}, "far/eth0"
	want := []plan.Object{l, other}
	if mtu >= object.MinIPv6MTU {
		l.LinkLocal = plan.Some(netip.MustParseAddr("fe80::1"))
		want = []plan.Object{l, other, Address{NS: "far", Dev: "eth0", Prefix: netip.MustParsePrefix("fd00::1/64")}}
	}
	e := object.Env{Topology: "test", Sections: map[string]*object.Section{"far": far, "near": near}}
	e.SetWant(want, nil)
	if err := link.Put(&e, []plan.Change{{New: l}, {New: other}}); err != nil {
		return err
	}
	made, err := object.FindLink(far.NS, "eth0")
	if made.NoLinkLocal || made.Disabled6 || made.Forwarding6 || !made.Up() {
		t.Errorf("in the end it has %+v", made)
	}
	return err
}
