package object

import (
	"net/netip"
	"strconv"
	"strings"

	"github.com/plumbnet/plumb/pkg/file"
)

// The families in the names of sysctls.
const (
	IPv4 = "ipv4"
	IPv6 = "ipv6"
)

// Setting is a kernel parameter that a section declares.
type Setting struct {
	Name string
	// At is where the name stands.
	At    file.Span
	Value file.Value[string]
}

// Number is the value as the kernel reads numbers: with 0x in front, or 0, it is of another base.
func (v *Setting) Number() (n int64, ok bool) {
	n, err := strconv.ParseInt(v.Value.V, 0, 64)
	return n, err == nil
}

// Off reports whether the value is 0.
func (v *Setting) Off() bool {
	n, ok := v.Number()
	return ok && n == 0
}

// ConfName is the name of a link's parameter: a dot within the link's name is written as a slash.
func ConfName(family, link, key string) string {
	return "net." + family + ".conf." + strings.ReplaceAll(link, ".", "/") + "." + key
}

// Set enters a parameter.
func (s *Sense) Set(v Setting) {
	if s.settings == nil {
		s.settings = map[string]int{}
	}
	s.settings[v.Name] = len(s.Sysctls)
	s.Sysctls = append(s.Sysctls, v)
}

// Sysctl finds a parameter; nil is none.
func (s *Sense) Sysctl(name string) *Setting {
	if i, ok := s.settings[name]; ok {
		return &s.Sysctls[i]
	}
	return nil
}

// Conf finds the parameter of a link, of "all" or of "default"; nil is none.
func (s *Sense) Conf(family, link, key string) *Setting {
	if len(s.settings) == 0 { // as mostly, and the name need not be made
		return nil
	}
	return s.Sysctl(ConfName(family, link, key))
}

// Setting finds the sysctl that gives a link its parameter: the link's own, or that for new links.
func (l *Iface) Setting(family, key string) *Setting {
	if v := l.Section.Conf(family, l.Name, key); v != nil || l.Type == "" {
		return v
	}
	return l.Section.Conf(family, "default", key)
}

// NoIPv6 finds the sysctl that switches IPv6 off on the link; nil is none.
func (l *Iface) NoIPv6() *Setting {
	v := l.Setting(IPv6, "disable_ipv6")
	if v == nil {
		v = l.Section.Conf(IPv6, "all", "disable_ipv6")
	}
	if v == nil || !v.Value.Good() || v.Off() {
		return nil
	}
	return v
}

// AcceptRA is the accept_ra of a link that plumb makes on the host, or in a namespace of somebody else's: 0 unless the
// file says otherwise, so that no router of a lab becomes theirs. Ok is false where it is a sysctl as any other.
func (l *Iface) AcceptRA() (value uint32, ok bool) {
	if !l.Section.Foreign() || l.Type == "" || l.Given {
		return 0, false
	}
	v := l.Setting(IPv6, "accept_ra")
	if v == nil {
		return 0, true
	}
	n, err := strconv.ParseUint(v.Value.V, 10, 31)
	return uint32(n), err == nil
}

// asked is a forwarding switch that something else than a sysctl needs on.
type asked struct {
	name string
	at   file.Span
}

// NeedForwarding enters that packets of a network's family must be forwarded.
func (s *Sense) NeedForwarding(p netip.Prefix, at file.Span) {
	s.asked = append(s.asked, asked{ForwardingOf(p), at})
}

// Forwarding is what the section asks of the switch for all links of a family, and where: by sysctl, or by what needs
// it on.
func (s *Sense) Forwarding(name string) (on bool, at file.Span, given bool) {
	if v := s.Sysctl(name); v != nil {
		return v.Value.V != "0", v.At, true
	}
	for _, a := range s.asked {
		if a.name == name {
			return true, a.at, true
		}
	}
	return false, file.Span{}, false
}

// ForwardingOf is the switch of a network's family.
func ForwardingOf(p netip.Prefix) string {
	if p.Addr().Is4() {
		return Forwarding4
	}
	return Forwarding6
}

// Forwards is a link's own forwarding: what is asked for the link, else for new links, else for all.
func (l *Iface) Forwards(family, all string) bool {
	if v := l.Setting(family, "forwarding"); v != nil {
		return v.Value.V != "0"
	}
	on, _, _ := l.Section.Forwarding(all)
	return on
}
