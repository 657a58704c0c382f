package agent

import (
	"fmt"
	"slices"
	"strings"

	"github.com/plumbnet/plumb/pkg/kinds"
	"github.com/plumbnet/plumb/pkg/object"
	"github.com/plumbnet/plumb/pkg/plan"
)

// manager is a program that manages the host's links, and can be told which to leave alone.
type manager struct {
	name string
	// comm is how the kernel calls its process, in 15 characters.
	comm string
	// lines of file leave links alone, and reload has it read them.
	lines        func(links []string) []string
	file, reload string
	// rules, unless nil, are lines of another file by which it leaves policy rules alone, which lie on no link.
	rules     []string
	rulesFile string
}

// managers are those that most hosts have one of.
var managers = []manager{
	{
		name: "systemd-networkd", comm: "systemd-network",
		lines: func(links []string) []string {
			return []string{"[Match]", "Name=" + strings.Join(links, " "), "[Link]", "Unmanaged=yes"}
		},
		// The first file that matches a link counts.
		file: "/etc/systemd/network/00-plumb.network", reload: "networkctl reload",
		rules:     []string{"[Network]", "ManageForeignRoutingPolicyRules=no"},
		rulesFile: "/etc/systemd/networkd.conf.d/plumb.conf",
	},
	{
		name: "NetworkManager", comm: "NetworkManager",
		lines: func(links []string) []string {
			return []string{"[keyfile]", "unmanaged-devices=interface-name:" + strings.Join(links, ";interface-name:")}
		},
		file: "/etc/NetworkManager/conf.d/plumb.conf", reload: "systemctl reload NetworkManager",
	},
}

// Advice says, where a known manager of links contests something of the host, which lines have it leave that alone.
func (e Event) Advice() (list []string) {
	if e.What != Contested {
		return nil
	}
	links, rules := e.places()
	for _, m := range managers {
		if !slices.ContainsFunc(e.By, func(by string) bool { return strings.HasSuffix(by, " ("+m.comm+")") }) {
			continue
		}
		if len(links) > 0 {
			list = append(list, m.advice(plan.Listing(links), m.lines(links), m.file, m.reload))
		}
		if rules && m.rules != nil {
			list = append(list, m.advice("rules", m.rules, m.rulesFile, "systemctl restart "+m.name))
		}
	}
	return list
}

func (m manager) advice(what string, lines []string, file, then string) string {
	return fmt.Sprintf("%s leaves %s alone with the lines %s in %s, after '%s'",
		m.name, what, strings.Join(lines, ", "), file, then)
}

// places lists the links of the host that an event is about, and whether it is about policy rules of the host.
func (e Event) places() (links []string, rules bool) {
	for _, o := range e.Outcomes {
		for _, c := range o.Step.Changes {
			k := c.Key()
			rules = rules || k.NS == "" && k.Kind == kinds.KindRule
			on := c.New
			if on == nil {
				on = c.Old
			}
			for _, k := range slices.Concat([]plan.Key{k}, on.Needs()) {
				if k.NS == "" && k.Kind == object.KindLink && !slices.Contains(links, k.Name) {
					links = append(links, k.Name)
				}
			}
		}
	}
	slices.Sort(links)
	return links, rules
}
