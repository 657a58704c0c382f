package topology

import (
	"net/netip"
	"strings"

	"github.com/plumbnet/plumb/pkg/file"
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
func (s *section) conf(family, link, key string) *sysctl {
	if len(s.sysctls) == 0 { // as mostly, and the name need not be made
		return nil
	}
	if v, ok := s.sysctls[confName(family, link, key)]; ok {
		return &v
	}
	return nil
}

// setting finds the sysctl that gives a link its parameter: the link's own, or that for new links.
func (s *section) setting(family, key string, l *link) *sysctl {
	if v := s.conf(family, l.name, key); v != nil || l.kind == "" {
		return v
	}
	return s.conf(family, "default", key)
}

// disabled finds the sysctl that switches IPv6 off on a link; nil is none.
func (s *section) disabled(l *link) *sysctl {
	v := s.setting(ipv6, "disable_ipv6", l)
	if v == nil {
		v = s.conf(ipv6, "all", "disable_ipv6")
	}
	if v == nil || v.bad || v.value == "0" {
		return nil
	}
	return v
}

// forwarding is what the section asks of the switch for all links of a family, and where: by sysctl, or by nat, which
// needs it on.
func (s *section) forwarding(name string) (on bool, at file.Span, asked bool) {
	if v, ok := s.sysctls[name]; ok {
		return v.value != "0", v.at, true
	}
	for i, at := range s.spots.In("nat").Items() {
		if !flawedNAT(at) && forwardingOf(s.NAT[i].Subnet) == name {
			return true, at.At(), true
		}
	}
	return false, file.Span{}, false
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
	for _, e := range s.Sysctls {
		v := s.sysctls[string(e.Key)]
		if isForwarding(v.name) && !v.bad && v.value != "0" && v.value != "1" {
			c.Errorf(v.valueAt, "%s must be 0 or 1, not %q", v.name, v.value)
		}
		name, ok := object.SysctlOfLink(v.name)
		if !ok {
			continue
		}
		l, ok := s.links[name]
		switch {
		case ok && v.name == confName(ipv4, name, "promote_secondaries") && !v.bad && v.value == "0":
			c.Errorf(v.at, "%s must stay 1: "+
				"without it, the first address of a subnet takes the others with it when it changes", v.name)
		case !ok && s.name != "" && name != "lo" && !s.flawed && !c.sections[0].flawed:
			c.Errorf(v.at, "there is no interface or bridge %s %s", file.Quote(name), s.where()).
				Hint = file.Suggest(name, s.names(""))
		case ok && l.kind != "" && l.mtuOr() < object.MinIPv6MTU && strings.HasPrefix(v.name, "net.ipv6."):
			c.Errorf(v.at, "%s: IPv6 needs an MTU of at least %d, and that of %s is %d",
				v.name, object.MinIPv6MTU, l, l.mtuOr()).Hint = l.mtu.At.See()
		}
	}
}

// flawedNAT reports whether an entry could not be read, so that it can't be judged.
func flawedNAT(at file.Spots) bool {
	return at.Strange() || !at.Good("masquerade") || at.State("out") == file.Bad
}

// nat checks a section's nat entries.
func (c *checker) nat(s *section) {
	type words struct {
		subnet netip.Prefix
		out    Ifname
	}
	first := map[words]file.Span{}
	for i, at := range s.spots.In("nat").Items() {
		if flawedNAT(at) {
			continue
		}
		e := s.NAT[i]
		k := words{e.Subnet, e.Out}
		if first, twice := first[k]; twice {
			c.Errorf(at.At(), "this nat entry is given twice, first on line %d", first.Line)
			continue
		}
		first[k] = at.At()
		if v, ok := s.sysctls[forwardingOf(e.Subnet)]; ok && v.value == "0" {
			c.Errorf(at.At(), "nat needs forwarding, and %s is 0", v.name).Hint = v.at.See()
		}
		if at.Given("out") {
			c.own(s, string(e.Out), at.At("out"))
		}
	}
}

// own checks that a link named within a namespace is one of it. The host has others, that the file does not know.
func (c *checker) own(s *section, name string, at file.Span) bool {
	if _, ok := s.links[name]; ok || s.name == "" || name == "lo" || s.flawed || c.sections[0].flawed {
		return true
	}
	c.Errorf(at, "there is no interface or bridge %s %s", file.Quote(name), s.where()).
		Hint = file.Suggest(name, s.names(""))
	return false
}
