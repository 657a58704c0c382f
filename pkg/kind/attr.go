package kind

import (
	"encoding/binary"
	"fmt"
	"net/netip"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/plumbnet/plumb/pkg/kernel"
)

// attrs is a run of netlink attributes. They are few, and looked for by type, one after another.
type attrs []byte

// get is the value of the last attribute of a type, nil without one.
func (m attrs) get(t uint16) (value []byte) {
	for have, v := range kernel.Attributes(m) {
		if have == t {
			value = v
		}
	}
	return value
}

func (m attrs) nested(t uint16) attrs    { return m.get(t) }
func (m attrs) text(t uint16) string     { return unix.ByteSliceToString(m.get(t)) }
func (m attrs) has(t uint16) bool        { return m.get(t) != nil }
func (m attrs) u32(t uint16) uint32      { return u32At(m.get(t), 0) }
func (m attrs) u8(t uint16) uint8        { return u8At(m.get(t)) }
func (m attrs) addr(t uint16) netip.Addr { a, _ := netip.AddrFromSlice(m.get(t)); return a }

func u8At(b []byte) uint8 {
	if len(b) > 0 {
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

// dump asks for what the kernel has of IPv4, and then of IPv6. A dump of all families at once would wait for the lock that
// links are changed under; of one family, since Linux 6.10, it does not.
type dump [2]kernel.Query

func dumpOf(request int, answer uint16, head func(family int) nl.NetlinkRequestData) (d dump) {
	for i, family := range []int{unix.AF_INET, unix.AF_INET6} {
		req := kernel.Request(request, unix.NLM_F_DUMP)
		req.AddData(head(family))
		d[i] = kernel.NewQuery(req, answer)
	}
	return d
}

// read makes the dump, and hands what there is of each family to use.
func (d dump) read(n *kernel.Namespace, use func(msgs [][]byte)) error {
	for _, q := range d {
		if err := n.Read(q, use); err != nil {
			return err
		}
	}
	return nil
}
