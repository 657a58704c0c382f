package kinds

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/plumbnet/plumb/pkg/object"
	"github.com/plumbnet/plumb/pkg/plan"
)

// KindRule is a rule of policy routing (ip-rule(8)).
const KindRule = "rule"

// Rule is the wanted or live state of a rule. All that it says is its name, so that a change makes the new one before
// the old one goes.
type Rule struct {
	NS  string
	Six bool
	// Multicast says that the rule is for multicast packets that are routed, which have rules of their own.
	Multicast bool
	// Words are selectors and verdict as ip-rule(8) writes them: "100: from 10.1.0.0/24 iif eth0 lookup 100".
	Words string

	Priority uint32
	// What packets the rule is for; what is zero matches all.
	Not          bool
	From, To     netip.Prefix
	IIF, OIF     string
	FWMark, Mask uint32
	TOS          uint8
	UIDs         Range[uint32]
	IPProto      uint8
	SPort, DPort Range[uint16]
	// Action is empty for a lookup in Table; L3mdev looks up the table of the packet's VRF.
	Action string
	Table  uint32
	L3mdev bool
	Proto  uint8 `plan:"proto,quiet"`

	// found is the rule where no file wants it.
	found object.Found
}

// Range is from First to Last; Set says that there is one.
type Range[T uint16 | uint32] struct {
	First, Last T
	Set         bool
}

func (r Range[T]) String() string {
	if r.First == r.Last {
		return fmt.Sprint(r.First)
	}
	return fmt.Sprintf("%d-%d", r.First, r.Last)
}

// actions are the verdicts that a file can name.
var actions = map[string]uint8{
	Blackhole: unix.FR_ACT_BLACKHOLE, Unreachable: unix.FR_ACT_UNREACHABLE, Prohibit: unix.FR_ACT_PROHIBIT,
}

// named fills in the words; extra is what a live rule says beside them, for which a file has no words.
func (r Rule) named(extra ...string) Rule {
	w := []string{fmt.Sprintf("%d:", r.Priority)}
	add := func(set bool, format string, values ...any) {
		if set {
			w = append(w, fmt.Sprintf(format, values...))
		}
	}
	add(r.Not, "not")
	add(r.From.IsValid(), "from %s", r.From)
	add(!r.From.IsValid(), "from all")
	add(r.To.IsValid(), "to %s", r.To)
	add(r.IIF != "", "iif %s", r.IIF)
	add(r.OIF != "", "oif %s", r.OIF)
	add(r.FWMark != 0 || r.Mask != 0, "fwmark %#x/%#x", r.FWMark, r.Mask)
	add(r.TOS != 0, "tos %#x", r.TOS)
	add(r.UIDs.Set, "uidrange %d-%d", r.UIDs.First, r.UIDs.Last)
	add(r.IPProto != 0, "ipproto %d", r.IPProto)
	add(r.SPort.Set, "sport %s", r.SPort)
	add(r.DPort.Set, "dport %s", r.DPort)
	w = append(w, extra...)
	add(r.L3mdev, "lookup l3mdev")
	add(r.Action != "", "%s", r.Action)
	add(r.Action == "" && !r.L3mdev && r.Table != MainTable, "lookup %d", r.Table)
	add(r.Action == "" && !r.L3mdev && r.Table == MainTable, "lookup main")
	r.Words = strings.Join(w, " ")
	return r
}

// Key implements [plan.Object].
func (r Rule) Key() plan.Key {
	name := "inet "
	if r.Six {
		name = "inet6 "
	}
	if r.Multicast {
		name += "multicast "
	}
	return plan.Key{NS: r.NS, Kind: KindRule, Name: name + r.Words}
}

// Needs implements [plan.Object]: interfaces are matched by name, whether they are there or not.
func (r Rule) Needs() []plan.Key { return object.SectionNeed(r.NS) }

// On implements [plan.Dependent].
func (r Rule) On() []plan.Key { return r.Needs() }

// After implements [plan.Dependent].
func (r Rule) After(_, now plan.Object, _ plan.World) (plan.Object, bool) { return r, now != nil }

// Describe implements [plan.Object].
func (r Rule) Describe() string { return "" }

// mainPriority is that of the kernel's own rule that looks up the main table.
const mainPriority = 32766

// cutsRule says whether a new rule of the host keeps the host's own packets from its default route.
func cutsRule(l *object.Lifelines, s plan.Step, c plan.Change) string {
	r, ok := c.New.(Rule)
	looksUp := r.Action == "" && (r.Table == MainTable || r.Table == unix.RT_TABLE_LOCAL)
	harmless := looksUp || r.L3mdev || r.Priority > mainPriority || !r.Not && r.forSome()
	if !ok || r.NS != "" || c.Old != nil || harmless || !r.Not && bitsOf(r.To) > 1 {
		return ""
	}
	for _, d := range l.Defaults {
		if d.V4 != r.Six && (r.Not || bitsOf(r.From) <= 1 || slices.ContainsFunc(l.Addresses, r.From.Contains)) {
			return fmt.Sprintf("would divert traffic that now uses the default route over %s", strings.Join(d.Devs, " and "))
		}
	}
	return ""
}
