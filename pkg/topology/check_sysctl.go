package topology

import (
	"net/netip"
	"strconv"
	"strings"

	"github.com/plumbnet/plumb/pkg/object"
)

// The families in the names of sysctls.
const (
	ipv4 = "ipv4"
	ipv6 = "ipv6"
)

// confName is the name of a link's parameter: a dot within the link's name is written as a slash.
func confName(family, link, key string) string {
	return "net." + family + ".conf." + strings.ReplaceAll(link, ".", "/") + "." + key
}

// conf finds the sysctl of a link, of "all" or of "default"; nil is none.
func (s *section) conf(family, link, key string) *Sysctl {
	if len(s.sysctls) == 0 { // as mostly, and the name need not be made
		return nil
	}
	return s.sysctls[confName(family, link, key)]
}

// setting finds the sysctl that gives a link its parameter: the link's own, or that for new links.
func (s *section) setting(family, key string, l *link) *Sysctl {
	if v := s.conf(family, l.name, key); v != nil || l.kind == "" {
		return v
	}
	return s.conf(family, "default", key)
}

// disabled finds the sysctl that switches IPv6 off on a link; nil is none.
func (s *section) disabled(l *link) *Sysctl {
	v := s.setting(ipv6, "disable_ipv6", l)
	if v == nil {
		v = s.conf(ipv6, "all", "disable_ipv6")
	}
	if v == nil || !v.Value.OK() || v.Value.V == "0" {
		return nil
	}
	return v
}

// forwarding is what the section asks of the switch for all links of a family, and where: by sysctl, or by nat, which
// needs it on.
func (s *section) forwarding(name string) (on bool, at span, asked bool) {
	if v := s.sysctls[name]; v != nil {
		return v.Value.V != "0", v.at, true
	}
	for _, e := range s.NAT {
		if !e.flawed && forwardingOf(e.Masquerade.V) == name {
			return true, e.at, true
		}
	}
	return false, span{}, false
}

// forwardingOf is the switch of a network's family.
func forwardingOf(p netip.Prefix) string {
	if p.Addr().Is4() {
		return object.Forwarding4
	}
	return object.Forwarding6
}

// isForwarding says whether a sysctl is a forwarding switch, for all links or for one.
func isForwarding(name string) bool {
	conf := strings.HasPrefix(name, "net.ipv4.conf.") || strings.HasPrefix(name, "net.ipv6.conf.")
	return name == object.Forwarding4 || conf && strings.HasSuffix(name, ".forwarding")
}

// sysctls checks values that plumb understands, and that the links exist whose parameters are set.
func (c *checker) sysctls(s *section) {
	for _, v := range s.Sysctls {
		if isForwarding(v.Name) && v.Value.OK() && v.Value.V != "0" && v.Value.V != "1" {
			c.errorf(v.Value.at, "%s must be 0 or 1, not %q", v.Name, v.Value.V)
		}
		name, ok := object.SysctlOfLink(v.Name)
		if !ok {
			continue
		}
		l, ok := s.links[name]
		switch {
		case ok && v.Name == confName(ipv4, name, "promote_secondaries") && v.Value.OK() && v.Value.V == "0":
			c.errorf(v.at, "%s must stay 1: without it, the first address of a subnet takes the others with it when it changes", v.Name)
		case !ok && s.Name != "" && name != "lo" && !s.flawed && !c.t.Host.flawed:
			c.errorf(v.at, "there is no interface or bridge %s %s", quote(name), s.where()).Hint = suggest(name, s.names(""))
		case ok && l.kind != "" && l.mtuOr() < object.MinIPv6MTU && strings.HasPrefix(v.Name, "net.ipv6."):
			c.errorf(v.at, "%s: IPv6 needs an MTU of at least %d, and that of %s is %d", v.Name, object.MinIPv6MTU, l, l.mtuOr()).
				Hint = seeLine(l.mtu.at)
		}
	}
}

// nat checks a section's nat entries.
func (c *checker) nat(s *section) {
	type words struct {
		subnet netip.Prefix
		out    string
	}
	first := map[words]span{}
	for _, e := range s.NAT {
		if e.flawed {
			continue
		}
		k := words{e.Masquerade.V, e.Out.V}
		if at, twice := first[k]; twice {
			c.errorf(e.at, "this nat entry is given twice, first on line %d", at.line)
			continue
		}
		first[k] = e.at
		if v := s.sysctls[forwardingOf(e.Masquerade.V)]; v != nil && v.Value.V == "0" {
			c.errorf(e.at, "nat needs forwarding, and %s is 0", v.Name).Hint = seeLine(v.at)
		}
		if e.Out.OK() {
			c.own(s, e.Out)
		}
	}
}

// own checks that a link named within a namespace is one of it. The host has others, that the file does not know.
func (c *checker) own(s *section, name Value[string]) bool {
	if _, ok := s.links[name.V]; ok || s.Name == "" || name.V == "lo" || s.flawed || c.t.Host.flawed {
		return true
	}
	c.errorf(name.at, "there is no interface or bridge %s %s", quote(name.V), s.where()).Hint = suggest(name.V, s.names(""))
	return false
}

// seeLine is the hint that names another place.
func seeLine(at span) string {
	if at.line == 0 {
		return ""
	}
	return "see line " + strconv.Itoa(at.line)
}
