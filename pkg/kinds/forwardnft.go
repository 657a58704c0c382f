package kinds

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"github.com/google/nftables/xt"

	"github.com/plumbnet/plumb/pkg/kernel"
	"github.com/plumbnet/plumb/pkg/object"
)

// nftReader reads the chains of other tools that see what is forwarded.
type nftReader struct {
	conn  *nftables.Conn
	s     *object.Section
	table *nftables.Table
	rules rules
	sets  map[string][]kernel.NFTElement
}

// readForwardChains reads the base chains of the forward hook, and those that they jump to.
func readForwardChains(e *object.Env, s *object.Section) (found []forwardChain, err error) {
	c, err := s.NS.NFT()
	if err != nil {
		return nil, err
	}
	defer c.CloseLasting() //nolint:errcheck // only read
	err = kernel.Snapshot(c, func() error {
		found = nil
		chains, err := c.ListChains()
		if err != nil {
			return fmt.Errorf("nftables: list chains: %w", err)
		}
		for _, ch := range chains {
			family, ok := families[ch.Table.Family]
			if !ok || ch.Hooknum == nil || *ch.Hooknum != *nftables.ChainHookForward || ch.Table.Name == NATTable(e.Topology) {
				continue
			}
			r := nftReader{conn: c, s: s, table: ch.Table, rules: make(rules), sets: make(map[string][]kernel.NFTElement)}
			if err := r.read(ch.Name); err != nil {
				return err
			}
			found = append(found, forwardChain{
				family: family, table: ch.Table.Name, chain: ch.Name, rules: r.rules, entry: ch.Name,
				policy: ch.Policy != nil && *ch.Policy == nftables.ChainPolicyDrop,
			})
		}
		return nil
	})
	return found, err
}

var families = map[nftables.TableFamily]string{
	nftables.TableFamilyINet: "inet", nftables.TableFamilyIPv4: "ip", nftables.TableFamilyIPv6: "ip6",
}

// read reads a chain, and those that it jumps to.
func (n *nftReader) read(chain string) error {
	if _, known := n.rules[chain]; known {
		return nil
	}
	n.rules[chain] = nil
	list, err := n.conn.GetRules(n.table, &nftables.Chain{Name: chain, Table: n.table})
	if err != nil {
		return fmt.Errorf("nftables: list rules of chain %s: %w", chain, err)
	}
	for _, r := range list {
		d := nftDecoder{nftReader: n, loaded: make(map[uint32]loaded)}
		for _, e := range r.Exprs {
			if err := d.decode(e); err != nil {
				return err
			}
		}
		n.rules[chain] = append(n.rules[chain], d.rule)
		for _, to := range d.chains {
			if err := n.read(to); err != nil {
				return err
			}
		}
	}
	return nil
}

// loaded is what is in a register: some bytes of a field, and what is done to them.
type loaded struct {
	field field
	size  int
	masks [][]byte
}

// in tells what is known of it.
func (l loaded) in(t traffic) span {
	s := t.has(l.field).first(l.size)
	for _, by := range l.masks {
		s = s.masked(by)
	}
	return s
}

// nftDecoder reads a rule.
type nftDecoder struct {
	*nftReader
	loaded map[uint32]loaded
	rule   filterRule
	chains []string // that it jumps to
}

func (d *nftDecoder) match(m func(traffic) truth) { d.rule.matches = append(d.rule.matches, m) }

// unsure is for what a probe tells nothing about.
func (d *nftDecoder) unsure() { d.match(func(traffic) truth { return maybe }) }

func (d *nftDecoder) decode(e expr.Any) error {
	switch e := e.(type) {
	case *expr.Meta:
		if e.SourceRegister {
			return nil // it sets something
		}
		size := map[expr.MetaKey]int{expr.MetaKeyNFPROTO: 1}[e.Key]
		f := map[expr.MetaKey]field{
			expr.MetaKeyIIFNAME: inField, expr.MetaKeyOIFNAME: outField, expr.MetaKeyNFPROTO: familyField,
		}[e.Key]
		d.loaded[e.Register] = loaded{field: f, size: max(size, 1)}
		if f == inField || f == outField {
			d.loaded[e.Register] = loaded{field: f, size: len(named("").low)}
		}
	case *expr.Payload:
		d.loaded[e.DestRegister] = d.payload(e)
	case *expr.Ct:
		d.loaded[e.Register] = loaded{}
		if e.Key == expr.CtKeySTATE && !e.SourceRegister {
			d.loaded[e.Register] = loaded{field: stateField, size: 4}
		}
	case *expr.Bitwise:
		d.bitwise(e)
	case *expr.Cmp:
		d.compare(e)
	case *expr.Range:
		l := d.loaded[e.Register]
		d.match(func(t traffic) truth { return turned(l.in(t).within(e.FromData, e.ToData), e.Op == expr.CmpOpNeq) })
	case *expr.Lookup:
		return d.lookUp(e)
	case *expr.Match:
		d.match(xtMatch(e.Name, e.Info))
	case *expr.Verdict:
		v, ok := verdicts[e.Kind]
		d.does(ok, v, e.Chain)
	case *expr.Reject:
		d.does(true, verdictDrop, "")
	case *expr.Target:
		v, ok := targets[e.Name]
		d.does(ok, v, "")
	case *expr.Counter, *expr.Log, *expr.Notrack, *expr.Immediate, *expr.FlowOffload, *expr.Objref:
	default:
		d.unsure()
	}
	return nil
}

// verdicts are those of nft, and targets those of iptables that are no verdicts there.
var (
	verdicts = map[expr.VerdictKind]verdict{
		expr.VerdictAccept: verdictAccept, expr.VerdictQueue: verdictAccept,
		expr.VerdictDrop: verdictDrop, expr.VerdictStolen: verdictDrop,
		expr.VerdictJump: verdictJump, expr.VerdictGoto: verdictGoto, expr.VerdictReturn: verdictReturn,
	}
	targets = map[string]verdict{"REJECT": verdictDrop, "DROP": verdictDrop, "ACCEPT": verdictAccept}
)

func (d *nftDecoder) does(ok bool, v verdict, chain string) {
	if !ok {
		return
	}
	d.rule.does = func(traffic) (verdict, string) { return v, chain }
	if chain != "" {
		d.chains = append(d.chains, chain)
	}
}

// payload tells which address of a packet is loaded, or a part of it: nft leaves out the bytes that a prefix does not
// need.
func (d *nftDecoder) payload(e *expr.Payload) loaded {
	if e.Base != expr.PayloadBaseNetworkHeader || e.OperationType != expr.PayloadLoad {
		return loaded{}
	}
	for _, v4 := range []bool{true, false} {
		other := nftables.TableFamilyIPv6
		size := uint32(4)
		if !v4 {
			other, size = nftables.TableFamilyIPv4, 16
		}
		if d.table.Family == other || e.Len > size {
			continue
		}
		for where, f := range []field{source: srcField, dest: dstField} {
			if e.Offset == place(where).offset(v4) {
				return loaded{field: f, size: int(e.Len)}
			}
		}
	}
	return loaded{}
}

func (d *nftDecoder) bitwise(e *expr.Bitwise) {
	l := d.loaded[e.SourceRegister]
	if slices.ContainsFunc(e.Xor, func(b byte) bool { return b != 0 }) {
		l = loaded{}
	}
	l.masks = append(slices.Clip(l.masks), e.Mask)
	d.loaded[e.DestRegister] = l
}

func (d *nftDecoder) compare(e *expr.Cmp) {
	l, low, high := d.loaded[e.Register], e.Data, e.Data
	switch e.Op {
	case expr.CmpOpLte, expr.CmpOpGt:
		low = make([]byte, len(e.Data))
	case expr.CmpOpGte, expr.CmpOpLt:
		high = bytes.Repeat([]byte{0xff}, len(e.Data))
	}
	not := e.Op == expr.CmpOpNeq || e.Op == expr.CmpOpGt || e.Op == expr.CmpOpLt
	d.match(func(t traffic) truth { return turned(l.in(t).within(low, high), not) })
}

// turned is a truth, or its opposite.
func turned(t truth, not bool) truth {
	if not {
		return -t
	}
	return t
}

// lookUp reads a comparison with the elements of a set, or of a verdict map.
func (d *nftDecoder) lookUp(e *expr.Lookup) error {
	elements, known := d.sets[e.SetName]
	if !known {
		var err error
		if elements, err = d.s.NS.NFTElements(byte(d.table.Family), d.table.Name, e.SetName); err != nil {
			return fmt.Errorf("nftables: list the elements of %s: %w", e.SetName, err)
		}
		d.sets[e.SetName] = elements
	}
	l := d.loaded[e.SourceRegister]
	find := func(t traffic) (found truth, at kernel.NFTElement) {
		found = no
		for _, el := range elements {
			if is := l.in(t).within(el.Low, el.High); is > found {
				found, at = is, el
			}
		}
		return found, at
	}
	d.match(func(t traffic) truth { found, _ := find(t); return turned(found, e.Invert) })
	if !e.IsDestRegSet {
		return nil
	}
	for _, el := range elements {
		if el.Chain != "" {
			d.chains = append(d.chains, el.Chain)
		}
	}
	d.rule.does = func(t traffic) (verdict, string) {
		_, at := find(t)
		return verdicts[expr.VerdictKind(at.Verdict)], at.Chain
	}
	return nil
}

// xtMatch reads an extension of iptables.
func xtMatch(name string, info xt.InfoAny) func(traffic) truth {
	switch i := info.(type) {
	case *xt.Comment:
		return func(traffic) truth { return yes }
	case *xt.ConntrackMtinfo1:
		return xtState(i.ConntrackMtinfoBase, uint32(i.StateMask))
	case *xt.ConntrackMtinfo2:
		return xtState(i.ConntrackMtinfoBase, uint32(i.StateMask))
	case *xt.ConntrackMtinfo3:
		return xtState(i.ConntrackMtinfoBase, uint32(i.StateMask))
	case *xt.Unknown:
		if name == "state" && len(*i) >= 4 {
			return inState(binary.NativeEndian.Uint32(*i), false)
		}
	}
	return func(traffic) truth { return maybe }
}

func xtState(i xt.ConntrackMtinfoBase, states uint32) func(traffic) truth {
	if xt.ConntrackFlags(i.MatchFlags)&^(xt.ConntrackState|xt.ConntrackStateAlias) != 0 {
		return func(traffic) truth { return maybe }
	}
	return inState(states, xt.ConntrackFlags(i.InvertFlags)&xt.ConntrackState != 0)
}

// inState compares the state of a connection with those that a rule is about; iptables has the same bits as nft.
func inState(states uint32, not bool) func(traffic) truth {
	return func(t traffic) truth {
		return turned(truthOf(binary.NativeEndian.Uint32(t.has(stateField).low)&states != 0), not)
	}
}
