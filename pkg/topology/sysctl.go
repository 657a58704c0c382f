package topology

import (
	"strings"
	"unicode"

	"github.com/plumbnet/plumb/pkg/file"
	"github.com/plumbnet/plumb/pkg/object"
)

// SysctlName is the name of a kernel parameter below net, in the form of [kinds.Sysctl]: with dots, and a slash for a
// dot within an interface's name.
type SysctlName string

// Parse implements [file.Parser]. It reads both forms of sysctl(8): the separator that comes first is the separator,
// and the other one stands for itself in the form with slashes, for a dot in the form with dots. What it lets through
// stays below /proc/sys/net, whatever it looks like.
func (n *SysctlName) Parse(_, s string) error {
	bad := func(why string) error { return file.Flawf("%s cannot name a sysctl: %s", file.Quote(s), why) }
	if strings.ContainsFunc(s, oddInName) {
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
		return file.Flaw{
			Message: file.Quote(s) + " is not below net",
			Hint:    "only parameters of the network can be set, as net.ipv4.ip_forward",
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
