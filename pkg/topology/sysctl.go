package topology

import (
	"strings"
	"unicode"

	"github.com/plumbnet/plumb/pkg/object"
)

// Sysctl is a kernel parameter below net.
type Sysctl struct {
	// Name is in the form of [kinds.Sysctl]: with dots, and a slash for a dot within an interface's name.
	Name string
	// Value is as written, with one space for any white space.
	Value Value[string]

	at span
}

func (d *decoder) sysctls(e entry) []Sysctl {
	entries, _ := d.entries(e.value, e.key)
	var list []Sysctl
	first := map[string]span{}
	for _, e := range entries {
		name, err := sysctlName(e.key)
		if err != nil {
			d.named(e, sysctlName)
			continue
		}
		if at, twice := first[name]; twice {
			d.errorf(e.at, "sysctl %s is given twice, first on line %d", name, at.line).Hint = otherName(e.key, name)
			continue
		}
		first[name] = e.at
		list = append(list, Sysctl{name, read(d, e.value, e.key, sysctlValue), e.at})
	}
	return list
}

// otherName explains why two keys that look different are one.
func otherName(key, name string) string {
	if key == name {
		return ""
	}
	return quote(key) + " is another name of it"
}

// sysctlName is a parser of a sysctl's name in either form of sysctl(8): the separator that comes first is the
// separator, and the other one stands for itself in the first form, for a dot in the second. What it lets through
// stays below /proc/sys/net, whatever it looks like.
func sysctlName(s string) (string, error) {
	bad := func(why string) (string, error) { return "", flawf("%s cannot name a sysctl: %s", quote(s), why) }
	if strings.ContainsFunc(s, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) || r == unicode.ReplacementChar }) {
		return bad("it has white space or control characters")
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
		return "", flaw{quote(s) + " is not below net", "only parameters of the network can be set, as net.ipv4.ip_forward"}
	}
	return canonical(object.SysctlPath(path)), nil
}

// canonical gives a parameter that has two names the one that plumb uses.
func canonical(name string) string {
	if name == "net.ipv4.conf.all.forwarding" {
		return object.Forwarding4
	}
	return name
}

// sysctlValue is a parser of a value, which is text to the kernel.
func sysctlValue(s string) (string, error) {
	v := strings.Join(strings.Fields(s), " ")
	if v == "" {
		return "", flawf("the value is empty")
	}
	// A line break or a zero would end the value for the kernel, and what follows would be lost unseen.
	if strings.ContainsFunc(strings.TrimSpace(s), func(r rune) bool { return r != '\t' && unicode.IsControl(r) }) {
		return "", flawf("the value %s has control characters", quote(s))
	}
	return v, nil
}
