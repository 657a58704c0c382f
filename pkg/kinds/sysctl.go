package kinds

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/plumbnet/plumb/pkg/kernel"
	"github.com/plumbnet/plumb/pkg/link"
	"github.com/plumbnet/plumb/pkg/object"
	"github.com/plumbnet/plumb/pkg/plan"
)

// Sysctl is the wanted or live value of a kernel parameter. Name is in sysctl(8)'s form with dots; a dot within an
// interface's name is written as a slash there, as sysctl(8) does: net.ipv4.conf.br0/1.rp_filter.
type Sysctl struct {
	NS, Name string
	Value    string `plan:"value"`

	// restored is what it becomes when it is deleted, which is to give it back.
	restored string
}

// Key implements [plan.Object].
func (s Sysctl) Key() plan.Key { return object.SysctlKey(s.NS, s.Name) }

// Needs implements [plan.Object]: a global switch is written before what it writes beside itself.
func (s Sysctl) Needs() []plan.Key {
	var k []plan.Key
	if link, ok := object.SysctlOfLink(s.Name); ok {
		k = []plan.Key{object.LinkNeed(s.NS, link)}
	} else if s.NS != "" {
		k = []plan.Key{object.NamespaceKey(s.NS)}
	}
	for _, above := range []string{s.global(), s.def()} {
		if above != "" {
			k = append(k, object.SysctlKey(s.NS, above))
		}
	}
	return k
}

// def is the default that writes this parameter too, unless it was ever written itself; empty for none. IPv4 does so
// (net/ipv4/devinet.c: devinet_copy_dflt_conf).
func (s Sysctl) def() string {
	part := strings.Split(object.SysctlPath(s.Name), "/")
	_, ok := object.SysctlOfLink(s.Name)
	if !ok || len(part) != 5 || part[1] != "ipv4" || part[2] != "conf" || part[4] == "forwarding" {
		return ""
	}
	return "net.ipv4.conf.default." + part[4]
}

// follows is the value that a switch of the given value gives this parameter.
func (s Sysctl) follows(value string) string {
	if strings.HasSuffix(s.Name, ".accept_redirects") {
		return fmt.Sprint(kernel.Bit(value == "0"))
	}
	return value
}

// global is the switch that writes this parameter too: of all for default and for each link, empty for none. IPv4
// forwarding also switches off what the kernel accepts of redirects.
func (s Sysctl) global() string {
	part := strings.Split(object.SysctlPath(s.Name), "/")
	if s.Name == "net.ipv4.conf.all.accept_redirects" {
		return object.Forwarding4
	}
	if len(part) != 5 || part[2] != "conf" || part[3] == "all" {
		return ""
	}
	if part[1] == "ipv4" && part[4] == "forwarding" {
		return object.Forwarding4
	}
	if toDefault, ok := spreadKeys[part[4]]; ok && part[1] == "ipv6" && (toDefault || part[3] != "default") {
		return "net.ipv6.conf.all." + part[4]
	}
	return ""
}

// Yields implements [plan.Yielding]: a new link takes the values of default, and of some of all, with it, and with
// disable_ipv6 a link has no IPv6 addresses. Forwarding is written link by link; and what keeps the addresses of a link
// stays until those have gone that are to go.
func (s Sysctl) Yields() bool {
	_, ofLink := object.SysctlOfLink(s.Name)
	keeps := ofLink && strings.HasSuffix(s.Name, "."+promoteSecondaries)
	return s.Name != object.Forwarding4 && !strings.HasSuffix(s.Name, ".forwarding") && !keeps
}

// Describe implements [plan.Object].
func (s Sysctl) Describe() string { return s.Value }

// Restores implements [plan.Restoring].
func (Sysctl) Restores() bool { return true }

// On implements [plan.Dependent].
func (s Sysctl) On() []plan.Key { return s.Needs() }

// After implements [plan.Dependent]: a link's parameters go with it, and global switches write theirs too.
func (s Sysctl) After(old, now plan.Object, w plan.World) (plan.Object, bool) {
	if now == nil {
		// An address that goes reports to its link's key: no parameter goes with it. A switch that is restored writes the
		// others, to what only the kernel knows.
		return s, old.Key().Kind != object.KindLink && old.Key().Kind != object.KindNamespace
	}
	switch above, ok := now.(Sysctl); {
	case !ok:
		if value, ok := object.Switched(s.NS, s.global(), old, now); ok {
			s.Value = s.follows(value)
		}
	case old == now:
	case above.Name == s.global():
		s.Value = s.follows(above.Value)
	case above.Name == s.def() && s.Value != above.Value && !ofGiven(w, s):
		s.Value += " or " + above.Value // only the kernel knows whether it was ever written itself
	}
	return s, true
}

// ofGiven says whether it is a parameter of a link that is there already: see [pinParameters].
func ofGiven(w plan.World, s Sysctl) bool {
	name, _ := object.SysctlOfLink(s.Name)
	l, known := w.Object(object.LinkKey(s.NS, name)).(link.Link)
	return known && l.Given
}

// Switches implements [object.Switcher].
func (s Sysctl) Switches(ns, name string) (value string, ok bool) {
	return s.Value, s.NS == ns && s.Name == name
}

// cutsSysctl says whether a parameter of the host keeps an interface from what it is there for.
func cutsSysctl(l *object.Lifelines, _ plan.Step, c plan.Change) string {
	v, ok := c.New.(Sysctl)
	part := strings.Split(object.SysctlPath(v.Name), "/") // net/ipv6/conf/eth0/disable_ipv6
	value, err := strconv.ParseInt(v.Value, 0, 64)
	if !ok || c.Old == nil || c.Old == c.New || v.NS != "" || err != nil || len(part) != 5 || part[2] != "conf" {
		return ""
	}
	for _, dev := range slices.Sorted(maps.Keys(l.Links)) {
		line, all := l.Links[dev], part[3] == "all"
		if part[3] != dev && !all {
			continue
		}
		switch key := part[1] + " " + part[4]; {
		case line.V6 && key == "ipv6 disable_ipv6" && value != 0:
			return "would switch IPv6 off on " + l.Named(dev)
		case line.V4 && key == "ipv4 arp_ignore" && value == 8: // others answer for some (net/ipv4/arp.c: arp_ignore)
			return fmt.Sprintf("would keep %s, from answering ARP", l.Named(dev))
		case line.Advertised && !all && (key == "ipv6 accept_ra" || key == "ipv6 accept_ra_defrtr") && value == 0:
			return fmt.Sprintf("would let the default route over %s, expire", l.Named(dev))
		}
	}
	return ""
}
