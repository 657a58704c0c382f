package kinds

import (
	"bytes"
	"encoding/binary"
	"strconv"

	"github.com/google/nftables/xt"
	"golang.org/x/sys/unix"

	"github.com/plumbnet/plumb/pkg/kernel"
)

// legacyLayout is where the parts of a struct ipt_entry or ip6t_entry are, in bytes.
type legacyLayout struct {
	family           xt.TableFamily
	address          int // the size of an address
	names            int // those of the interfaces, and then their masks
	proto            int
	flags, turned    int
	target, next     int // offsets of the target and of the next entry
	matches, minimum int
}

var legacyLayouts = map[bool]legacyLayout{
	true: {
		family: unix.NFPROTO_IPV4, address: 4, names: 16, proto: 80, flags: 82, turned: 83, target: 88, next: 90,
		matches: 112, minimum: 112,
	},
	false: {
		family: unix.NFPROTO_IPV6, address: 16, names: 64, proto: 128, flags: 131, turned: 132, target: 140, next: 142,
		matches: 168, minimum: 168,
	},
}

// Flags of linux/netfilter_ipv4/ip_tables.h: what is turned round, and a jump without a way back.
const (
	legacyGoto    = 0x02
	legacyInvIn   = 0x01
	legacyInvOut  = 0x02
	legacyInvSrc  = 0x08
	legacyInvDst  = 0x10
	legacyInvRest = 0x64 // of what a probe tells nothing about

	legacyExtension = 32 // the head of a match or a target: its size, name and revision
)

// legacyRules reads a table. A chain has the offset of its first entry for a name, and goes on to the end of the table:
// each ends in an entry that is for everything.
func legacyRules(t *kernel.LegacyTable, v4 bool) rules {
	at := legacyLayouts[v4]
	var offsets []int
	var list []filterRule
	for b := t.Entries; len(b) >= at.minimum; {
		next := int(binary.NativeEndian.Uint16(b[at.next:]))
		if next < at.minimum || next > len(b) {
			break
		}
		offset := len(t.Entries) - len(b)
		offsets, list = append(offsets, offset), append(list, at.rule(b[:next], offset+next))
		b = b[next:]
	}
	r := make(rules)
	for i, offset := range offsets {
		r[strconv.Itoa(offset)] = list[i:]
	}
	return r
}

// rule reads an entry; following is the offset of the next one.
func (at legacyLayout) rule(b []byte, following int) (r filterRule) {
	match := func(m func(traffic) truth) { r.matches = append(r.matches, m) }
	compare := func(f field, inv byte, value, by []byte) {
		value = exactly(value).masked(by).low
		match(func(t traffic) truth { return turned(t.has(f).masked(by).within(value, value), b[at.turned]&inv != 0) })
	}
	address := func(where int, f field, inv byte) {
		compare(f, inv, b[where:where+at.address], b[where+2*at.address:where+3*at.address])
	}
	name := func(where int, f field, inv byte) {
		by := b[where+2*unix.IFNAMSIZ : where+3*unix.IFNAMSIZ]
		if bytes.ContainsFunc(by, func(c rune) bool { return c != 0 }) {
			compare(f, inv, b[where:where+unix.IFNAMSIZ], by)
		}
	}
	address(0, srcField, legacyInvSrc)
	address(at.address, dstField, legacyInvDst)
	name(at.names, inField, legacyInvIn)
	name(at.names+unix.IFNAMSIZ, outField, legacyInvOut)
	if binary.NativeEndian.Uint16(b[at.proto:]) != 0 || b[at.turned]&legacyInvRest != 0 {
		match(func(traffic) truth { return maybe })
	}
	target := int(binary.NativeEndian.Uint16(b[at.target:]))
	for i := at.matches; i+legacyExtension <= min(target, len(b)); {
		size := int(binary.NativeEndian.Uint16(b[i:]))
		if size < legacyExtension || i+size > len(b) {
			break
		}
		match(at.extension(b[i : i+size]))
		i += size
	}
	if target+legacyExtension <= len(b) {
		r.does = legacyTarget(b[target:], b[at.flags]&legacyGoto != 0, following)
	}
	return r
}

func (at legacyLayout) extension(b []byte) func(traffic) truth {
	name, revision := unix.ByteSliceToString(b[2:31]), uint32(b[31])
	info, err := xt.Unmarshal(name, at.family, revision, b[legacyExtension:])
	if err != nil {
		return func(traffic) truth { return maybe }
	}
	return xtMatch(name, info)
}

// legacyTarget reads what becomes of packets: a verdict less one as a negative number, or the offset of a chain.
func legacyTarget(b []byte, goes bool, following int) func(traffic) (verdict, string) {
	name := unix.ByteSliceToString(b[2:31])
	v, chain, ok := targets[name], "", true
	if name == "" && len(b) >= legacyExtension+4 {
		const accept, drop, back = -2, -1, -5
		number := int(int32(binary.NativeEndian.Uint32(b[legacyExtension:])))
		known := map[int]verdict{accept: verdictAccept, drop: verdictDrop, back: verdictReturn}
		if v, ok = known[number]; !ok && number != following {
			v, chain = verdictJump, strconv.Itoa(number)
			if goes {
				v = verdictGoto
			}
		}
	}
	return func(traffic) (verdict, string) { return v, chain }
}
