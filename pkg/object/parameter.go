package object

import (
	"strings"

	"github.com/plumbnet/plumb/pkg/plan"
)

// KindSysctl is a kernel parameter below net. Names of parameters are in sysctl(8)'s form with dots; a dot within an
// interface's name is written as a slash there, as sysctl(8) does: net.ipv4.conf.br0/1.rp_filter.
const KindSysctl = "sysctl"

// The global forwarding switches; net.ipv4.conf.all.forwarding is another name of the first.
const (
	Forwarding4 = "net.ipv4.ip_forward"
	Forwarding6 = "net.ipv6.conf.all.forwarding"
)

// SysctlKey is the key of a parameter.
func SysctlKey(ns, name string) plan.Key { return plan.Key{NS: ns, Kind: KindSysctl, Name: name} }

// SysctlPath is the path of a parameter below /proc/sys, and the reverse.
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

// SysctlOfLink gives the interface that a parameter is of: eth0 for net.ipv4.conf.eth0.rp_filter and
// net.ipv6.neigh.eth0.mcast_solicit, none for "all" and "default".
func SysctlOfLink(name string) (link string, ok bool) {
	part := strings.SplitN(name, ".", 5)
	if len(part) < 5 || part[0] != "net" || part[1] != "ipv4" && part[1] != "ipv6" && part[1] != "mpls" ||
		part[2] != "conf" && part[2] != "neigh" || part[3] == "all" || part[3] == "default" {
		return "", false
	}
	return strings.ReplaceAll(part[3], "/", "."), true
}

// Switcher is an object that sets parameters, as a global forwarding switch, which the kernel copies to each link.
type Switcher interface {
	plan.Object
	// Switches says what the object sets the parameter of a section to; ok is false when it leaves it alone.
	Switches(ns, name string) (value string, ok bool)
}

// Switched says what a switch of a section becomes when an object changes from old to now; ok is false when it stays.
func Switched(ns, name string, old, now plan.Object) (value string, ok bool) {
	was, isSwitcher := old.(Switcher)
	is, still := now.(Switcher)
	if !isSwitcher || !still {
		return "", false
	}
	value, ok = is.Switches(ns, name)
	before, known := was.Switches(ns, name)
	return value, ok && (!known || before != value)
}

// IsOn says whether a switch of that value is on; one that the kernel does not have is not.
func IsOn(value string) bool { return value != "" && value != "0" }
