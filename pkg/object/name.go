package object

import (
	"errors"
	"strings"
	"unicode"

	"github.com/plumbnet/plumb/pkg/file"
)

// HostName is how a file refers to the host where it names a namespace.
const HostName = "host"

// maxIfname is IFNAMSIZ less the closing zero.
const maxIfname = 15

// Name is a topology's name, which becomes part of the name of an nftables table.
type Name string

// Parse implements [file.Parser].
func (n *Name) Parse(_, s string) error {
	ok := len(s) >= 1 && len(s) <= 32 && s[0] != '-' && s[len(s)-1] != '-'
	for i := 0; ok && i < len(s); i++ {
		ok = lower(s[i]) || digit(s[i]) || s[i] == '-'
	}
	if !ok {
		return file.Flaw{
			Message: "the topology's name " + file.Quote(s) + " is not valid",
			Hint:    "1 to 32 of a-z, 0-9 and -, with - neither first nor last",
		}
	}
	*n = Name(s)
	return nil
}

// Text implements [file.Described].
func (*Name) Text() file.Text {
	return file.Text{Words: "name", Pattern: "^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$"}
}

// NamespaceName is a namespace's name, which becomes a file in /run/netns.
type NamespaceName string

// Parse implements [file.Parser].
func (n *NamespaceName) Parse(_, s string) error {
	if s == HostName {
		return file.Flaw{
			Message: `"host" is the host itself: no namespace can be called so`,
			Hint:    "what the host has stands at the top of the file",
		}
	}
	ok := len(s) >= 1 && len(s) <= 63 && alphanumeric(s[0])
	for i := 0; ok && i < len(s); i++ {
		ok = alphanumeric(s[i]) || s[i] == '.' || s[i] == '_' || s[i] == '-'
	}
	if !ok {
		return file.Flaw{
			Message: "the namespace's name " + file.Quote(s) + " is not valid",
			Hint:    "1 to 63 of A-Z, a-z, 0-9, '.', '_' and '-', with a letter or digit first",
		}
	}
	*n = NamespaceName(s)
	return nil
}

// Text implements [file.Described].
func (*NamespaceName) Text() file.Text {
	return file.Text{Words: "name of a namespace", Pattern: "^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$"}
}

// SectionRef names a section: "host", or a namespace. It is empty for none.
type SectionRef string

// Parse implements [file.Parser].
func (r *SectionRef) Parse(name, s string) error {
	if s != HostName {
		if err := new(NamespaceName).Parse(name, s); err != nil {
			return err
		}
	}
	*r = SectionRef(s)
	return nil
}

// Text implements [file.Described].
func (*SectionRef) Text() file.Text { return file.Text{Words: "host, or a namespace"} }

// Ifname is an interface's name, by the kernel's rule (dev_valid_name), and without the names that mean all interfaces
// in sysctls.
type Ifname string

// Parse implements [file.Parser].
func (n *Ifname) Parse(_, s string) error {
	err := CheckIfname(s)
	switch {
	case err != nil:
		return err
	case len(s) > maxIfname:
		return file.Flawf("%s is not a valid interface name: it is longer than 15 bytes", file.Quote(s))
	}
	*n = Ifname(s)
	return nil
}

// CheckIfname says what an interface cannot be called, however long that is.
func CheckIfname(s string) error {
	bad := func(why string) error { return file.Flawf("%s is not a valid interface name: %s", file.Quote(s), why) }
	switch {
	case s == "":
		return bad("it is empty")
	case s == "." || s == "..":
		return bad("it is the name of a directory")
	case s == "all" || s == "default":
		return bad("in sysctls it means other interfaces than itself")
	case strings.ContainsFunc(s, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }):
		return bad("it contains a space or a control character")
	case strings.ContainsAny(s, "/:%"):
		return bad("it contains one of / : %")
	}
	return nil
}

// Text implements [file.Described].
func (*Ifname) Text() file.Text {
	return file.Text{Words: "name of an interface", Pattern: "^[^/:%\\s]{1,15}$"}
}

// OwnIfname is the name of an interface that the topology makes: any but lo.
type OwnIfname string

// Parse implements [file.Parser].
func (n *OwnIfname) Parse(name, s string) error {
	if s == "lo" {
		return file.Flawf(`"lo" is the loopback interface of the section`)
	}
	return (*Ifname)(n).Parse(name, s)
}

// Text implements [file.Described].
func (*OwnIfname) Text() file.Text { return (*Ifname)(nil).Text() }

// Place is an interface, in a namespace or, when NS is empty, on the host.
type Place struct {
	NS, Name string
	// Bare says that the file names no section, and so may mean something else.
	Bare bool
}

func (p Place) String() string {
	switch {
	case p.Bare:
		return p.Name
	case p.NS == "":
		return HostName + "/" + p.Name
	}
	return p.NS + "/" + p.Name
}

// Parse implements [file.Parser]: it reads "ns1/eth0", "host/br0" and "br0".
func (p *Place) Parse(name, s string) error {
	ns, dev, ok := strings.Cut(s, "/")
	if !ok {
		ns, dev = HostName, s
	}
	var in NamespaceName
	var ifname OwnIfname
	if ns != HostName {
		if err := in.Parse(name, ns); err != nil {
			return err
		}
	}
	if err := ifname.Parse(name, dev); err != nil {
		return withSlash(s, err)
	}
	*p = Place{string(in), string(ifname), !ok}
	return nil
}

// withSlash adds to what is wrong with a place how it may be meant that has a colon in place of its slash.
func withSlash(s string, err error) error {
	var flaw file.Flaw
	at, to, found := strings.Cut(s, ":")
	if !found || strings.ContainsAny(s, "/") || !errors.As(err, &flaw) || new(Place).Parse("", at+"/"+to) != nil {
		return err
	}
	flaw.Hint = "write " + at + "/" + to
	return flaw
}

// Text implements [file.Described].
func (*Place) Text() file.Text {
	return file.Text{Words: "NAMESPACE/NAME, or NAME for one of the host"}
}

func lower(c byte) bool        { return 'a' <= c && c <= 'z' }
func digit(c byte) bool        { return '0' <= c && c <= '9' }
func alphanumeric(c byte) bool { return lower(c) || digit(c) || 'A' <= c && c <= 'Z' }
