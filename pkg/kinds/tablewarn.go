package kinds

import (
	"fmt"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/plumbnet/plumb/pkg/link"
	"github.com/plumbnet/plumb/pkg/object"
)

// lookedUpByKernel says whether the kernel's own rules look a table up.
func lookedUpByKernel(table uint32) bool {
	return table == MainTable || table == unix.RT_TABLE_DEFAULT || table == unix.RT_TABLE_LOCAL
}

// liveRules are the rules of the host that the topology does not declare.
type liveRules struct {
	read bool
	list []Rule
}

// looksUp says whether a rule of the host looks up a route's table, a declared one or another.
func looksUp(e *object.Env, r Route) (bool, error) {
	for _, o := range e.WantedHere(r.NS, KindRule) {
		if rule, ok := o.(Rule); ok && rule.looksUp(r.Table, r.Dst.Addr().Is6()) {
			return true, nil
		}
	}
	for _, o := range e.WantedHere(r.NS, object.KindLink) {
		if l, ok := o.(link.Link); ok && l.Type == link.TypeVRF && l.Table() == r.Table {
			return true, nil
		}
	}
	kept := object.In[liveRules](e)
	if !kept.read {
		msgs, err := ruleDump.Read(e.Sections[r.NS].NS)
		if err != nil {
			return false, err
		}
		for _, m := range msgs {
			rule := parseRule(r.NS, m)
			if goes := rule.Proto == object.Protocol && e.Record.Holds(rule.Key()); !goes {
				kept.list = append(kept.list, rule)
			}
		}
		kept.read = true
	}
	return slices.ContainsFunc(kept.list, func(rule Rule) bool { return rule.looksUp(r.Table, r.Dst.Addr().Is6()) }), nil
}

// looksUp says whether the rule may send packets of a family to a table: that of a VRF can be any.
func (r Rule) looksUp(table uint32, six bool) bool {
	return r.Six == six && r.Action == "" && (r.L3mdev || r.Table == table)
}

func neverLookedUp(r Route) string {
	family := "IPv4"
	if r.Dst.Addr().Is6() {
		family = "IPv6"
	}
	return fmt.Sprintf("no rule of %s looks up table %d, so the route is never used", family, r.Table)
}

func ruleFor(table uint32) string {
	return fmt.Sprintf("add a rule, as rules: [{priority: 100, table: %d}]", table)
}

// tablesAcross warns of tables of namespaces that no rule looks up: each once for a family. On the host others may have
// made rules.
func tablesAcross(n *object.Network) {
	type table struct {
		number uint32
		six    bool
	}
	if n.HasErrors() {
		return
	}
	for _, s := range n.Sections[1:] {
		rules := checkedOf[*sectionRules](s)
		said := make(map[table]bool)
		for _, r := range routesOf(s).list {
			t := table{r.Table, r.Dst.Addr().Is6()}
			looked := slices.ContainsFunc(rules.list, func(rule ruleAt) bool { return rule.looksUp(t.number, t.six) })
			if !looked && !lookedUpByKernel(t.number) && !s.Subnets.IsVRF(t.number) && !said[t] {
				said[t] = true
				s.Warnf(r.table, "%s", neverLookedUp(r.Route)).Hint = ruleFor(t.number)
			}
		}
	}
}
