package object

import (
	"fmt"
	"net"
	"net/netip"

	"github.com/plumbnet/plumb/pkg/file"
)

// MAC is an Ethernet address as a comparable value.
type MAC [6]byte

// ParseMAC reads a unicast Ethernet address in any of the forms of [net.ParseMAC].
func ParseMAC(s string) (MAC, error) {
	hw, err := net.ParseMAC(s)
	if err != nil || len(hw) != 6 {
		return MAC{}, fmt.Errorf("%q is not a MAC address: six pairs of hex digits, as 02:00:00:00:00:01", s)
	}
	m := MAC(hw)
	switch {
	case m == MAC{}:
		return MAC{}, fmt.Errorf("%q is the zero address", s)
	case m[0]&1 != 0:
		return MAC{}, fmt.Errorf("%q is a multicast address: the first byte must be even", s)
	}
	return m, nil
}

func (m MAC) String() string { return net.HardwareAddr(m[:]).String() }

// LinkLocal is the IPv6 address that the kernel derives from the MAC (RFC 4291, appendix A).
func (m MAC) LinkLocal() netip.Addr {
	return netip.AddrFrom16([16]byte{
		0: 0xfe, 1: 0x80, 8: m[0] ^ 2, 9: m[1], 10: m[2], 11: 0xff, 12: 0xfe, 13: m[3], 14: m[4], 15: m[5],
	})
}

// Parse implements [file.Parser].
func (m *MAC) Parse(_, s string) error {
	mac, err := ParseMAC(s)
	if err == nil {
		*m = mac
	}
	return err
}

// Text implements [file.Described].
func (*MAC) Text() file.Text { return file.Text{Words: "MAC address"} }

// MarshalText implements [encoding.TextMarshaler].
func (m MAC) MarshalText() ([]byte, error) { return []byte(m.String()), nil }

// UnmarshalText implements [encoding.TextUnmarshaler]: it reads what MarshalText writes, the zero address too.
func (m *MAC) UnmarshalText(text []byte) error {
	hw, err := net.ParseMAC(string(text))
	if err == nil && len(hw) != len(m) {
		err = fmt.Errorf("%q is not a MAC address of %d bytes", text, len(m))
	}
	if err == nil {
		*m = MAC(hw)
	}
	return err
}
