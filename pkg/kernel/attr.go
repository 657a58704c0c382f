package kernel

import (
	"encoding/binary"
	"iter"

	"golang.org/x/sys/unix"
)

// typeMask is NLA_TYPE_MASK of linux/netlink.h: the type without NLA_F_NESTED and NLA_F_NET_BYTEORDER.
const typeMask = 0x3fff

// Attributes yields the types and values of a run of netlink attributes (struct nlattr, netlink(7)). What is cut short
// ends it: the kernel never sends such.
func Attributes(b []byte) iter.Seq2[uint16, []byte] {
	return func(yield func(uint16, []byte) bool) {
		for len(b) >= unix.SizeofRtAttr {
			length := int(binary.NativeEndian.Uint16(b))
			if length < unix.SizeofRtAttr || length > len(b) {
				return
			}
			if !yield(binary.NativeEndian.Uint16(b[2:])&typeMask, b[unix.SizeofRtAttr:length]) {
				return
			}
			b = b[min((length+3)&^3, len(b)):]
		}
	}
}
