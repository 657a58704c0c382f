package link

import (
	"encoding/base64"
	"net/netip"
	"strconv"
	"strings"

	"github.com/plumbnet/plumb/pkg/file"
)

// PublicKey is the key that a peer is known by.
type PublicKey [keySize]byte

// Parse implements [file.Parser].
func (k *PublicKey) Parse(name, text string) error {
	raw, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(raw) != keySize {
		return file.Flaw{Message: name + " is no key of WireGuard", Hint: "44 characters, as wg pubkey prints them"}
	}
	*k = PublicKey(raw)
	return nil
}

// String is the key as wg(8) has it.
func (k PublicKey) String() string { return base64.StdEncoding.EncodeToString(k[:]) }

// Text implements [file.Described].
func (*PublicKey) Text() file.Text {
	return file.Text{Words: "public key, as wg pubkey prints it", Pattern: "^[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=$"}
}

// Endpoint is where a peer is reached.
type Endpoint struct{ netip.AddrPort }

// Parse implements [file.Parser]. Names are not taken: what they mean changes with time, and a plan must not.
func (e *Endpoint) Parse(name, text string) error {
	a, err := netip.ParseAddrPort(text)
	host, port, split := cutPort(text)
	switch addr, bare := netip.ParseAddr(text); {
	case err != nil && bare == nil:
		near := netip.AddrPortFrom(addr, defaultPort).String()
		return file.Flaw{Message: name + " " + file.Quote(text) + " has no port", Hint: file.DidYouMean(near)}
	case err != nil && split && port != "" && strings.ContainsAny(strings.ToLower(host), "ghijklmnopqrstuvwxyz"):
		return file.Flaw{
			Message: name + " " + file.Quote(text) + " is a name, which plumb does not look up",
			Hint:    "write the address that it has, as 192.0.2.2:" + port,
		}
	case err != nil || a.Port() == 0:
		return file.Flaw{
			Message: name + " " + file.Quote(text) + " is no address with a port",
			Hint:    "as 192.0.2.2:51820 or [2001:db8::2]:51820",
		}
	case a.Addr().Zone() != "":
		return file.Flaw{Message: name + " " + file.Quote(text) + " has a zone", Hint: "leave out what follows the %"}
	case a.Addr().IsUnspecified() || a.Addr().IsMulticast():
		return file.Flawf("%s %s is no address of a host", name, a.Addr())
	}
	*e = Endpoint{netip.AddrPortFrom(a.Addr().Unmap(), a.Port())} // as the kernel does
	return nil
}

// defaultPort is the port that wg(8) has in its examples.
const defaultPort = 51820

func cutPort(text string) (host, port string, ok bool) {
	i := strings.LastIndexByte(text, ':')
	if i < 0 {
		return text, "", false
	}
	_, err := strconv.ParseUint(text[i+1:], 10, 16)
	return text[:i], text[i+1:], err == nil
}

// Text implements [file.Described].
func (*Endpoint) Text() file.Text {
	return file.Text{Words: "address with a port, as 192.0.2.2:51820 or \"[2001:db8::2]:51820\""}
}

// PacketMark is the firewall mark of packets.
type PacketMark uint32

// Parse implements [file.Parser].
func (m *PacketMark) Parse(name, text string) error {
	n, err := strconv.ParseUint(text, 0, 32)
	if err != nil {
		return file.Flaw{Message: name + " " + file.Quote(text) + " is no mark", Hint: "as 0x1"}
	}
	*m = PacketMark(n)
	return nil
}

func (m PacketMark) String() string { return "0x" + strconv.FormatUint(uint64(m), 16) }

// Text implements [file.Described].
func (*PacketMark) Text() file.Text {
	return file.Text{Words: "mark, as 0x1", Types: []string{"integer", "string"}}
}
