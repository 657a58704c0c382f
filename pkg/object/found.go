package object

import (
	"encoding/binary"
	"slices"
	"strings"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/plumbnet/plumb/pkg/kernel"
)

// Found is an object as the kernel told of it, in one message or several, so that a rollback can give back what no file
// has words for. A link's index stands as its name: by the time of the rollback it may be another.
type Found string

// Keep makes a value of messages. Indexes lists the places in one at which a link's index stands.
func Keep(s *Section, msgs [][]byte, indexes func([]byte) [][]byte) Found {
	var b strings.Builder
	text := func(p []byte) {
		b.Write(binary.NativeEndian.AppendUint32(nil, uint32(len(p))))
		b.Write(p)
	}
	for _, m := range msgs {
		text(m)
		for _, at := range indexes(m) {
			name := ""
			if l := s.At(int(binary.NativeEndian.Uint32(at))); l != nil {
				name = l.Known
			}
			text([]byte(name))
		}
	}
	return Found(b.String())
}

// Messages are those that were kept, with the indexes that the links have now; without a section, those that they had.
func (f Found) Messages(s *Section, indexes func([]byte) [][]byte) (msgs [][]byte, err error) {
	rest := []byte(f)
	text := func() []byte {
		size := 4 + binary.NativeEndian.Uint32(rest)
		p := rest[4:size]
		rest = rest[size:]
		return p
	}
	for len(rest) > 0 {
		m := text()
		for _, at := range indexes(m) {
			name := string(text())
			if s == nil || name == "" {
				continue
			}
			index, err := s.Index(name)
			if err != nil {
				return nil, err
			}
			binary.NativeEndian.PutUint32(at, uint32(index))
		}
		msgs = append(msgs, m)
	}
	return msgs, nil
}

// Resend makes a request of a message from a dump: its head, and its attributes but those of some types.
func Resend(proto, flags int, head nl.NetlinkRequestData, attrs []byte, without ...uint16) kernel.Message {
	m := kernel.NewMessage(proto, flags, head)
	for len(attrs) >= unix.SizeofRtAttr {
		size := int(binary.NativeEndian.Uint16(attrs))
		next := min((size+3)&^3, len(attrs))
		if size < unix.SizeofRtAttr || size > len(attrs) {
			break
		}
		if t := binary.NativeEndian.Uint16(attrs[2:]) &^ unix.NLA_F_NESTED; !slices.Contains(without, t) {
			m.AddRawData(attrs[:next])
		}
		attrs = attrs[next:]
	}
	return m
}
