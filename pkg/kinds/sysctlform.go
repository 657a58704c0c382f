package kinds

import (
	"maps"
	"net/netip"
	"slices"
	"strings"
	"unicode"

	"github.com/plumbnet/plumb/pkg/file"
	"github.com/plumbnet/plumb/pkg/object"
)

// SysctlName is the name of a kernel parameter below net, in the form of [Sysctl]: with dots, and a slash for a
// dot within an interface's name.
type SysctlName string

// Parse implements [file.Parser]. It reads both forms of sysctl(8): the separator that comes first is the separator,
// and the other one stands for itself in the form with slashes, for a dot in the form with dots. What it lets through
// stays below /proc/sys/net, whatever it looks like.
func (n *SysctlName) Parse(_, s string) error {
	bad := func(why string) error { return file.Flawf("%s is not a valid sysctl name: %s", file.Quote(s), why) }
	if strings.ContainsFunc(s, oddInName) {
		return bad("it contains a space or a control character")
	}
	if strings.ContainsAny(s, "*?[") {
		return bad("patterns are not known here")
	}
	path := s
	if i := strings.IndexAny(s, "./"); i >= 0 && s[i] == '.' {
		path = object.SysctlPath(s)
	}
	part := strings.Split(path, "/")
	for _, p := range part {
		switch {
		case p == "":
			return bad("a part of it is empty")
		case p == "." || p == "..":
			return bad("a part of it leads to another directory")
		case len(p) > 255:
			return bad("a part of it is longer than 255 bytes")
		}
	}
	if part[0] != "net" || len(part) < 2 {
		return file.Flaw{
			Message: file.Quote(s) + " is not a sysctl of the network",
			Hint:    "only net.* sysctls can be set, for example net.ipv4.ip_forward",
		}
	}
	*n = SysctlName(canonical(object.SysctlPath(path)))
	return nil
}

func oddInName(r rune) bool {
	return unicode.IsSpace(r) || unicode.IsControl(r) || r == unicode.ReplacementChar
}

// canonical gives a parameter that has two names the one that plumb uses.
func canonical(name string) string {
	if name == "net.ipv4.conf.all.forwarding" {
		return object.Forwarding4
	}
	return name
}

// SysctlValue is the value of a kernel parameter as written, with one space for any white space.
type SysctlValue string

// Parse implements [file.Parser].
func (v *SysctlValue) Parse(_, s string) error {
	text := strings.Join(strings.Fields(s), " ")
	if text == "" {
		return file.Flawf("the value is empty")
	}
	// A line break or a zero would end the value for the kernel, and what follows would be lost unseen.
	if strings.ContainsFunc(strings.TrimSpace(s), func(r rune) bool { return r != '\t' && unicode.IsControl(r) }) {
		return file.Flawf("the value %s has control characters", file.Quote(s))
	}
	*v = SysctlValue(text)
	return nil
}

// Text implements [file.Described].
func (*SysctlValue) Text() file.Text {
	return file.Text{Words: "text or number", Types: []string{"string", "integer", "number", "boolean"}}
}

// sysctlForm is how kernel parameters stand in a section.
func sysctlForm() object.Form {
	return object.Form{
		On: object.OnSection,
		Part: file.Part{
			Key: "sysctls", Item: "sysctl", Doc: "kernel parameters below net",
			Also: `sysctl; forwarding|ip_forward|ip-forward|ipv4-forwarding=sysctls: {net.ipv4.ip_forward: "1"}`,
			New:  func() any { return new(file.Map[SysctlName, SysctlValue]) },
		},
		Enter: enterSysctls, Check: checkSysctls, Expand: expandSysctls,
	}
}

func enterSysctls(at *object.At) {
	if at.Name == "" && at.Spots.State() != file.Absent {
		at.Reach(object.BeyondSysctls, at.Spots.Key())
	}
	entries := *at.Form.(*file.Map[SysctlName, SysctlValue])
	for i, spot := range at.Spots.Items() {
		at.Set(object.Setting{
			Name: string(entries[i].Key), At: spot.Key(), Value: file.ValueAt(string(entries[i].Value), spot),
		})
	}
}

// checkSysctls checks values that plumb understands, and that the links exist whose parameters are set.
func checkSysctls(at *object.At) any {
	at.Expect(len(at.Sysctls) + len(at.Links)*len(defaults(at.Sense)))
	checkOutranked(at)
	for _, v := range at.Sysctls {
		if isForwarding(v.Name) && v.Value.Good() && v.Value.V != "0" && v.Value.V != "1" {
			at.Errorf(v.Value.At, "%s must be 0 or 1, not %q", v.Name, v.Value.V)
		}
		name, ok := object.SysctlOfLink(v.Name)
		if !ok {
			continue
		}
		l, ok := at.Sense.Link(name)
		switch {
		case ok && (!l.Given || promotes(at.Sense, l)) && v.Value.Good() && v.Off() &&
			v.Name == object.ConfName(object.IPv4, name, promoteSecondaries):
			at.Errorf(v.At, "%s must stay 1: "+
				"without it, the first address of a subnet takes the others with it when it changes", v.Name)
		case !ok && !at.Foreign() && name != "lo" && at.Whole():
			at.NoLink(name, v.At)
		case ok && l.Type != "" && l.EffectiveMTU() < object.MinIPv6MTU && strings.HasPrefix(v.Name, "net.ipv6."):
			at.Errorf(v.At, "%s: IPv6 needs an MTU of at least %d, and that of %s is %d",
				v.Name, object.MinIPv6MTU, l, l.EffectiveMTU()).Hint = l.MTU.At.See()
		}
	}
	return nil
}

// promoteSecondaries is the parameter that keeps the addresses of a subnet when the first of them goes.
const promoteSecondaries = "promote_secondaries"

// promotes says whether a link that plumb does not make must keep the addresses of a subnet when the first of them
// goes: plumb's own could not change otherwise, and those of others would go with them.
func promotes(s *object.Sense, l *object.Iface) bool {
	others := l.Given || l.Type == "" && s.Foreign()
	return others && slices.ContainsFunc(l.Addresses, func(a file.Value[netip.Prefix]) bool {
		return a.V.Addr().Is4() && !a.V.IsSingleIP()
	})
}

// isForwarding reports whether a sysctl is a forwarding switch, for all links or for one.
func isForwarding(name string) bool {
	conf := strings.HasPrefix(name, "net.ipv4.conf.") || strings.HasPrefix(name, "net.ipv6.conf.")
	return name == object.Forwarding4 || conf && strings.HasSuffix(name, ".forwarding")
}

// perLink is a parameter that a section asks for all links, or for new ones.
type perLink struct {
	family, key string
	setting     *object.Setting
}

// defaults lists the parameters for new links, which hold for the links that are there as well, and those of all links
// that the kernel copies to each, which hold for new ones as well; but not those that are part of [link.Link].
func defaults(s *object.Sense) []perLink {
	var list []perLink
	for i := range s.Sysctls {
		v := &s.Sysctls[i]
		for _, family := range []string{object.IPv4, object.IPv6} {
			key, ok := strings.CutPrefix(v.Name, object.ConfName(family, "default", ""))
			if ok && !ofLink(s, family, key) {
				list = append(list, perLink{family, key, v})
			}
		}
	}
	for _, key := range slices.Sorted(maps.Keys(spreadKeys)) {
		v := s.Conf(object.IPv6, "all", key)
		if v != nil && !ofLink(s, object.IPv6, key) && s.Conf(object.IPv6, "default", key) == nil {
			list = append(list, perLink{object.IPv6, key, v})
		}
	}
	return list
}

// acceptRA is the parameter by which a link takes routes from router advertisements.
const acceptRA = "accept_ra"

// ofLink reports whether a parameter is an attribute of [link.Link] in a section.
func ofLink(s *object.Sense, family, key string) bool {
	return key == "forwarding" || family == object.IPv4 && key == promoteSecondaries ||
		family == object.IPv6 && key == acceptRA && s.Foreign()
}

// isOfLink reports whether a sysctl is an attribute of one of the section's links.
func isOfLink(s *object.Sense, name string) bool {
	of, ok := object.SysctlOfLink(name)
	l, found := s.Link(of)
	if !ok || !found || l.Type == "" || l.Given {
		return false
	}
	if name == object.ConfName(object.IPv6, of, acceptRA) {
		_, ok := l.AcceptRA()
		return ok
	}
	return name == object.ConfName(object.IPv4, of, "forwarding") ||
		name == object.ConfName(object.IPv6, of, "forwarding") ||
		name == object.ConfName(object.IPv4, of, promoteSecondaries)
}

// expandSysctls adds what the section declares, what other kinds need, and what the defaults for new links come to on
// its links.
func expandSysctls(at *object.At, x *object.Expansion) {
	add := func(name, value string, from file.Span) {
		x.Add(Sysctl{NS: at.Name, Name: name, Value: value}, from)
	}
	for _, v := range at.Sysctls {
		if !isOfLink(at.Sense, v.Name) {
			add(v.Name, v.Value.V, v.At)
		}
	}
	for _, name := range []string{object.Forwarding4, object.Forwarding6} {
		if _, from, given := at.Forwarding(name); given && at.Sysctl(name) == nil {
			add(name, "1", from)
		}
	}
	for _, l := range at.Links {
		if name := object.ConfName(object.IPv4, l.Name, promoteSecondaries); promotes(at.Sense, l) && at.Sysctl(name) == nil {
			add(name, "1", l.Addresses[0].At)
		}
	}
	for _, d := range defaults(at.Sense) {
		for _, l := range at.Links {
			name := object.ConfName(d.family, l.Name, d.key)
			small := d.family == object.IPv6 && l.EffectiveMTU() < object.MinIPv6MTU
			if l.Type == "" || l.Given || at.Sysctl(name) != nil || small {
				continue
			}
			add(name, d.setting.Value.V, d.setting.At)
		}
	}
}
