package kind

import (
	"fmt"
	"strings"

	"github.com/plumbnet/plumb/pkg/plan"
)

// KindSysctl is a kernel parameter below net.
const KindSysctl = "sysctl"

// The global forwarding switches; net.ipv4.conf.all.forwarding is another name of the first.
const (
	Forwarding4 = "net.ipv4.ip_forward"
	Forwarding6 = "net.ipv6.conf.all.forwarding"
)

// Sysctl is the wanted or live value of a kernel parameter. Name is in sysctl(8)'s form with dots; a dot within an
// interface's name is written as a slash there, as sysctl(8) does: net.ipv4.conf.br0/1.rp_filter.
type Sysctl struct {
	NS, Name string
	Value    string `plan:"value"`
}

// SysctlKey is the key of a sysctl.
func SysctlKey(ns, name string) plan.Key { return plan.Key{NS: ns, Kind: KindSysctl, Name: name} }

// SysctlPath is the path of a sysctl below /proc/sys.
func SysctlPath(name string) string {
	return strings.Map(func(r rune) rune {
		switch r {
		case '.':
			return '/'
		case '/':
			return '.'
		}
		return r
	}, name)
}

// SysctlOfLink gives the interface that a sysctl is of: eth0 for net.ipv4.conf.eth0.rp_filter and
// net.ipv6.neigh.eth0.mcast_solicit, none for "all" and "default".
func SysctlOfLink(name string) (link string, ok bool) {
	part := strings.SplitN(name, ".", 5)
	if len(part) < 5 || part[0] != "net" || part[1] != "ipv4" && part[1] != "ipv6" && part[1] != "mpls" ||
		part[2] != "conf" && part[2] != "neigh" || part[3] == "all" || part[3] == "default" {
		return "", false
	}
	return strings.ReplaceAll(part[3], "/", "."), true
}

// Key implements [plan.Object].
func (s Sysctl) Key() plan.Key { return SysctlKey(s.NS, s.Name) }

// Needs implements [plan.Object]: a global switch is written before what it writes beside itself.
func (s Sysctl) Needs() []plan.Key {
	var k []plan.Key
	if link, ok := SysctlOfLink(s.Name); ok {
		k = []plan.Key{linkNeed(s.NS, link)}
	} else if s.NS != "" {
		k = []plan.Key{NamespaceKey(s.NS)}
	}
	for _, above := range []string{s.global(), s.def()} {
		if above != "" {
			k = append(k, SysctlKey(s.NS, above))
		}
	}
	return k
}

// def is the default that writes this parameter too, unless it was ever written itself; empty for none. IPv4 does so
// (net/ipv4/devinet.c: devinet_copy_dflt_conf).
func (s Sysctl) def() string {
	part := strings.Split(SysctlPath(s.Name), "/")
	if _, ok := SysctlOfLink(s.Name); !ok || len(part) != 5 || part[1] != "ipv4" || part[2] != "conf" || part[4] == "forwarding" {
		return ""
	}
	return "net.ipv4.conf.default." + part[4]
}

// follows is the value that a switch of the given value gives this parameter.
func (s Sysctl) follows(value string) string {
	if strings.HasSuffix(s.Name, ".accept_redirects") {
		return fmt.Sprint(bit(value == "0"))
	}
	return value
}

// global is the switch that writes this parameter too: of all for default and for each link, empty for none. IPv4
// forwarding also switches off what the kernel accepts of redirects.
func (s Sysctl) global() string {
	part := strings.Split(SysctlPath(s.Name), "/")
	if s.Name == "net.ipv4.conf.all.accept_redirects" {
		return Forwarding4
	}
	if len(part) != 5 || part[2] != "conf" || part[3] == "all" {
		return ""
	}
	switch part[1] + " " + part[4] {
	case "ipv4 forwarding":
		return Forwarding4
	case "ipv6 forwarding", "ipv6 disable_ipv6", "ipv6 addr_gen_mode", "ipv6 ignore_routes_with_linkdown":
		return "net.ipv6.conf.all." + part[4]
	}
	return ""
}

// Yields implements [plan.Yielding]: a new link takes the values of default, and of some of all, with it, and with
// disable_ipv6 a link has no IPv6 addresses. Forwarding is written link by link.
func (s Sysctl) Yields() bool {
	return s.Name != Forwarding4 && !strings.HasSuffix(s.Name, ".forwarding")
}

// Describe implements [plan.Object].
func (s Sysctl) Describe() string { return s.Value }

// On implements [plan.Dependent].
func (s Sysctl) On() []plan.Key { return s.Needs() }

// After implements [plan.Dependent]: a link's parameters go with it, and global switches write theirs too.
func (s Sysctl) After(old, now plan.Object, _ plan.World) (plan.Object, bool) {
	if now == nil {
		// An address that goes reports to its link's key: no parameter goes with it. A switch that is restored writes the
		// others, to what only the kernel knows.
		return s, old.Key().Kind != KindLink && old.Key().Kind != KindNamespace
	}
	switch above, ok := now.(Sysctl); {
	case !ok || old == now:
	case above.Name == s.global():
		s.Value = s.follows(above.Value)
	case above.Name == s.def() && s.Value != above.Value:
		s.Value += " or " + above.Value // only the kernel knows whether it was ever written itself
	}
	if n, ok := now.(Namespace); ok {
		was, _ := old.(Namespace)
		if on := n.Forwarding4; s.global() == Forwarding4 && on.Set && on != was.Forwarding4 {
			s.Value = s.follows(fmt.Sprint(bit(on.V)))
		}
		if on := n.Forwarding6; s.global() == Forwarding6 && on.Set && on != was.Forwarding6 {
			s.Value = fmt.Sprint(bit(on.V))
		}
	}
	return s, true
}
