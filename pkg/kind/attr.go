package kind

import (
	"encoding/binary"
	"fmt"
	"net/netip"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// attrs are the attributes of a netlink message by type, without the flag bits.
type attrs map[uint16][]byte

// nlaTypeMask is NLA_TYPE_MASK of linux/netlink.h: the type without NLA_F_NESTED and NLA_F_NET_BYTEORDER.
const nlaTypeMask = 0x3fff

// parseAttrs reads a run of attributes. What is cut short ends it: the kernel never sends such.
func parseAttrs(b []byte) attrs {
	m := make(attrs, 16)
	for len(b) >= unix.SizeofRtAttr {
		length := int(binary.NativeEndian.Uint16(b))
		if length < unix.SizeofRtAttr || length > len(b) {
			break
		}
		m[binary.NativeEndian.Uint16(b[2:])&nlaTypeMask] = b[unix.SizeofRtAttr:length]
		b = b[min((length+3)&^3, len(b)):]
	}
	return m
}

func (m attrs) nested(t uint16) attrs    { return parseAttrs(m[t]) }
func (m attrs) text(t uint16) string     { return unix.ByteSliceToString(m[t]) }
func (m attrs) has(t uint16) bool        { _, ok := m[t]; return ok }
func (m attrs) u32(t uint16) uint32      { return u32At(m[t], 0) }
func (m attrs) addr(t uint16) netip.Addr { a, _ := netip.AddrFromSlice(m[t]); return a }

func (m attrs) u8(t uint16) uint8 {
	if b := m[t]; len(b) > 0 {
		return b[0]
	}
	return 0
}

// u32At reads element i of an array of 32-bit numbers, 0 where the array is shorter.
func u32At(b []byte, i int) uint32 {
	if len(b) < 4*(i+1) {
		return 0
	}
	return binary.NativeEndian.Uint32(b[4*i:])
}

// message gathers the attributes of a request.
type message struct{ req *nl.NetlinkRequest }

func (m message) raw(t int, b []byte)      { m.req.AddData(nl.NewRtAttr(t, b)) }
func (m message) name(ifname string)       { m.raw(unix.IFLA_IFNAME, nl.ZeroTerminated(ifname)) }
func (m message) u32(t int, v uint32)      { m.raw(t, nl.Uint32Attr(v)) }
func (m message) addr(t int, a netip.Addr) { m.raw(t, a.AsSlice()) }

func (m message) nest(t int) *nl.RtAttr {
	a := nl.NewRtAttr(t|unix.NLA_F_NESTED, nil)
	m.req.AddData(a)
	return a
}

func familyOf(a netip.Addr) uint8 {
	if a.Is4() {
		return unix.AF_INET
	}
	return unix.AF_INET6
}

// wrongType is the error of an operation that was handed an object of another kind: a defect of plumb.
func wrongType(kind string, o any) error { return fmt.Errorf("%s: unexpected object %T", kind, o) }
