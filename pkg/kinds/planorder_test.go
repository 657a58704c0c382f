package kinds_test

import (
	"slices"

	"github.com/plumbnet/plumb/pkg/kinds"
	"github.com/plumbnet/plumb/pkg/plan"
)

// The kernel's order of a link's IPv4 addresses, as net/ipv4/devinet.c has it: primaries first.

// four lists where the IPv4 addresses of a link are in the machine.
func (m *machine) four(ns, dev string) []int {
	var at []int
	for i, o := range m.objects {
		if a, ok := o.(kinds.Address); ok && a.NS == ns && a.Dev == dev && a.Prefix.Addr().Is4() {
			at = append(at, i)
		}
	}
	return at
}

func (m *machine) subnet(i int) string {
	return m.objects[i].(kinds.Address).Prefix.Masked().String()
}

// primaries are those of the list that are the first of their subnet.
func (m *machine) primaries(list []int) []int {
	seen := make(map[string]bool)
	var first []int
	for _, i := range list {
		if !seen[m.subnet(i)] {
			first = append(first, i)
		}
		seen[m.subnet(i)] = true
	}
	return first
}

// placeFor is where a new object goes: a primary behind the last primary of its link, all else at the end.
func (m *machine) placeFor(o plan.Object) int {
	a, ok := o.(kinds.Address)
	if !ok || !a.Prefix.Addr().Is4() {
		return len(m.objects)
	}
	first := m.primaries(m.four(a.NS, a.Dev))
	secondary := slices.ContainsFunc(first, func(i int) bool { return m.subnet(i) == a.Prefix.Masked().String() })
	if len(first) == 0 || secondary {
		return len(m.objects)
	}
	return first[len(first)-1] + 1
}

// promote makes the first secondary of the address at i a primary, before that goes.
func (m *machine) promote(i int) {
	a, ok := m.objects[i].(kinds.Address)
	if !ok || !a.Prefix.Addr().Is4() {
		return
	}
	list := m.four(a.NS, a.Dev)
	first := m.primaries(list)
	heirs := slices.DeleteFunc(slices.Clone(list), func(j int) bool { return j <= i || m.subnet(j) != m.subnet(i) })
	if !slices.Contains(first, i) || len(heirs) == 0 {
		return
	}
	if next := list[slices.Index(list, i)+1]; next == heirs[0] {
		return // it follows at once, and stays where it is
	}
	behind := list[0]
	if last := first[len(first)-1]; last > i {
		behind = last
	}
	heir := m.objects[heirs[0]]
	m.cut(heirs[0])
	m.insert(behind+1, heir)
}
