package snapshot

import (
	"encoding/hex"
	"iter"
	"net/netip"
	"strconv"
	"strings"
	"unicode"
)

// attrs are the attributes that are known, by their numbers in one list of them.
type attrs map[uint16]attr

// attr is what is known of an attribute: its name, and how its value is shown. Without more it is shown in hex.
type attr struct {
	name string
	show form
	// kids are known attributes of which the value is a list.
	kids attrs
	// skip says that the attribute is in the table [leftOut].
	skip bool
}

// form writes a value.
type form func(p *printer, b []byte)

// each walks through a list of attributes. What is no attribute ends it.
func each(b []byte) iter.Seq2[uint16, []byte] {
	return func(yield func(uint16, []byte) bool) {
		const header, flags = 4, 0xc000 // NLA_F_NESTED, NLA_F_NET_BYTEORDER
		for len(b) >= header {
			length := int(native.Uint16(b))
			if length < header || length > len(b) {
				return
			}
			if !yield(native.Uint16(b[2:])&^flags, b[header:length]) {
				return
			}
			b = b[min(align(length), len(b)):]
		}
	}
}

// find is the value of an attribute, nil when it is not there.
func find(b []byte, path ...uint16) []byte {
	for kind, value := range each(b) {
		if kind == path[0] {
			if len(path) == 1 {
				return value
			}
			return find(value, path[1:]...)
		}
	}
	return nil
}

// number reads an integer of up to eight bytes in the machine's order; 0 when it is not there.
func number(b []byte) uint64 {
	switch len(b) {
	case 1:
		return uint64(b[0])
	case 2:
		return uint64(native.Uint16(b))
	case 4:
		return uint64(native.Uint32(b))
	case 8:
		return native.Uint64(b)
	}
	return 0
}

// text reads a string that may end with a zero.
func text(b []byte) string {
	for i, c := range b {
		if c == 0 {
			return string(b[:i])
		}
	}
	return string(b)
}

// printer writes one line about an object of a section.
type printer struct {
	lines []string
	out   []byte
	s     *Section
	all   []*Section
	kin   attrs // the list that the value at hand stands in
	// nsid is the id of the namespace that indexes are of; -1 is the section's own.
	nsid int
}

// tree writes a list of attributes as names and values.
func (p *printer) tree(known attrs, b []byte) {
	for kind, value := range each(b) {
		a, ok := known[kind]
		if a.skip {
			continue
		}
		p.out = append(p.out, ' ')
		p.name(a, ok, kind)
		if p.out = append(p.out, ' '); a.kids != nil {
			p.out = append(p.out, '{')
			p.tree(a.kids, value)
			p.out = append(p.out, " }"...)
			continue
		}
		p.kin = known
		p.value(a, value)
	}
}

func (p *printer) name(a attr, known bool, kind uint16) {
	if known {
		p.out = append(p.out, a.name...)
		return
	}
	p.out = strconv.AppendUint(append(p.out, '#'), uint64(kind), 10)
}

func (p *printer) value(a attr, b []byte) {
	if a.show == nil {
		hexadecimal(p, b)
		return
	}
	a.show(p, b)
}

// The forms of values.

func hexadecimal(p *printer, b []byte) {
	p.out = hex.AppendEncode(append(p.out, "0x"...), b)
}

func num(p *printer, b []byte) {
	if len(b) == 0 {
		p.out = append(p.out, "yes"...) // a flag, which is there or not
		return
	}
	p.out = strconv.AppendUint(p.out, number(b), 10)
}

// signed is a number that may be less than 0.
func signed(p *printer, b []byte) { p.out = strconv.AppendInt(p.out, int64(int32(number(b))), 10) }

// big is a number in the network's order.
func big(p *printer, b []byte) {
	n := uint64(0)
	for _, c := range b {
		n = n<<8 | uint64(c)
	}
	p.out = strconv.AppendUint(p.out, n, 10)
}

// signedBig is one of four bytes that may be less than 0.
func signedBig(p *printer, b []byte) {
	n := int32(0)
	for _, c := range b {
		n = n<<8 | int32(c)
	}
	p.out = strconv.AppendInt(p.out, int64(n), 10)
}

// word is text, in quotes where it is not one word.
func word(p *printer, b []byte) {
	t := text(b)
	if t == "" || strings.ContainsFunc(t, func(r rune) bool { return r <= ' ' || r == '"' || !unicode.IsPrint(r) }) {
		p.out = strconv.AppendQuote(p.out, t)
		return
	}
	p.out = append(p.out, t...)
}

func mac(p *printer, b []byte) {
	for i, c := range b {
		if i > 0 {
			p.out = append(p.out, ':')
		}
		p.out = hex.AppendEncode(p.out, []byte{c})
	}
}

func address(p *printer, b []byte) {
	if a, ok := netip.AddrFromSlice(b); ok {
		p.out = a.AppendTo(p.out)
		return
	}
	hexadecimal(p, b)
}

// index is the name of a link.
func index(p *printer, b []byte) { p.out = append(p.out, p.link(int(int32(number(b))))...) }
