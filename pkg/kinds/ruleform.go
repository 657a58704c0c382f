package kinds

import (
	"net/netip"
	"strconv"
	"strings"

	"github.com/plumbnet/plumb/pkg/file"
	"github.com/plumbnet/plumb/pkg/object"
)

// RuleEntry is an entry of a section's list of rules.
type RuleEntry struct {
	Priority uint32              `file:"priority,required,least=1" missing:"as \"priority: 100\"" doc:"lowest first"`
	Not      bool                `file:"not" doc:"for the packets that do not match"`
	From     Destination         `file:"from" doc:"source of the packets"`
	To       Destination         `file:"to" doc:"destination of the packets"`
	IIF      object.Ifname       `file:"iif" doc:"interface that they came in by; lo for the section's own"`
	OIF      object.Ifname       `file:"oif" doc:"interface that a socket is bound to"`
	FWMark   Mark                `file:"fwmark" doc:"mark of the packets, as 0x1 or 0x1/0xff"`
	TOS      uint8               `file:"tos" doc:"type of service"`
	UIDs     NumberRange[uint32] `file:"uidrange" doc:"users whose packets they are"`
	IPProto  IPProtocol          `file:"ipproto" doc:"protocol above IP"`
	SPort    NumberRange[uint16] `file:"sport" doc:"source port"`
	DPort    NumberRange[uint16] `file:"dport" doc:"destination port"`
	Table    object.TableNumber  `file:"table" doc:"routing table that is looked up"`
	Action   RouteType           `file:"action" doc:"how the sender is answered"`
	L3mdev   bool                `file:"l3mdev" doc:"look up the table of the packet's VRF"`
}

// Mark is a firewall mark with the bits of it that count.
type Mark struct{ Value, Mask uint32 }

// Parse implements [file.Parser].
func (m *Mark) Parse(name, s string) error {
	value, mask, masked := strings.Cut(s, "/")
	v, err := strconv.ParseUint(value, 0, 32)
	bits := uint64(allBits)
	if err == nil && masked {
		bits, err = strconv.ParseUint(mask, 0, 32)
	}
	if err != nil || bits == 0 {
		return file.Flaw{Message: name + " " + file.Quote(s) + " is no mark", Hint: "as 0x1, or 0x1/0xff for some bits of it"}
	}
	*m = Mark{uint32(v), uint32(bits)}
	return nil
}

func (m Mark) String() string {
	if m.Mask == allBits {
		return "0x" + strconv.FormatUint(uint64(m.Value), 16)
	}
	return "0x" + strconv.FormatUint(uint64(m.Value), 16) + "/0x" + strconv.FormatUint(uint64(m.Mask), 16)
}

// Text implements [file.Described].
func (*Mark) Text() file.Text {
	return file.Text{Words: "mark, with a mask after a slash", Types: []string{"integer", "string"}}
}

// NumberRange is a number, or two with a dash between.
type NumberRange[T uint16 | uint32] struct{ Range[T] }

// bounds are the least and the most that the kernel takes: of ports neither 0 nor the last (net/fib_rules.h:
// fib_rule_port_range_valid), of users not the last, which is none.
func (NumberRange[T]) bounds() (least, most int64) {
	if most = int64(^T(0)) - 1; most < 1<<16 {
		least = 1
	}
	return least, most
}

// Parse implements [file.Parser].
func (r *NumberRange[T]) Parse(name, s string) error {
	low, high, several := strings.Cut(s, "-")
	least, most := r.bounds()
	first, err := file.ParseNumber(name, low, least, most)
	last := first
	if err == nil && several {
		last, err = file.ParseNumber(name, high, first, most)
	}
	if err == nil {
		r.Range = Range[T]{T(first), T(last), true}
	}
	return err
}

// Text implements [file.Described].
func (*NumberRange[T]) Text() file.Text {
	return file.Text{Words: "number, or two with - between", Types: []string{"integer", "string"}}
}

// IPProtocol is the number of a protocol above IP (protocols(5)).
type IPProtocol uint8

// protocols are those that have names in the file.
var protocols = map[string]IPProtocol{"icmp": 1, "tcp": 6, "udp": 17, "ipv6-icmp": 58, "sctp": 132}

// Parse implements [file.Parser].
func (p *IPProtocol) Parse(name, s string) error {
	if named, ok := protocols[s]; ok {
		*p = named
		return nil
	}
	n, err := file.ParseNumber(name, s, 1, 255)
	if err == nil {
		*p = IPProtocol(n)
	}
	return err
}

// Text implements [file.Described].
func (*IPProtocol) Text() file.Text {
	return file.Text{Words: "number, or one of tcp, udp, icmp, ipv6-icmp, sctp", Types: []string{"integer", "string"}}
}

// some is a prefix, none for all addresses: of these the kernel says nothing.
func some(d Destination) netip.Prefix {
	if d.Prefix.Bits() == 0 {
		return netip.Prefix{}
	}
	return d.Prefix
}

// ruleForm is how rules stand in a section.
func ruleForm() object.Form {
	return object.Form{
		On: object.OnSection,
		Part: file.Part{
			Key: "rules", Item: "a rule", Doc: "policy routing: which table is looked up for which packets",
			New: func() any { return new([]RuleEntry) },
		},
		Check: checkRules, Across: tablesAcross, Expand: expandRules,
	}
}

// ruleAt is a rule and where it stands.
type ruleAt struct {
	Rule
	at file.Span
}

// sectionRules are the rules of a section.
type sectionRules struct{ list []ruleAt }

// checkRules returns the rules of a section: two of an entry without addresses, one for each family.
func checkRules(at *object.At) any {
	var list []ruleAt
	first := map[string]file.Span{}
	for i, spot := range at.Spots.Items() {
		e := (*at.Form.(*[]RuleEntry))[i]
		if spot.Flawed() || !e.sound(at.Sense, spot) {
			continue
		}
		for _, r := range e.rules(at.Name) {
			k := r.Key().Name
			if other, twice := first[k]; twice {
				at.Errorf(spot.At(), "this rule is given twice, first on line %d", other.Line)
				break
			}
			first[k] = spot.At()
			list = append(list, ruleAt{r, spot.At()})
		}
	}
	at.Expect(len(list))
	return &sectionRules{list}
}

// sound reports what does not go together.
func (e RuleEntry) sound(s *object.Sense, at file.Spots) bool {
	verdicts := 0
	for _, key := range []string{"table", "action", "l3mdev"} {
		if at.Given(key) {
			verdicts++
		}
	}
	switch {
	case verdicts != 1:
		s.Errorf(at.At(), "a rule has exactly one of table, action and l3mdev").Hint = "as table: 100, or action: prohibit"
	case at.Given("l3mdev") && !e.L3mdev:
		s.Errorf(at.At("l3mdev"), "l3mdev is true or left out")
	case e.From.IsValid() && e.To.IsValid() && e.From.Addr().Is4() != e.To.Addr().Is4():
		s.Errorf(at.At("to"), "from %s and to %s are of different families", e.From, e.To)
	case e.TOS%4 != 0:
		s.Errorf(at.At("tos"), "tos %d has the bits of ECN, by which no rule can choose", e.TOS).Hint = "a multiple of 4"
	case e.TOS > 28 && !e.From.Addr().Is6() && !e.To.Addr().Is6():
		s.Errorf(at.At("tos"), "tos %d is more than rules of IPv4 take", e.TOS).Hint = "28 at most"
	case e.Priority == 32766 || e.Priority == 32767:
		s.Errorf(at.At("priority"), "priority %d is that of the kernel's own rule", e.Priority)
	default:
		return true
	}
	return false
}

// rules makes the entry's objects.
func (e RuleEntry) rules(ns string) (list []Rule) {
	for _, six := range []bool{false, true} {
		of := e.From
		if !of.IsValid() {
			of = e.To
		}
		if of.IsValid() && of.Addr().Is6() != six {
			continue
		}
		r := Rule{
			NS: ns, Six: six, Priority: e.Priority, Not: e.Not, From: some(e.From), To: some(e.To),
			IIF: string(e.IIF), OIF: string(e.OIF),
			FWMark: e.FWMark.Value, Mask: e.FWMark.Mask, TOS: e.TOS, UIDs: e.UIDs.Range, IPProto: uint8(e.IPProto),
			SPort: e.SPort.Range, DPort: e.DPort.Range, Action: string(e.Action), Table: uint32(e.Table), L3mdev: e.L3mdev,
			Proto: object.Protocol,
		}
		list = append(list, r.named())
	}
	return list
}

func expandRules(at *object.At, x *object.Expansion) {
	for _, r := range at.Checked.(*sectionRules).list {
		x.Add(r.Rule, r.at)
	}
}
