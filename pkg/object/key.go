package object

import (
	"strings"

	"github.com/plumbnet/plumb/pkg/file"
	"github.com/plumbnet/plumb/pkg/plan"
)

// The kinds that others stand on.
const (
	// KindNamespace is a network namespace with a name in /run/netns.
	KindNamespace = "namespace"
	// KindLink is a network interface.
	KindLink = "link"
)

// NamespaceKey is the key of a namespace; that of the host's own, named "", is of no object.
func NamespaceKey(name string) plan.Key { return plan.Key{Kind: KindNamespace, Name: name} }

// LinkKey is the key of a link.
func LinkKey(ns, name string) plan.Key { return plan.Key{NS: ns, Kind: KindLink, Name: name} }

// ParsePlace is the reverse of [plan.Key.Place] for links.
func ParsePlace(place string) plan.Key {
	if ns, name, ok := strings.Cut(place, "/"); ok {
		return LinkKey(ns, name)
	}
	return LinkKey("", place)
}

// AttributeKey is the key by which the record knows an attribute of a link.
func AttributeKey(ns, link, attribute string) plan.Key { return LinkKey(ns, link+" "+attribute) }

// AttributeOf is the reverse of [AttributeKey]: no link has a space in its name.
func AttributeOf(k plan.Key) (link, attribute string, ok bool) {
	link, attribute, ok = strings.Cut(k.Name, " ")
	return link, attribute, ok && k.Kind == KindLink
}

// LinkNeed is what anything on a link needs: the link, or for lo, which comes with its namespace, that.
func LinkNeed(ns, dev string) plan.Key {
	if dev == Lo && ns != "" {
		return NamespaceKey(ns)
	}
	return LinkKey(ns, dev)
}

// SectionNeed is what anything else in a section needs: its namespace, or nothing on the host.
func SectionNeed(ns string) []plan.Key {
	if ns == "" {
		return nil
	}
	return []plan.Key{NamespaceKey(ns)}
}

// Lo is the name of the loopback interface, which the kernel makes with each namespace.
const Lo = "lo"

// Ref is the place of a link that an object refers to: "ns1/eth0", or "eth0" on the host. It is empty for none, and
// [Unknown] for a link that lies in no section that the run looks into.
type Ref string

// Laid is an object that is made from a section that can be another than its own: its underlay.
type Laid interface {
	Underlay() string
}

// Unknown stands for a link that lies in no namespace with a name.
const Unknown = "?"

// Parse implements [file.Parser]: it reads NAME and SECTION/NAME. Whoever decodes a Ref finds the link that it means.
func (r *Ref) Parse(name, s string) error {
	var place Place
	if err := place.Parse(name, s); err != nil {
		return err
	}
	*r = Ref(s)
	return nil
}

// Text implements [file.Described].
func (*Ref) Text() file.Text {
	return file.Text{Words: "NAME of the own section, NAMESPACE/NAME, or host/NAME"}
}

// Key is the key of the link; ok is false where there is none that is known.
func (r Ref) Key() (k plan.Key, ok bool) {
	if r == "" || r == Unknown {
		return plan.Key{}, false
	}
	return ParsePlace(string(r)), true
}
