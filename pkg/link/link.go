package kind

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/plumbnet/plumb/pkg/plan"
)

// KindLink is a network interface.
const KindLink = "link"

// The types of link, as the kernel names them in IFLA_INFO_KIND.
const (
	Bridge = "bridge"
	Veth   = "veth"
)

// The limits of a link's MTU, in bytes: RFC 791's least and the kernel's most (ETH_MIN_MTU and ETH_MAX_MTU in
// if_ether.h), and the least that IPv6 works on (RFC 8200).
const (
	MinMTU     = 68
	MaxMTU     = 65535
	MinIPv6MTU = 1280
	DefaultMTU = 1500
)

// MaxBridgePorts is the most ports that a bridge can have (BR_MAX_PORTS in net/bridge/br_private.h, less port 0).
const MaxBridgePorts = 1023

// Unknown stands for the far end of a cable that lies in no namespace with a name.
const Unknown = "?"

// Link is the wanted or live state of a network interface.
type Link struct {
	NS, Name string

	Type string `plan:"type,fixed"`
	// Peer is the place of a cable's other end ("ns1/eth0", or "veth7" on the host), or [Unknown].
	Peer string `plan:"peer,fixed"`
	// Ifname is the name in the kernel; it differs from Name, which the stamp remembers, after a renaming by hand.
	Ifname string `plan:"name"`
	Up     bool   `plan:"up"`
	Master string `plan:"master"`
	MTU    uint32 `plan:"mtu"`
	MAC    MAC    `plan:"mac"`
	// Group and Alias are the stamp: see [Group] and [Alias].
	Group uint32 `plan:"group,quiet"`
	Alias string `plan:"alias,quiet"`
	// LinkLocal is the IPv6 address that the kernel derives from the MAC; unset where it is told not to.
	LinkLocal plan.Opt[netip.Addr] `plan:"link-local address"`
	// Forwarding4, Forwarding6 and Promote are the link's own net.ipv4.conf.*.forwarding, net.ipv6.conf.*.forwarding
	// and net.ipv4.conf.*.promote_secondaries. Without the last, changing the first address of a subnet would take the
	// others, and the routes, with it.
	Forwarding4 bool `plan:"ipv4 forwarding"`
	Forwarding6 bool `plan:"ipv6 forwarding"`
	Promote     bool `plan:"promote_secondaries"`
	// NoARP says that the link does not ask for its neighbours (`ip link set arp off`).
	NoARP bool `plan:"arp off"`
	// Blocked says that a bridge without STP holds this port back, as it does for 30 s after STP was on.
	Blocked bool `plan:"blocked by stp"`
	// STP, VLANFiltering and Snooping are a bridge's.
	STP           plan.Opt[bool] `plan:"stp"`
	VLANFiltering plan.Opt[bool] `plan:"vlan-filtering"`
	Snooping      plan.Opt[bool] `plan:"mcast-snooping"`
}

// LinkKey is the key of a link.
func LinkKey(ns, name string) plan.Key { return plan.Key{NS: ns, Kind: KindLink, Name: name} }

// ParsePlace is the reverse of [plan.Key.Place] for links.
func ParsePlace(place string) plan.Key {
	if ns, name, ok := strings.Cut(place, "/"); ok {
		return LinkKey(ns, name)
	}
	return LinkKey("", place)
}

// Key implements [plan.Object].
func (l Link) Key() plan.Key { return LinkKey(l.NS, l.Name) }

// Needs implements [plan.Object].
func (l Link) Needs() []plan.Key {
	var k []plan.Key
	if l.NS != "" {
		k = append(k, NamespaceKey(l.NS))
	}
	if l.Master != "" {
		k = append(k, LinkKey(l.NS, l.Master))
	}
	return k
}

// Pair implements [plan.Paired].
func (l Link) Pair() (plan.Key, bool) {
	if l.Peer == "" || l.Peer == Unknown {
		return plan.Key{}, false
	}
	return ParsePlace(l.Peer), true
}

// On implements [plan.Dependent].
func (l Link) On() []plan.Key {
	k := []plan.Key{SysctlKey(l.NS, Forwarding4), SysctlKey(l.NS, Forwarding6)}
	if l.NS != "" {
		k = append(k, NamespaceKey(l.NS))
	}
	if l.Master != "" {
		k = append(k, LinkKey(l.NS, l.Master))
	}
	if pair, ok := l.Pair(); ok {
		k = append(k, pair)
	}
	return k
}

// After implements [plan.Dependent]: an end of a cable goes with the other, a bridge only frees its ports, and the
// global forwarding switch writes every link's.
func (l Link) After(old, now plan.Object, _ plan.World) (plan.Object, bool) {
	switch old := old.(type) {
	case Link:
		switch {
		case now != nil:
		case l.Peer == old.Key().Place():
			return nil, false
		case l.NS == old.NS && l.Master == old.Name:
			l.Master, l.Blocked = "", false
		}
	case Sysctl:
		if now, ok := now.(Sysctl); ok {
			l = l.forwarding(now.Name, now.Value != "0")
		}
	case Namespace:
		if now, ok := now.(Namespace); ok {
			if now.Forwarding4.Set && now.Forwarding4 != old.Forwarding4 {
				l = l.forwarding(Forwarding4, now.Forwarding4.V)
			}
			if now.Forwarding6.Set && now.Forwarding6 != old.Forwarding6 {
				l = l.forwarding(Forwarding6, now.Forwarding6.V)
			}
		}
	}
	return l, true
}

func (l Link) forwarding(key string, on bool) Link {
	switch key {
	case Forwarding4:
		l.Forwarding4 = on
	case Forwarding6:
		l.Forwarding6 = on
	}
	return l
}

// Describe implements [plan.Object].
func (l Link) Describe() string {
	s := l.Type
	switch {
	case l.Peer != "":
		s += " to " + l.Peer
	case l.Master != "":
		s += " on " + l.Master
	}
	return fmt.Sprintf("%s, mtu %d", s, l.MTU)
}

// DescribePair implements [plan.Paired]: a cable leads to the bridge that its other end is a port of.
func (l Link) DescribePair(other plan.Object) string {
	if far, ok := other.(Link); ok && far.Master != "" {
		l.Peer = LinkKey(far.NS, far.Master).Place()
	}
	return l.Describe()
}
