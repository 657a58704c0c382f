package kernel

import (
	"encoding/binary"
	"net/netip"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// Attrs is a run of netlink attributes. They are few, and looked for by type, one after another.
type Attrs []byte

// Get is the value of the last attribute of a type, nil without one.
func (m Attrs) Get(t uint16) (value []byte) {
	for have, v := range Attributes(m) {
		if have == t {
			value = v
		}
	}
	return value
}

// Nested is the value of an attribute that holds attributes.
func (m Attrs) Nested(t uint16) Attrs { return m.Get(t) }

// Text is the value of a zero-terminated attribute.
func (m Attrs) Text(t uint16) string { return unix.ByteSliceToString(m.Get(t)) }

// Has says whether there is an attribute of a type.
func (m Attrs) Has(t uint16) bool { return m.Get(t) != nil }

// U32 is the value of an attribute of 32 bits, 0 without one.
func (m Attrs) U32(t uint16) uint32 { return U32At(m.Get(t), 0) }

// U8 is the value of an attribute of 8 bits, 0 without one.
func (m Attrs) U8(t uint16) uint8 { return U8(m.Get(t)) }

// Addr is the value of an attribute that holds an IP address; it is not valid without one.
func (m Attrs) Addr(t uint16) netip.Addr { a, _ := netip.AddrFromSlice(m.Get(t)); return a }

// U8 reads a number of 8 bits, 0 from nothing.
func U8(b []byte) uint8 {
	if len(b) > 0 {
		return b[0]
	}
	return 0
}

// U16 reads a number of 16 bits, 0 from nothing.
func U16(b []byte) uint16 {
	if len(b) < 2 {
		return 0
	}
	return binary.NativeEndian.Uint16(b)
}

// U32At reads element i of an array of 32-bit numbers, 0 where the array is shorter.
func U32At(b []byte, i int) uint32 {
	if len(b) < 4*(i+1) {
		return 0
	}
	return binary.NativeEndian.Uint32(b[4*i:])
}

// Message is a request that attributes are added to.
type Message struct{ *nl.NetlinkRequest }

// NewMessage makes an rtnetlink request with its fixed head.
func NewMessage(proto, flags int, head nl.NetlinkRequestData) Message {
	req := nl.NewNetlinkRequest(proto, flags)
	req.AddData(head)
	return Message{req}
}

// Add adds an attribute.
func (m Message) Add(t int, b []byte) { m.AddData(nl.NewRtAttr(t, b)) }

// Text adds a zero-terminated attribute.
func (m Message) Text(t int, s string) { m.Add(t, nl.ZeroTerminated(s)) }

// U32 adds an attribute of 32 bits.
func (m Message) U32(t int, v uint32) { m.Add(t, nl.Uint32Attr(v)) }

// Addr adds an attribute that holds an IP address.
func (m Message) Addr(t int, a netip.Addr) { m.Add(t, a.AsSlice()) }

// Nest adds an attribute that holds attributes.
func (m Message) Nest(t int) *nl.RtAttr {
	a := nl.NewRtAttr(t|unix.NLA_F_NESTED, nil)
	m.AddData(a)
	return a
}

// Bit is a truth value as the kernel's attributes and parameters have it.
func Bit(b bool) uint32 {
	if b {
		return 1
	}
	return 0
}

// Family is the address family of an IP address.
func Family(a netip.Addr) uint8 {
	if a.Is4() {
		return unix.AF_INET
	}
	return unix.AF_INET6
}
