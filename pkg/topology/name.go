package topology

import (
	"strings"
	"unicode"
)

// hostName is how a file refers to the host where it names a namespace.
const hostName = "host"

// maxIfname is IFNAMSIZ less the closing zero.
const maxIfname = 15

// topologyName is a parser of a topology's name, which becomes part of the name of an nftables table.
func topologyName(s string) (string, error) {
	ok := len(s) >= 1 && len(s) <= 32 && s[0] != '-' && s[len(s)-1] != '-'
	for i := 0; ok && i < len(s); i++ {
		ok = lower(s[i]) || digit(s[i]) || s[i] == '-'
	}
	if !ok {
		return "", flaw{
			"the topology's name " + quote(s) + " is not valid",
			"1 to 32 of a-z, 0-9 and -, with - neither first nor last",
		}
	}
	return s, nil
}

// namespaceName is a parser of a namespace's name, which becomes a file in /run/netns.
func namespaceName(s string) (string, error) {
	if s == hostName {
		return "", flaw{`"host" is the host itself: no namespace can be called so`, "what the host has stands at the top of the file"}
	}
	ok := len(s) >= 1 && len(s) <= 63 && alphanumeric(s[0])
	for i := 0; ok && i < len(s); i++ {
		ok = alphanumeric(s[i]) || s[i] == '.' || s[i] == '_' || s[i] == '-'
	}
	if !ok {
		return "", flaw{
			"the namespace's name " + quote(s) + " is not valid",
			"1 to 63 of A-Z, a-z, 0-9, '.', '_' and '-', with a letter or digit first",
		}
	}
	return s, nil
}

// ifname is a parser of an interface's name, by the kernel's rule (dev_valid_name), and without the names that mean
// all interfaces in sysctls.
func ifname(s string) (string, error) {
	bad := func(why string) (string, error) {
		return "", flawf("%s cannot name an interface: %s", quote(s), why)
	}
	switch {
	case s == "":
		return bad("it is empty")
	case s == "." || s == "..":
		return bad("it is the name of a directory")
	case s == "all" || s == "default":
		return bad("in sysctls it means other interfaces than itself")
	case strings.ContainsFunc(s, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }):
		return bad("it has white space or control characters")
	case strings.ContainsAny(s, "/:%"):
		return bad("it has one of / : %")
	case len(s) > maxIfname:
		return bad("it is longer than 15 bytes")
	}
	return s, nil
}

// ownIfname is ifname for an interface that the topology makes.
func ownIfname(s string) (string, error) {
	if s == "lo" {
		return "", flawf(`"lo" is the loopback interface of the section`)
	}
	return ifname(s)
}

// Place is an interface, in a namespace or, when NS is empty, on the host.
type Place struct {
	NS, Name string
}

func (p Place) String() string {
	if p.NS == "" {
		return hostName + "/" + p.Name
	}
	return p.NS + "/" + p.Name
}

// place is a parser of "ns1/eth0", "host/br0" and "br0".
func place(s string) (Place, error) {
	ns, name, ok := strings.Cut(s, "/")
	if !ok {
		ns, name = hostName, s
	}
	if ns == hostName {
		ns = ""
	} else if _, err := namespaceName(ns); err != nil {
		return Place{}, err
	}
	_, err := ownIfname(name)
	return Place{ns, name}, err
}

func quote(s string) string { return `"` + s + `"` }

func lower(c byte) bool        { return 'a' <= c && c <= 'z' }
func digit(c byte) bool        { return '0' <= c && c <= '9' }
func alphanumeric(c byte) bool { return lower(c) || digit(c) || 'A' <= c && c <= 'Z' }
