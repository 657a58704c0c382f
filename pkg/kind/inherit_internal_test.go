package kind

import (
	"errors"
	"net/netip"
	"os"
	"slices"
	"strconv"
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
		for _, dirs := range [][]string{{"all"}, {"default", "lo"}} {
			for _, p := range conf4 {
				if p.name != "" {
					err = errors.Join(err, inherits(t, n, p, dirs))
				}
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

// A link that is made in a new namespace has at first what was found there, and in the end what is wanted.
func TestInheritLink(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	for _, inherited := range []LiveLink{{}, {NoLinkLocal: true}, {Disabled6: true}, {Forwarding6: true}} {
		err := kernel.OnThread(func(thread kernel.Thread) error {
			far, err := inheritor(thread, inherited)
			if err != nil {
				return err
			}
			defer far.NS.Close()
			if *far.newLink != inherited {
				t.Errorf("found is %+v, not %+v", *far.newLink, inherited)
			}
			near, err := kernel.Create(thread, "near", new(kernel.Seam))
			if err != nil {
				return err
			}
			defer near.Close()
			return makesCable(t, far, NewSection(near))
		})
		if err != nil {
			t.Errorf("where %+v is inherited: %v", inherited, err)
		}
	}
}

// inheritor makes a namespace as if it had inherited what its links get.
func inheritor(thread kernel.Thread, links LiveLink) (*Section, error) {
	n, err := kernel.Create(thread, "far", new(kernel.Seam))
	if err != nil {
		return nil, err
	}
	s := NewSection(n)
	parameters := map[string]bool{"addr_gen_mode": links.NoLinkLocal, "disable_ipv6": links.Disabled6, "forwarding": links.Forwarding6}
	for name, on := range parameters {
		for _, dir := range []string{"default", "lo"} {
			err = errors.Join(err, n.WriteSysctlHere("net/ipv6/conf/"+dir+"/"+name, strconv.Itoa(int(bit(on)))))
		}
	}
	if err == nil {
		var got inheritance
		got, err = inherit(n)
		s.newLink = &got.link
	}
	if err != nil {
		n.Close()
	}
	return s, err
}

// makesCable tests that what is found beforehand is what the end of a cable has, and that the cable becomes what is wanted.
func makesCable(t *testing.T, far, near *Section) error {
	l := Link{NS: "far", Name: "eth0", Ifname: "eth0", Type: Veth, MTU: 1500, MAC: MAC{0x02, 5: 1}, Up: true, Group: Group("test")}
	l.LinkLocal = plan.Some(netip.MustParseAddr("fe80::1"))
	other := l
	other.NS, other.MAC = "near", MAC{0x02, 5: 2}
	e := Env{Topology: "test", Sections: map[string]*Section{"far": far, "near": near}}
	e.SetWant([]plan.Object{l, other, Address{NS: "far", Dev: "eth0", Prefix: netip.MustParsePrefix("fd00::1/64")}}, nil)
	own, err := e.createLinks([]Link{l, other})
	if err != nil {
		return err
	}
	made, err := FindLink(far.NS, "eth0")
	if err != nil {
		return err
	}
	known := e.otherEnd(l, own)
	want := LiveLink{Index: made.Index, Group: made.Group, NoLinkLocal: made.NoLinkLocal, Disabled6: made.Disabled6, Forwarding6: made.Forwarding6}
	if known != want && own.Index != 0 { // which kernels before 6.2 do not tell
		t.Errorf("known is %+v, and the other end has %+v", known, want)
	}
	if err := e.finishLink(l, known, false); err != nil {
		return err
	}
	if made, err = FindLink(far.NS, "eth0"); made.NoLinkLocal || made.Disabled6 || made.Forwarding6 {
		t.Errorf("in the end it has %+v", made)
	}
	return err
}
