package kind

import (
	"errors"
	"os"
	"slices"
	"strconv"
	"testing"

	"github.com/plumbnet/plumb/pkg/kernel"
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

// A link that is made in a new namespace has what was found there.
func TestInheritLink(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	for _, want := range []LiveLink{{}, {NoLinkLocal: true}, {Disabled6: true}, {Forwarding6: true}} {
		var got, made LiveLink
		err := kernel.OnThread(func(thread kernel.Thread) error {
			n, err := kernel.Create(thread, "", new(kernel.Seam))
			if err != nil {
				return err
			}
			defer n.Close()
			// As if it had been inherited, where lo has it too.
			for _, dir := range []string{"default", "lo"} {
				conf := "net/ipv6/conf/" + dir + "/"
				for path, on := range map[string]bool{"addr_gen_mode": want.NoLinkLocal, "disable_ipv6": want.Disabled6, "forwarding": want.Forwarding6} {
					if err := n.WriteSysctlHere(conf+path, strconv.Itoa(int(bit(on)))); err != nil {
						return err
					}
				}
			}
			l := Link{Name: "br0", Type: Bridge, MTU: 1500, MAC: MAC{0x02, 5: 1}}
			found, err := inherit(n)
			if err == nil {
				err = n.Write("create link br0", l.createMessage(0, nil, 0))
			}
			if err != nil {
				return err
			}
			got = found.link
			made, err = FindLink(n, "br0")
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		made = LiveLink{NoLinkLocal: made.NoLinkLocal, Disabled6: made.Disabled6, Forwarding6: made.Forwarding6}
		if got != want || made != want {
			t.Errorf("found is %+v, and a new link has %+v, not %+v", got, made, want)
		}
	}
}
