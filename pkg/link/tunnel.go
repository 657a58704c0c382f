package link

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/plumbnet/plumb/pkg/file"
	"github.com/plumbnet/plumb/pkg/kernel"
	"github.com/plumbnet/plumb/pkg/object"
	"github.com/plumbnet/plumb/pkg/plan"
)

// tunnel is the [Spec] of a tunnel in IP packets, as net/ipv4/ip_tunnel.c and net/ipv6/ip6_tunnel.c make them. The
// kernel finds a tunnel by its ends when a packet comes in, so that two cannot have the same.
type tunnel interface {
	flow() flow
	// over is the tunnel in another underlay.
	over(object.SectionRef) Spec
}

// way is where the packets of such a tunnel leave.
type way struct {
	// Dev is the place of the link that they leave by, empty for what the routes say.
	Dev      object.Ref        `file:"dev" plan:"dev" nl:"1" doc:"the link that packets leave by"`
	Underlay object.SectionRef `file:"underlay" plan:"underlay,fixed" doc:"section that packets travel in"`
}

// flow is what the packets of a tunnel are known by.
type flow struct {
	local, remote netip.Addr
	dev           object.Ref
	underlay      object.SectionRef
	key           GREKey
}

// String is how the claim of a tunnel is called.
func (f flow) String() string {
	words := fmt.Sprintf("from %s to %s", orAny(f.local), orAny(f.remote))
	if key := f.key[0]; key != 0 {
		words += fmt.Sprintf(" with key %d", key)
	}
	if f.dev != "" {
		words += " by " + string(f.dev)
	}
	return words
}

func orAny(a netip.Addr) string {
	if !a.IsValid() {
		return "any"
	}
	return a.String()
}

// wire is the same of both ends of a tunnel, empty where the file does not tell both.
func (f flow) wire() string {
	if !f.local.IsValid() || !f.remote.IsValid() {
		return ""
	}
	both := []string{fmt.Sprintf("%s key %d", f.local, f.key[0]), fmt.Sprintf("%s key %d", f.remote, f.key[1])}
	slices.Sort(both)
	return strings.Join(both, ", ")
}

// maxIPv6 is a packet as large as IPv6 has them (IP6_MAX_MTU of net/ip6_tunnel.h), and limitOption the option of
// the encapsulation limit, which the kernel does not count there.
const (
	maxIPv6     = 40 + object.MaxMTU
	limitOption = 8
)

// ipTunnel makes the row of a type of tunnel. Head is what its own headers take of the MTU below, in bytes.
func ipTunnel(name, doc string, part kernel.Part, spec func() Spec, head func(Spec) uint32) Type {
	largest := uint32(object.MaxMTU)
	if strings.HasPrefix(name, "ip6") {
		largest = maxIPv6 + limitOption
	}
	return Type{
		Name: name, Doc: doc, Part: part, New: spec,
		Check: checkTunnel,
		Claims: func(s Spec) []plan.Key {
			return []plan.Key{{Kind: name + " tunnel", Name: s.(tunnel).flow().String()}}
		},
		Explain: explainTunnel,
		Stack: Stack{
			Inside: true, Outlives: true,
			Below:    func(s Spec) []plan.Key { return placed(s.(tunnel).flow().dev) },
			Underlay: func(s Spec) object.SectionRef { return s.(tunnel).flow().underlay },
			Beneath:  func(s Spec, underlay object.SectionRef, _ object.Ref) Spec { return s.(tunnel).over(underlay) },
		},
		Frames: Frames{IP: true, Wire: tunnelWire(name)},
		Traits: Traits{
			MTU: func(s Spec, below uint32) uint32 {
				if below == 0 || s.(tunnel).flow().dev == "" {
					below = object.DefaultMTU
				}
				return max(below, head(s)) - head(s)
			},
			MTUs: func(s Spec) (least, most uint32) { return object.MinMTU, largest - head(s) },
		},
		Changing: Changing{Whole: true, WithMTU: true, Changed: moveLinkLocals},
	}
}

func tunnelWire(name string) func(Spec) string {
	return func(s Spec) string {
		wire := s.(tunnel).flow().wire()
		if wire != "" {
			wire = name + " " + wire
		}
		return wire
	}
}

// fallbacks are the links that the modules of tunnels make by themselves in each namespace. They have no ends, and can
// be neither changed nor deleted.
var fallbacks = []string{"gre0", "gretap0", "erspan0", "tunl0", "sit0", "ip6gre0", "ip6tnl0", "ip_vti0", "ip6_vti0"}

// checkTunnel reports what does not go together, and settles the underlay, which follows from dev.
func checkTunnel(l *object.Iface, at file.Spots) {
	t, s := l.Spec.(tunnel), l.Section
	f := t.flow()
	if slices.Contains(fallbacks, l.Name) {
		s.Errorf(l.At, "%s is the name of a link that the kernel makes by itself in each namespace", file.Quote(l.Name)).
			Hint = "choose another name"
	}
	six := strings.HasPrefix(l.Type, "ip6")
	hosts(l, at, "local", f.local, six)
	hosts(l, at, "remote", f.remote, six)
	if !f.local.IsValid() && !f.remote.IsValid() && !at.Given("local") && !at.Given("remote") {
		s.Errorf(l.Spots.At(l.Type), "%s has neither local nor remote", l).Hint =
			"write the address that its packets come from, or go to"
	}
	underlay := laidOver(l, at, f.dev, f.underlay)
	for _, other := range s.Sections {
		if twin, ok := other.Link(l.Name); ok && other != s && sectionName(other.Name) == underlay {
			s.Clash(file.Error, l.At, twin.At, "%s and %s, in its underlay, have one name: before Linux 6.15 the kernel "+
				"makes the tunnel there first", l, twin)
		}
	}
	l.Spec = t.over(underlay)
}

// hosts reports an end of a tunnel that is no address of a host, or one of the other family.
func hosts(l *object.Iface, at file.Spots, key string, a netip.Addr, six bool) {
	s := l.Section
	switch {
	case !a.IsValid():
	case a.Is6() != six && six:
		s.Errorf(at.At(key), "%s is an address of IPv4, and %s a tunnel in packets of IPv6", a, l.Type)
	case a.Is6() != six:
		s.Errorf(at.At(key), "%s is an address of IPv6, and %s a tunnel in packets of IPv4", a, l.Type)
	case a.IsUnspecified():
		s.Errorf(at.At(key), "%s is no address of a host", a).Hint = "leave " + key + " out"
	case a.IsMulticast():
		s.Errorf(at.At(key), "%s is a multicast group", a).Hint = "a tunnel to many is a vxlan with group"
	}
}

// laidOver is the section that a tunnel's packets travel in, which follows from the link that they leave by; empty for
// the tunnel's own.
func laidOver(l *object.Iface, at file.Spots, dev object.Ref, underlay object.SectionRef) object.SectionRef {
	s := l.Section
	if of := sectionOf(dev); of != "" {
		if underlay != "" && underlay != of {
			s.Errorf(at.At("underlay"), "dev is in %s, and underlay is %s", of, underlay).Hint = "leave underlay out"
		}
		underlay = of
	} else if underlay != "" {
		s.Find(object.Place{NS: strings.TrimPrefix(string(underlay), object.HostName)}, at.At("underlay"))
	}
	if underlay == sectionName(s.Name) {
		underlay = ""
	}
	return underlay
}

// explainTunnel tells of the one reason for EEXIST that the claims do not.
func explainTunnel(l Link, err error) error {
	if below := l.Spec.(tunnel).flow().underlay; errors.Is(err, unix.EEXIST) && below != "" {
		return fmt.Errorf("%w: before Linux 6.15 no link of its underlay %s may be called %s", err, below, l.Ifname)
	}
	return err
}
