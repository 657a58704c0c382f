package object

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/plumbnet/plumb/pkg/kernel"
)

// LiveAddress is an address as the kernel describes it in RTM_NEWADDR, with the index of its link.
type LiveAddress struct {
	Index     int
	Prefix    netip.Prefix
	Peer      netip.Addr
	Broadcast netip.Addr
	Label     string
	Scope     uint8
	Flags     uint32
	Proto     uint8
	Metric    uint32
	Forever   bool
	Message   []byte // as it was told
	// Derived says that it is to be as the kernel derives one where it looks for no duplicates.
	Derived bool
}

// Values of linux/if_addr.h that package unix lacks.
const (
	IfaRtPriority  = 9
	IfaProto       = 11
	ProtoLinkLocal = 3 // IFAPROT_KERNEL_LL: the kernel made it from the MAC
	lifetimeAlways = 0xffffffff
)

// AddressDump lists addresses.
var AddressDump = NewDump("addresses", unix.RTM_GETADDR, unix.RTM_NEWADDR,
	func(family int) nl.NetlinkRequestData { return nl.NewIfAddrmsg(family) }, nil)

// Addresses are those that the section was found with, in the order in which they were added to their links; IPv4
// first.
func (s *Section) Addresses() []LiveAddress {
	if s.addresses == nil {
		s.addresses = parseAddresses(s.Messages(AddressDump))
	}
	return s.addresses
}

// ListAddresses lists the addresses of a namespace anew.
func ListAddresses(n *kernel.Namespace) ([]LiveAddress, error) {
	msgs, err := AddressDump.Read(n)
	return parseAddresses(msgs), err
}

func parseAddresses(msgs [][]byte) []LiveAddress {
	list := make([]LiveAddress, 0, len(msgs))
	four := 0
	for _, m := range msgs {
		a := ParseAddress(m)
		if !a.Prefix.IsValid() {
			continue // no family that we know
		}
		if list = append(list, a); a.Prefix.Addr().Is4() {
			four = len(list)
		}
	}
	slices.Reverse(list[four:]) // the kernel lists the newest first
	return list
}

// ParseAddress reads a message of RTM_NEWADDR.
func ParseAddress(b []byte) LiveAddress {
	m := nl.DeserializeIfAddrmsg(b)
	t := kernel.Attrs(b[m.Len():])
	a := LiveAddress{
		Index: int(m.Index), Scope: m.Scope, Flags: uint32(m.IfAddrmsg.Flags), Label: t.Text(unix.IFA_LABEL),
		Proto: t.U8(IfaProto), Metric: t.U32(IfaRtPriority), Broadcast: t.Addr(unix.IFA_BROADCAST), Forever: true,
		Message: b,
	}
	if t.Has(unix.IFA_FLAGS) {
		a.Flags = t.U32(unix.IFA_FLAGS)
	}
	if info := t.Get(unix.IFA_CACHEINFO); len(info) >= 8 { // ifa_prefered, ifa_valid: seconds
		a.Forever = kernel.U32At(info, 0) == lifetimeAlways && kernel.U32At(info, 1) == lifetimeAlways
	}
	local, far := t.Addr(unix.IFA_LOCAL), t.Addr(unix.IFA_ADDRESS)
	if !local.IsValid() {
		local, far = far, netip.Addr{}
	}
	if far == local {
		far = netip.Addr{}
	}
	if local.IsValid() {
		a.Prefix, a.Peer = netip.PrefixFrom(local, int(m.Prefixlen)), far
	}
	return a
}

// LinkLocals finds the addresses that the kernel has derived from each link's MAC, by index. Where there are two, one
// is of another MAC.
func (s *Section) LinkLocals() map[int][]LiveAddress {
	made := make(map[int][]LiveAddress, len(s.Links))
	for _, a := range s.Addresses() {
		if a.Proto == ProtoLinkLocal && s.byIndex[a.Index] != nil {
			made[a.Index] = append(made[a.Index], a)
		}
	}
	return made
}

// Write adds, changes or deletes the address, as proto and flags say; verb and place name that in errors.
func (a LiveAddress) Write(n *kernel.Namespace, verb string, proto, flags int, place string) error {
	return n.Write(fmt.Sprintf("%s address %s %s", verb, a.Prefix, place), a.message(proto, flags))
}

// Swap deletes the address and adds another in one go. It may be gone already.
func (a LiveAddress) Swap(n *kernel.Namespace, to LiveAddress, place string) error {
	add := to.message(unix.RTM_NEWADDR, unix.NLM_F_CREATE|unix.NLM_F_EXCL)
	return n.WriteBoth(fmt.Sprintf("replace address %s %s", to.Prefix, place), a.message(unix.RTM_DELADDR, 0), add,
		unix.EADDRNOTAVAIL)
}

func (a LiveAddress) message(proto, flags int) *nl.NetlinkRequest {
	addr := a.Prefix.Addr()
	head := nl.NewIfAddrmsg(int(kernel.Family(addr)))
	head.Prefixlen, head.Scope, head.Index = uint8(a.Prefix.Bits()), a.Scope, uint32(a.Index)
	m := kernel.NewMessage(proto, flags, head)
	m.Addr(unix.IFA_LOCAL, addr)
	if a.Peer.IsValid() {
		m.Addr(unix.IFA_ADDRESS, a.Peer)
	} else {
		m.Addr(unix.IFA_ADDRESS, addr)
	}
	if a.Broadcast.IsValid() {
		m.Addr(unix.IFA_BROADCAST, a.Broadcast)
	}
	if a.Label != "" && proto != unix.RTM_DELADDR { // a link that got its name back has changed its labels too
		m.Text(unix.IFA_LABEL, a.Label)
	}
	if a.Metric != 0 {
		m.U32(IfaRtPriority, a.Metric)
	}
	if a.Proto != 0 {
		m.Add(IfaProto, []byte{a.Proto})
	}
	f := a.Flags & unix.IFA_F_NOPREFIXROUTE
	if !addr.Is4() && !a.Derived {
		f |= unix.IFA_F_NODAD // duplicate address detection takes 2 s, and for ever without a carrier
	}
	m.U32(unix.IFA_FLAGS, f)
	return m.NetlinkRequest
}

// AddressIndexes are the places in a message about an address at which the index of a link stands.
func AddressIndexes(b []byte) [][]byte { return [][]byte{b[4:8]} }

// Renew adds an IPv6 address that has to be usable at once, in the place of one that is there and may be tentative. The
// kernel may add a link-local one at any time.
func (a LiveAddress) Renew(n *kernel.Namespace, place string) (err error) {
	const tries = 5
	for range tries {
		if err = a.Swap(n, a, place); !errors.Is(err, unix.EEXIST) {
			return err
		}
	}
	return err
}

// Tentative says that the kernel does not use the address yet: it looks for another station that has it.
func (a LiveAddress) Tentative() bool {
	return a.Flags&(unix.IFA_F_TENTATIVE|unix.IFA_F_DADFAILED) == unix.IFA_F_TENTATIVE
}

// BesideDerived says whether an address is one of ours that the kernel sorts by age with the one that it derives from
// the MAC.
func BesideDerived(a netip.Addr, proto uint8) bool {
	return proto == Protocol && a.Is6() && a.IsLinkLocalUnicast()
}

// IgnoreGone makes a success of deleting what is gone already.
func IgnoreGone(err error) error {
	for _, gone := range []error{unix.EADDRNOTAVAIL, unix.ENODEV, unix.ESRCH, unix.ENOENT} {
		if errors.Is(err, gone) {
			return nil
		}
	}
	return err
}
