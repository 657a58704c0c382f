package object

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash/fnv"
	"strconv"
	"strings"
)

// Protocol marks what plumb writes where the kernel keeps a protocol number: routes (rtm_protocol) and addresses
// (IFA_PROTO). It is taken by nobody in iproute2's rt_protos or rt_addrprotos.
const Protocol = 112

// Group is the IFLA_GROUP number that stamps the links of a topology. It is even and at least 2; the next number is
// [Doomed]. `ip link` accepts it: it is below 2^31.
func Group(topology string) uint32 {
	h := fnv.New32a()
	h.Write([]byte(topology)) // a hash's Write never fails
	return 2 * (1 + h.Sum32()%0x3ffffffe)
}

// Doomed is the IFLA_GROUP number of links of a topology that are about to be deleted.
func Doomed(topology string) uint32 { return Group(topology) + 1 }

// Alias is the IFLA_IFALIAS that stamps a link: by it a renamed link is known again. [AliasOver] adds to it.
func Alias(topology, ns, name string) string {
	return "plumb:" + topology + "/" + ns + "/" + name
}

// AliasOver is an alias that also tells the underlay of a link of which the kernel does not, if that has another than
// its own section: "plumb:lab/ns1/gn0/host".
func AliasOver(alias string, underlay SectionRef) string {
	if underlay == "" {
		return alias
	}
	return alias + "/" + string(underlay)
}

// AliasUnderlay is the underlay that an alias tells, empty for the link's own section; ok is false for any other text.
func AliasUnderlay(alias string) (underlay SectionRef, ok bool) {
	topology, ns, name, ok := ParseAlias(alias)
	return SectionRef(strings.TrimPrefix(strings.TrimPrefix(alias, Alias(topology, ns, name)), "/")), ok
}

// ParseAlias is the reverse of [Alias]; ok is false for any other text.
func ParseAlias(alias string) (topology, ns, name string, ok bool) {
	rest, ok := strings.CutPrefix(alias, "plumb:")
	if !ok {
		return "", "", "", false
	}
	topology, place, ok := strings.Cut(rest, "/")
	ns, name, whole := strings.Cut(place, "/")
	name, underlay, _ := strings.Cut(name, "/")
	if !ok || !whole || topology == "" || name == "" || strings.Contains(underlay, "/") {
		return "", "", "", false
	}
	return topology, ns, name, true
}

// NamespaceAlias is the alias of a namespace's lo that stamps the namespace. Cookie is the SO_NETNS_COOKIE of the
// host's own namespace, so that another host's namespaces (a container's view of them) are told apart.
func NamespaceAlias(topology string, cookie uint64) string {
	return fmt.Sprintf("plumb:%s@%d", topology, cookie)
}

// ParseNamespaceAlias is the reverse of [NamespaceAlias].
func ParseNamespaceAlias(alias string) (topology string, cookie uint64, ok bool) {
	rest, ok := strings.CutPrefix(alias, "plumb:")
	if !ok {
		return "", 0, false
	}
	topology, number, ok := strings.Cut(rest, "@")
	if !ok || topology == "" {
		return "", 0, false
	}
	cookie, err := strconv.ParseUint(number, 10, 64)
	return topology, cookie, err == nil
}

// hash is what every derived name and MAC comes from: the same on every run and machine.
func hash(topology, ns, name string) []byte {
	sum := sha256.Sum256([]byte("plumb/" + topology + "/" + ns + "/" + name))
	return sum[:5]
}

// DerivedMAC is the MAC address of a link that declares none: locally administered, and the same for the same name.
func DerivedMAC(topology, ns, name string) MAC {
	m := MAC{0: 2}
	copy(m[1:], hash(topology, ns, name))
	return m
}

// AsideName is the name that a link of a section has until it gets its own.
func AsideName(ns, name string) string { return DerivedName("", ns, name) }

// DerivedName is the name of the end of a cable that the file does not name; ns and name are those of the end that
// it does.
func DerivedName(topology, ns, name string) string {
	return "veth" + hex.EncodeToString(hash(topology, ns, name))
}
