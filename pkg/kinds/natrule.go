package kinds

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"net/netip"
	"strings"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

// encode makes the rules of an entry. Multicast and broadcast are left as they are, and so is what stays within a
// subnet of a link: br_netfilter may run bridged frames through this chain.
func (n NAT) encode() (rules [][]expr.Any) {
	b := ruleBuilder{v4: n.Subnet.Addr().Is4()}
	b.family()
	b.address(source, false, n.Subnet)
	for _, p := range n.within() {
		if p == n.Subnet {
			b.address(dest, true, p)
		} else {
			rules = append(rules, n.leftAlone(p))
		}
	}
	if b.v4 {
		b.address(dest, true, netip.MustParsePrefix("224.0.0.0/4"))
		b.address(dest, true, netip.MustParsePrefix("255.255.255.255/32"))
	} else {
		b.address(dest, true, netip.MustParsePrefix("ff00::/8"))
	}
	b.names(n)
	b.add(&expr.Counter{}, &expr.Masq{})
	return append(rules, b.exprs)
}

// leftAlone makes the rule that stands before the entry's own, for what stays inside of a part of its subnet.
func (n NAT) leftAlone(p netip.Prefix) []expr.Any {
	b := ruleBuilder{v4: n.Subnet.Addr().Is4()}
	b.family()
	b.address(source, false, p)
	b.address(dest, false, p)
	b.names(n)
	b.add(&expr.Verdict{Kind: expr.VerdictReturn})
	return b.exprs
}

// names compares the interface that a packet leaves by with those of the entry.
func (b *ruleBuilder) names(n NAT) {
	if n.Out != "" {
		b.outName(false, n.Out)
	}
	for name := range strings.FieldsSeq(n.Except) {
		b.outName(true, name)
	}
}

// text writes the entry's rules.
func (n NAT) text() string {
	var texts []string
	for _, r := range n.encode() {
		texts = append(texts, ruleText(r))
	}
	return strings.Join(texts, betweenRules)
}

// betweenRules stands between the texts of an entry's rules.
const betweenRules = "; "

// place is where in an IP header an address stands.
type place int

const (
	source place = iota
	dest
)

func (p place) String() string { return [...]string{"saddr", "daddr"}[p] }

// offset is in bytes from the start of the IP header.
func (p place) offset(v4 bool) uint32 {
	if v4 {
		return [...]uint32{12, 16}[p]
	}
	return [...]uint32{8, 24}[p]
}

type ruleBuilder struct {
	v4    bool
	exprs []expr.Any
}

func (b *ruleBuilder) add(e ...expr.Any) { b.exprs = append(b.exprs, e...) }

func op(not bool) expr.CmpOp {
	if not {
		return expr.CmpOpNeq
	}
	return expr.CmpOpEq
}

func (b *ruleBuilder) family() {
	proto := byte(unix.NFPROTO_IPV6)
	if b.v4 {
		proto = unix.NFPROTO_IPV4
	}
	b.add(&expr.Meta{Key: expr.MetaKeyNFPROTO, Register: 1}, &expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: []byte{proto}})
}

func (b *ruleBuilder) address(where place, not bool, p netip.Prefix) {
	size := p.Addr().BitLen() / 8
	at, length := where.offset(b.v4), uint32(size)
	b.add(&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseNetworkHeader, Offset: at, Len: length})
	if p.Bits() < p.Addr().BitLen() {
		bits, none := mask(p.Bits(), size), make([]byte, size)
		b.add(&expr.Bitwise{SourceRegister: 1, DestRegister: 1, Len: length, Mask: bits, Xor: none})
	}
	b.add(&expr.Cmp{Op: op(not), Register: 1, Data: p.Masked().Addr().AsSlice()})
}

// mask is the netmask of a prefix length, for addresses of size bytes.
func mask(bits, size int) []byte {
	m := make([]byte, size)
	for i := range bits {
		m[i/8] |= 0x80 >> (i % 8)
	}
	return m
}

func (b *ruleBuilder) outName(not bool, name string) {
	data := make([]byte, unix.IFNAMSIZ)
	copy(data, name)
	b.add(&expr.Meta{Key: expr.MetaKeyOIFNAME, Register: 1}, &expr.Cmp{Op: op(not), Register: 1, Data: data})
}

// ruleText writes a rule in the words of nft(8), so that two rules are the same when their texts are. Expressions
// that no rule of plumb has are written out as they are.
func ruleText(exprs []expr.Any) string {
	var r ruleReader
	for _, e := range exprs {
		r.read(e)
	}
	return strings.Join(append(r.words, r.loaded...), " ")
}

type ruleReader struct {
	v4     bool
	words  []string
	loaded []string // what stands in the register, and waits for its comparison
	bits   int      // prefix length of a mask, -1 for none
}

func (r *ruleReader) read(e expr.Any) {
	switch e := e.(type) {
	case *expr.Meta:
		r.load(e.SourceRegister, e.Register, map[expr.MetaKey]string{
			expr.MetaKeyNFPROTO: "meta nfproto", expr.MetaKeyOIFNAME: "oifname", expr.MetaKeyIIFNAME: "iifname",
		}[e.Key], e)
	case *expr.Payload:
		odd := e.Base != expr.PayloadBaseNetworkHeader || e.OperationType != expr.PayloadLoad
		r.load(odd, e.DestRegister, r.addressAt(e), e)
	case *expr.Bitwise:
		r.mask(e)
	case *expr.Cmp:
		r.compare(e)
	case *expr.Counter:
		r.words = append(r.words, "counter")
	case *expr.Verdict:
		if *e == (expr.Verdict{Kind: expr.VerdictReturn}) {
			r.words = append(r.words, "return")
		} else {
			r.unknown(e)
		}
	case *expr.Masq:
		if *e == (expr.Masq{}) {
			r.words = append(r.words, "masquerade")
		} else {
			r.unknown(e)
		}
	default:
		r.unknown(e)
	}
}

func (r *ruleReader) unknown(e any) {
	r.words = append(append(r.words, r.loaded...), fmt.Sprintf("%T%+v", e, e))
	r.loaded = nil
}

func (r *ruleReader) load(odd bool, register uint32, word string, e expr.Any) {
	if odd || register != 1 || word == "" || r.loaded != nil {
		r.unknown(e)
		return
	}
	r.loaded, r.bits = []string{word}, -1
}

func (r *ruleReader) addressAt(e *expr.Payload) string {
	for _, v4 := range []bool{true, false} {
		for _, where := range []place{source, dest} {
			size := map[bool]uint32{true: 4, false: 16}[v4]
			if v4 == r.v4 && e.Offset == where.offset(v4) && e.Len == size {
				return map[bool]string{true: "ip ", false: "ip6 "}[v4] + where.String()
			}
		}
	}
	return ""
}

func (r *ruleReader) mask(e *expr.Bitwise) {
	for bits := range len(e.Mask) * 8 {
		turned := bytes.ContainsFunc(e.Xor, func(c rune) bool { return c != 0 })
		if r.loaded != nil && bytes.Equal(e.Mask, mask(bits, len(e.Mask))) && !turned {
			r.bits = bits
			return
		}
	}
	r.unknown(e)
}

func (r *ruleReader) compare(e *expr.Cmp) {
	if r.loaded == nil || e.Register != 1 || e.Op != expr.CmpOpEq && e.Op != expr.CmpOpNeq {
		r.unknown(e)
		return
	}
	word := r.loaded[0]
	r.words = append(r.words, word)
	if e.Op == expr.CmpOpNeq {
		r.words = append(r.words, "!=")
	}
	r.words = append(r.words, r.value(word, e.Data))
	r.loaded = nil
}

func (r *ruleReader) value(word string, data []byte) string {
	switch {
	case word == "meta nfproto" && len(data) == 1 && data[0] == unix.NFPROTO_IPV4:
		r.v4 = true
		return "ipv4"
	case word == "meta nfproto" && len(data) == 1 && data[0] == unix.NFPROTO_IPV6:
		return "ipv6"
	case strings.HasSuffix(word, "ifname") && len(data) == unix.IFNAMSIZ:
		return fmt.Sprintf("%q", unix.ByteSliceToString(data))
	case strings.HasSuffix(word, "ifname"):
		return fmt.Sprintf("%q", string(data)+"*")
	}
	if a, ok := netip.AddrFromSlice(data); ok && strings.HasPrefix(word, "ip") {
		if r.bits < 0 {
			return a.String()
		}
		return netip.PrefixFrom(a, r.bits).String()
	}
	return "0x" + hex.EncodeToString(data)
}

// chainText tells how a chain differs from the one that plumb makes; empty when it does not.
func chainText(c *nftables.Chain) string {
	var w []string
	if c.Name != natChain {
		w = append(w, "chain "+c.Name)
	}
	if c.Type != nftables.ChainTypeNAT {
		w = append(w, "type "+string(c.Type))
	}
	if c.Hooknum == nil || *c.Hooknum != *nftables.ChainHookPostrouting {
		w = append(w, "another hook")
	}
	if c.Priority == nil || *c.Priority != *nftables.ChainPriorityNATSource {
		w = append(w, "another priority")
	}
	if c.Policy != nil && *c.Policy != nftables.ChainPolicyAccept {
		w = append(w, "policy drop")
	}
	return strings.Join(w, ", ")
}
