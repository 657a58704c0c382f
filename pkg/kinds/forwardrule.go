package kinds

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"slices"

	"golang.org/x/sys/unix"
)

// traffic is what a firewall is asked about: packets that are forwarded, all alike.
type traffic struct {
	v4       bool
	src, dst netip.Prefix // where they come from and go to; not valid for anywhere
	in, out  string       // the interfaces that they come and leave by; empty for any
	answers  bool         // they belong to connections that are established
}

// truth is whether something holds for all of some traffic, for none of it, or perhaps for a part.
type truth int8

const (
	no    truth = -1
	maybe truth = 0
	yes   truth = 1
)

func truthOf(holds bool) truth {
	if holds {
		return yes
	}
	return no
}

// field is what a rule looks at in a packet.
type field int

const (
	otherField field = iota
	inField
	outField
	srcField
	dstField
	familyField
	stateField // of the connection
)

// Bits of a connection's state (linux/netfilter/nf_conntrack_common.h: NF_CT_STATE_BIT).
const (
	stateEstablished = 1 << 1
	stateNew         = 1 << 3
)

// span is the least and the greatest value that a field has, as bytes that compare as the values do. Ok is false for
// one that nothing is known of.
type span struct {
	low, high []byte
	ok        bool
}

func exactly(b []byte) span { return span{b, b, true} }

// has is what is known of a field.
func (t traffic) has(f field) span {
	switch f {
	case inField:
		return named(t.in)
	case outField:
		return named(t.out)
	case srcField:
		return t.addresses(t.src)
	case dstField:
		return t.addresses(t.dst)
	case familyField:
		if t.v4 {
			return exactly([]byte{unix.NFPROTO_IPV4})
		}
		return exactly([]byte{unix.NFPROTO_IPV6})
	case stateField:
		state := uint32(stateNew)
		if t.answers {
			state = stateEstablished
		}
		return exactly(binary.NativeEndian.AppendUint32(nil, state))
	}
	return span{}
}

// named is an interface's name as the kernel compares it.
func named(name string) span {
	b := make([]byte, unix.IFNAMSIZ)
	copy(b, name)
	return span{b, b, name != ""}
}

// addresses are those of a network, or all.
func (t traffic) addresses(p netip.Prefix) span {
	if !p.IsValid() {
		p = netip.PrefixFrom(netip.IPv6Unspecified(), 0)
		if t.v4 {
			p = netip.PrefixFrom(netip.IPv4Unspecified(), 0)
		}
	}
	low := p.Masked().Addr().AsSlice()
	high := slices.Clone(low)
	for i, bits := range mask(p.Bits(), len(high)) {
		high[i] |= ^bits
	}
	return span{low, high, true}
}

// masked is what is left of a value of which a rule looks at some bits only. Of more than one value that is known when
// they are the first bits.
func (s span) masked(by []byte) span {
	s.ok = s.ok && len(by) == len(s.low) && (bytes.Equal(s.low, s.high) || bytes.Equal(by, leading(by)))
	if !s.ok {
		return s
	}
	s.low, s.high = slices.Clone(s.low), slices.Clone(s.high)
	for i, b := range by {
		s.low[i], s.high[i] = s.low[i]&b, s.high[i]&b
	}
	return s
}

// leading is the netmask with as many bits as a mask has.
func leading(by []byte) []byte {
	ones := 0
	for _, b := range by {
		for ; b != 0; b &= b - 1 {
			ones++
		}
	}
	return mask(ones, len(by))
}

// first is what is known of the first bytes.
func (s span) first(n int) span {
	if s.ok = s.ok && n <= len(s.low); s.ok {
		s.low, s.high = s.low[:n], s.high[:n]
	}
	return s
}

// within says whether a value is one of a range, with both ends.
func (s span) within(low, high []byte) truth {
	s = s.first(len(low))
	switch {
	case !s.ok:
		return maybe
	case bytes.Compare(s.low, low) >= 0 && bytes.Compare(s.high, high) <= 0:
		return yes
	case bytes.Compare(s.high, low) < 0 || bytes.Compare(s.low, high) > 0:
		return no
	}
	return maybe
}

// verdict is what a rule, or a chain, makes of packets.
type verdict int

const (
	verdictNone verdict = iota
	verdictAccept
	verdictDrop
	verdictJump
	verdictGoto // as jumps, without a way back
	verdictReturn
)

// filterRule is a rule of a firewall. What it does may depend on the packet, as with a verdict map.
type filterRule struct {
	matches []func(traffic) truth
	does    func(traffic) (v verdict, chain string)
}

// holds says whether a rule is about traffic.
func (r filterRule) holds(t traffic) truth {
	all := yes
	for _, m := range r.matches {
		all = min(all, m(t))
	}
	return all
}

// rules are those of a table, by chain.
type rules map[string][]filterRule

// deepest bounds how many chains jump to one another; the kernel bounds that too, and takes no loops.
const deepest = 64

// of says what becomes of traffic in a chain. A rule that is about a part of the traffic, as a limit or a port, is
// passed over.
func (r rules) of(chain string, t traffic, depth int) verdict {
	if depth > deepest {
		return verdictNone
	}
	for _, rule := range r[chain] {
		if rule.does == nil || rule.holds(t) != yes {
			continue
		}
		switch v, to := rule.does(t); v {
		case verdictAccept, verdictDrop:
			return v
		case verdictReturn:
			return verdictNone
		case verdictGoto:
			return r.of(to, t, depth+1)
		case verdictJump:
			if v := r.of(to, t, depth+1); v != verdictNone {
				return v
			}
		}
	}
	return verdictNone
}
