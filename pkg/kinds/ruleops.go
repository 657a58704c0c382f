package kinds

import (
	"encoding/binary"
	"fmt"
	"iter"
	"net/netip"
	"slices"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/plumbnet/plumb/pkg/kernel"
	"github.com/plumbnet/plumb/pkg/object"
	"github.com/plumbnet/plumb/pkg/plan"
)

var ruleDump = object.NewDump("rules", unix.RTM_GETRULE, unix.RTM_NEWRULE, func(family int) nl.NetlinkRequestData {
	return ruleHead(uint8(family))
}, nil)

// ruleHead is struct fib_rule_hdr of linux/fib_rules.h, which has the form of struct rtmsg.
func ruleHead(family uint8) *nl.RtMsg { return &nl.RtMsg{RtMsg: unix.RtMsg{Family: family}} }

// Families of the rules for multicast, linux/rtnetlink.h.
const (
	familyMulticast4 = 128 // RTNL_FAMILY_IPMR
	familyMulticast6 = 129 // RTNL_FAMILY_IP6MR
)

// multicastDump lists the rules for multicast packets of IPv4, and then of IPv6.
var multicastDump = object.NewDump("rules for multicast", unix.RTM_GETRULE, unix.RTM_NEWRULE,
	func(family int) nl.NetlinkRequestData {
		r := Rule{Six: family == unix.AF_INET6, Multicast: true}
		return ruleHead(r.family())
	}, nil)

func (r Rule) family() uint8 {
	switch {
	case r.Multicast && r.Six:
		return familyMulticast6
	case r.Multicast:
		return familyMulticast4
	case r.Six:
		return unix.AF_INET6
	}
	return unix.AF_INET
}

// dump is the one that lists the rule.
func (r Rule) dump() *object.Dump {
	if r.Multicast {
		return multicastDump
	}
	return ruleDump
}

// askRules asks where there are rules of the topology's, or may be.
func askRules(e *object.Env, s *object.Section) []*object.Dump {
	switch {
	case hasVRFRules(e, s):
		return []*object.Dump{ruleDump, multicastDump}
	case len(e.WantedHere(s.NS.Name, KindRule)) > 0 || e.Record.Mentions(s.NS.Name, KindRule):
		return []*object.Dump{ruleDump}
	}
	return nil
}

// readRules streams the rules of a section, but for those that the kernel makes by itself. One that is about a link of
// others goes with that.
func readRules(e *object.Env, s *object.Section) iter.Seq[object.Live] {
	return func(yield func(object.Live) bool) {
		for _, m := range slices.Concat(s.Messages(ruleDump), s.Messages(multicastDump)) {
			r := parseRule(s.NS.Name, m)
			if r.Multicast && !r.ofVRFs() {
				continue // no topology has to do with it
			}
			if !e.Wanted(r.Key()) {
				r.found = object.Keep(s, [][]byte{m}, noIndexes)
			}
			byHand := (r.Proto == unix.RTPROT_UNSPEC || r.Proto == unix.RTPROT_BOOT) &&
				!e.OfOthers(s, r.IIF) && !e.OfOthers(s, r.OIF)
			if (r.Proto != unix.RTPROT_KERNEL || r.ofVRFs()) && !yield(object.Live{Object: r, Proto: r.Proto, ByHand: byHand}) {
				return
			}
		}
	}
}

// noIndexes says that no index of a link stands in a message about a rule.
func noIndexes([]byte) [][]byte { return nil }

func parseRule(ns string, b []byte) Rule {
	m := nl.DeserializeRtMsg(b)
	r := Rule{
		NS: ns, Six: m.Family == unix.AF_INET6 || m.Family == familyMulticast6,
		Multicast: m.Family == familyMulticast4 || m.Family == familyMulticast6, Table: uint32(m.Table),
	}
	r.TOS, r.Not = m.Tos, m.Flags&unix.FIB_RULE_INVERT != 0
	var extra []string
	for name, action := range actions {
		if action == m.Type {
			r.Action = name
		}
	}
	if r.Action == "" && m.Type != unix.FR_ACT_TO_TBL {
		extra = append(extra, fmt.Sprintf("action %d", m.Type))
	}
	for t, v := range kernel.Attributes(b[m.Len():]) {
		if !r.parse(m, t, v) {
			extra = append(extra, fmt.Sprintf("attribute %d %#x", t, v))
		}
	}
	if (r.FWMark != 0) && r.Mask == 0 {
		r.Mask = allBits
	}
	slices.Sort(extra)
	return r.named(extra...)
}

const allBits = 1<<32 - 1

// Attributes of linux/fib_rules.h that package unix lacks, since Linux 6.15.
const (
	fraSportMask = 28
	fraDportMask = 29
)

// parse reads one attribute; false says that a file has no words for it.
func (r *Rule) parse(m *nl.RtMsg, t uint16, v []byte) bool {
	number := kernel.U32At(v, 0)
	switch t {
	case unix.FRA_PRIORITY:
		r.Priority = number
	case unix.FRA_SRC:
		r.From = prefixOf(v, m.Src_len)
	case unix.FRA_DST:
		r.To = prefixOf(v, m.Dst_len)
	case unix.FRA_IIFNAME:
		r.IIF = unix.ByteSliceToString(v)
	case unix.FRA_OIFNAME:
		r.OIF = unix.ByteSliceToString(v)
	case unix.FRA_FWMARK:
		r.FWMark = number
	case unix.FRA_FWMASK:
		r.Mask = number
	case unix.FRA_TABLE:
		r.Table = number
	case unix.FRA_L3MDEV:
		r.L3mdev = kernel.U8(v) != 0
	case unix.FRA_UID_RANGE:
		r.UIDs = Range[uint32]{number, kernel.U32At(v, 1), true}
	case unix.FRA_IP_PROTO:
		r.IPProto = kernel.U8(v)
	case unix.FRA_SPORT_RANGE:
		r.SPort = portsOf(v)
	case unix.FRA_DPORT_RANGE:
		r.DPort = portsOf(v)
	case unix.FRA_PROTOCOL:
		r.Proto = kernel.U8(v)
	case fraSportMask, fraDportMask:
		return len(v) == 2 && binary.NativeEndian.Uint16(v) == 1<<16-1 // all bits, as of a rule that says nothing of it
	case unix.FRA_SUPPRESS_PREFIXLEN, unix.FRA_SUPPRESS_IFGROUP:
		return number == allBits // as of a rule that says nothing of it
	default:
		return t == unix.FRA_PAD || t == unix.FRA_UNSPEC
	}
	return true
}

func prefixOf(v []byte, bits uint8) netip.Prefix {
	a, _ := netip.AddrFromSlice(v)
	return netip.PrefixFrom(a, int(bits))
}

func portsOf(v []byte) Range[uint16] {
	if len(v) < 4 {
		return Range[uint16]{}
	}
	return Range[uint16]{binary.NativeEndian.Uint16(v), binary.NativeEndian.Uint16(v[2:]), true}
}

// message asks for a rule to be made or deleted.
func (r Rule) message(proto, flags int) kernel.Message {
	head := ruleHead(r.family())
	head.Tos, head.Type = r.TOS, unix.FR_ACT_TO_TBL
	if r.Action != "" {
		head.Type = actions[r.Action]
	}
	if r.Not {
		head.Flags = unix.FIB_RULE_INVERT
	}
	head.Src_len, head.Dst_len = bitsOf(r.From), bitsOf(r.To)
	m := kernel.NewMessage(proto, flags, head)
	r.selectors(m)
	m.U32(unix.FRA_PRIORITY, r.Priority)
	m.Add(unix.FRA_PROTOCOL, []byte{r.Proto})
	if r.L3mdev {
		m.Add(unix.FRA_L3MDEV, []byte{1})
	} else if r.Action == "" {
		m.U32(unix.FRA_TABLE, r.Table)
	}
	return m
}

func bitsOf(p netip.Prefix) uint8 {
	if !p.IsValid() {
		return 0
	}
	return uint8(p.Bits())
}

// selectors adds what packets the rule is for.
func (r Rule) selectors(m kernel.Message) {
	if r.From.IsValid() {
		m.Addr(unix.FRA_SRC, r.From.Addr())
	}
	if r.To.IsValid() {
		m.Addr(unix.FRA_DST, r.To.Addr())
	}
	if r.IIF != "" {
		m.Text(unix.FRA_IIFNAME, r.IIF)
	}
	if r.OIF != "" {
		m.Text(unix.FRA_OIFNAME, r.OIF)
	}
	if r.FWMark != 0 || r.Mask != 0 {
		m.U32(unix.FRA_FWMARK, r.FWMark)
		m.U32(unix.FRA_FWMASK, r.Mask)
	}
	if r.UIDs.Set {
		m.Add(unix.FRA_UID_RANGE, binary.NativeEndian.AppendUint32(nl.Uint32Attr(r.UIDs.First), r.UIDs.Last))
	}
	if r.IPProto != 0 {
		m.Add(unix.FRA_IP_PROTO, []byte{r.IPProto})
	}
	for t, ports := range map[int]Range[uint16]{unix.FRA_SPORT_RANGE: r.SPort, unix.FRA_DPORT_RANGE: r.DPort} {
		if ports.Set {
			m.Add(t, binary.NativeEndian.AppendUint16(nl.Uint16Attr(ports.First), ports.Last))
		}
	}
}

func putRules(e *object.Env, changes []plan.Change) error {
	for _, c := range changes {
		r, ok := c.New.(Rule)
		if !ok {
			return object.WrongType(KindRule, c.New)
		}
		s, err := e.Section(r.NS)
		if err != nil {
			return err
		}
		old := c.Old
		if old == nil {
			if old, err = r.made(s); err != nil {
				return err
			}
		}
		if there, ok := old.(Rule); ok && there.Proto == r.Proto {
			continue
		}
		if old != nil { // another number stands on it
			if err := delRules(e, []plan.Object{old}); err != nil {
				return err
			}
		}
		// Without NLM_F_EXCL: the kernel takes a rule that differs by "not" alone for the same.
		m := r.message(unix.RTM_NEWRULE, unix.NLM_F_CREATE)
		if msgs, _ := r.found.Messages(s, noIndexes); len(msgs) == 1 { // without indexes it can't fail
			m = object.Resend(unix.RTM_NEWRULE, unix.NLM_F_CREATE, nl.DeserializeRtMsg(msgs[0]), msgs[0][unix.SizeofRtMsg:])
		}
		if err := s.NS.Write("add rule "+r.Key().Name, m.NetlinkRequest); err != nil {
			return err
		}
	}
	return nil
}

func delRules(e *object.Env, objects []plan.Object) error {
	type place struct {
		ns   string
		dump *object.Dump
	}
	lists := make(map[place]*ruleList)
	for _, o := range objects {
		r, ok := o.(Rule)
		if !ok {
			return object.WrongType(KindRule, o)
		}
		s, err := e.Section(r.NS)
		if err != nil {
			continue // the namespace is gone, and all in it
		}
		at := place{r.NS, r.dump()}
		if lists[at] == nil {
			msgs, err := r.dump().Read(s.NS)
			if err != nil {
				return err
			}
			lists[at] = newRuleList(s, msgs)
		}
		if err := lists[at].remove(r); err != nil {
			return err
		}
	}
	return nil
}

// ruleList are the rules of a section, or those for multicast, in the order in which the kernel tries them.
type ruleList struct {
	ns    *kernel.Namespace
	rules []liveRule
}

// liveRule is a rule with the message that tells of it.
type liveRule struct {
	Rule
	msg []byte
}

func newRuleList(s *object.Section, msgs [][]byte) *ruleList {
	l := &ruleList{ns: s.NS}
	for _, m := range msgs {
		l.rules = append(l.rules, liveRule{parseRule(s.NS.Name, m), m})
	}
	return l
}

// remove deletes a rule. The kernel deletes the first rule that is not unlike what is asked for: a rule before this one
// that says more is put a second time, after it, and deleted first.
func (l *ruleList) remove(r Rule) error {
	at := slices.IndexFunc(l.rules, func(o liveRule) bool { return o.Key() == r.Key() && o.Proto == r.Proto })
	if at < 0 {
		return nil // it is gone
	}
	goes := l.rules[at]
	var before, rest []liveRule
	for _, o := range l.rules[:at] {
		if goes.matches(o.Rule) {
			before = append(before, o)
		} else {
			rest = append(rest, o)
		}
	}
	for _, o := range before {
		if err := l.write("keep", unix.RTM_NEWRULE, unix.NLM_F_CREATE, o); err != nil {
			return err
		}
	}
	for range len(before) + 1 {
		if err := l.write("delete", unix.RTM_DELRULE, 0, goes); err != nil {
			return err
		}
	}
	l.rules = slices.Concat(rest, l.rules[at+1:], before)
	return nil
}

// write sends the message of a rule back, as one to make or to delete it.
func (l *ruleList) write(verb string, proto, flags int, r liveRule) error {
	m := kernel.NewMessage(proto, flags, nl.DeserializeRtMsg(r.msg))
	m.AddRawData(r.msg[unix.SizeofRtMsg:])
	return object.IgnoreGone(l.ns.Write(verb+" rule "+r.Key().Name, m.NetlinkRequest))
}

// matches says whether the kernel takes a rule for this one when it is asked to delete this one: it compares what this
// one says (net/core/fib_rules.c: rule_find).
func (r Rule) matches(o Rule) bool {
	return r.Six == o.Six && r.Priority == o.Priority && r.Action == o.Action && r.Proto == o.Proto &&
		(r.Table == 0 || r.Table == o.Table) && (!r.L3mdev || o.L3mdev) &&
		(bitsOf(r.From) == 0 || r.From == o.From) && (bitsOf(r.To) == 0 || r.To == o.To) &&
		(r.IIF == "" || r.IIF == o.IIF) && (r.OIF == "" || r.OIF == o.OIF) &&
		(r.FWMark == 0 || r.FWMark == o.FWMark) && (r.Mask == 0 || r.Mask == o.Mask) &&
		(r.TOS == 0 || r.TOS == o.TOS) && (r.IPProto == 0 || r.IPProto == o.IPProto) &&
		(!r.UIDs.Set || r.UIDs == o.UIDs) && (!r.SPort.Set || r.SPort == o.SPort) && (!r.DPort.Set || r.DPort == o.DPort)
}

// forSome says whether the rule is for packets only that nobody is answered by who reaches the host.
func (r Rule) forSome() bool {
	forwarded := r.IIF != "" && r.IIF != object.Lo
	return forwarded || r.OIF != "" || r.FWMark != 0 || r.DPort.Set || r.UIDs.Set && r.UIDs.First > 0
}
