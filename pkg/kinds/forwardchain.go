package kinds

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/plumbnet/plumb/pkg/kernel"
	"github.com/plumbnet/plumb/pkg/link"
	"github.com/plumbnet/plumb/pkg/object"
	"github.com/plumbnet/plumb/pkg/plan"
)

// forwardChain is a chain of another tool that sees what is forwarded. What it drops no rule of ours can let pass.
type forwardChain struct {
	family, table, chain string // as nft(8) writes them; of iptables-legacy the family is its command
	legacy               bool
	policy               bool // drops what no rule decides about
	rules                rules
	entry                string // the chain among the rules
}

// sees says whether packets of a family pass the chain.
func (c forwardChain) sees(v4 bool) bool {
	seen, known := map[string][2]bool{ // v6, v4
		"inet": {true, true}, "ip": {false, true}, "ip6": {true, false},
		"iptables-legacy": {false, true}, "ip6tables-legacy": {true, false},
	}[c.family]
	return known && seen[kernel.Bit(v4)]
}

// drops says whether the chain drops some traffic.
func (c forwardChain) drops(t traffic) bool {
	v := c.rules.of(c.entry, t, 0)
	return c.sees(t.v4) && (v == verdictDrop || v == verdictNone && c.policy)
}

// String names the chain.
func (c forwardChain) String() string {
	if c.legacy {
		return fmt.Sprintf("%s, table %s, chain %s", c.family, c.table, c.chain)
	}
	return fmt.Sprintf("table %s %s, chain %s", c.family, c.table, c.chain)
}

// remedy is a command that lets packets pass which begin or end in one of some networks.
func (c forwardChain) remedy(from bool, networks []netip.Prefix) string {
	words := make([]string, len(networks))
	for i, p := range networks {
		words[i] = p.String()
	}
	if c.legacy {
		return fmt.Sprintf("%s -I %s %s %s -j ACCEPT", c.family, c.chain, map[bool]string{true: "-s", false: "-d"}[from],
			strings.Join(words, ","))
	}
	where, set := dest, strings.Join(words, ", ")
	if from {
		where = source
	}
	if len(words) > 1 {
		set = "'{ " + set + " }'"
	}
	family := "ip6"
	if networks[0].Addr().Is4() {
		family = "ip"
	}
	return fmt.Sprintf("nft insert rule %s %s %s %s %s %s accept", c.family, c.table, c.chain, family, where, set)
}

// remedyBetween is a command that lets the frames between the ports of a bridge pass.
func (c forwardChain) remedyBetween(bridge string) string {
	if c.legacy {
		return fmt.Sprintf("%s -I %s -i %s -o %s -j ACCEPT", c.family, c.chain, bridge, bridge)
	}
	return fmt.Sprintf("nft insert rule %s %s %s iifname %s oifname %s accept", c.family, c.table, c.chain, bridge, bridge)
}

// firewall is what others make of what a section forwards, once it is known.
type firewall struct {
	known  bool
	chains []forwardChain
}

// forwardChains reads the chains of a section that see what is forwarded.
func forwardChains(e *object.Env, s *object.Section) ([]forwardChain, error) {
	f := object.In[firewall](s)
	if f.known {
		return f.chains, nil
	}
	f.known = true
	var chains []forwardChain
	untouched, err := s.NS.NFTUntouched()
	if err == nil && !untouched {
		chains, err = readForwardChains(e, s)
	}
	if unsupported(err) {
		err = nil // a kernel without nf_tables has no chains of it
	}
	for _, v4 := range []bool{true, false} {
		table, failed := s.NS.LegacyFilter(v4)
		if err = errors.Join(err, failed); table != nil {
			family := map[bool]string{true: "iptables-legacy", false: "ip6tables-legacy"}[v4]
			chains = append(chains, forwardChain{family: family, table: "filter", chain: "FORWARD", legacy: true,
				rules: legacyRules(table, v4), entry: strconv.Itoa(table.Forward)})
		}
	}
	f.chains = chains
	return chains, err
}

// warnRouted tells of chains that drop what goes from networks to elsewhere, or the answers to it.
func warnRouted(e *object.Env, s *object.Section, networks []linkNetwork, out string) (texts []string, err error) {
	chains, err := forwardChains(e, s)
	for _, c := range chains {
		var dropped []netip.Prefix
		for _, n := range networks {
			there := traffic{v4: n.Addr().Is4(), src: n.Prefix, in: n.dev, out: out}
			back := traffic{v4: there.v4, dst: n.Prefix, in: out, out: n.dev, answers: true}
			if (c.drops(there) || c.drops(back)) && !slices.Contains(dropped, n.Prefix) {
				dropped = append(dropped, n.Prefix)
			}
		}
		for _, list := range byFamily(dropped) {
			texts = append(texts, fmt.Sprintf("%s drops what is forwarded, so packets of %s may not pass; "+
				"allow them there: %s; %s", c, inWords(list), c.remedy(true, list), c.remedy(false, list)))
		}
	}
	return texts, err
}

// byFamily makes a list for each family that there is.
func byFamily(networks []netip.Prefix) (lists [][]netip.Prefix) {
	for _, v4 := range []bool{true, false} {
		other := func(p netip.Prefix) bool { return p.Addr().Is4() != v4 }
		if list := slices.DeleteFunc(slices.Clone(networks), other); len(list) > 0 {
			lists = append(lists, list)
		}
	}
	return lists
}

// inWords lists the first of some networks.
func inWords(list []netip.Prefix) string {
	const most = 3
	var words []string
	for _, p := range list[:min(most, len(list))] {
		words = append(words, p.String())
	}
	if rest := len(list) - most; rest > 0 {
		return strings.Join(words, ", ") + fmt.Sprintf(" and %d more", rest)
	}
	return strings.Join(words, ", ")
}

// wantedNetworks lists the networks of a section that the topology declares.
func wantedNetworks(e *object.Env, ns string) (list []linkNetwork) {
	for _, o := range e.WantedHere(ns, KindAddress) {
		a, ok := o.(Address)
		if ok && a.Dev != object.Lo && !a.Prefix.Addr().IsLinkLocalUnicast() && !a.Prefix.IsSingleIP() {
			list = append(list, linkNetwork{a.Prefix.Masked(), a.Dev})
		}
	}
	return list
}

// warnForwarding tells of chains that drop what the host forwards because a parameter says that it shall. With nat, the
// entries tell of what they translate. Firewalls stand on the host; to look for them in each namespace of a line of
// routers would make a look at it twice as dear.
func warnForwarding(e *object.Env, o plan.Object) ([]string, error) {
	v, ok := o.(Sysctl)
	s := e.Sections[o.Key().NS]
	if !ok || s == nil || s.Owned || !object.IsOn(v.Value) || !isSwitch(v.Name) {
		return nil, nil
	}
	v4 := v.Name == object.Forwarding4
	for _, n := range wantedNAT(e, s) {
		if n.Subnet.Addr().Is4() == v4 {
			return nil, nil
		}
	}
	other := func(n linkNetwork) bool { return n.Addr().Is4() != v4 }
	networks := slices.DeleteFunc(wantedNetworks(e, v.NS), other)
	if len(networks) == 0 {
		return nil, nil
	}
	return warnRouted(e, s, networks, "")
}

// bridgeCalls are the parameters by which frames between a bridge's ports pass the chains of a family too.
var bridgeCalls = map[bool]string{
	true: "net.bridge.bridge-nf-call-iptables", false: "net.bridge.bridge-nf-call-ip6tables",
}

// warnBridge tells of chains that drop what goes from one port of a bridge to another: br_netfilter runs it through
// them.
func warnBridge(e *object.Env, o plan.Object) (texts []string, err error) {
	l, ok := o.(link.Link)
	s := e.Sections[o.Key().NS]
	if !ok || s == nil || s.Owned || l.Type != "bridge" {
		return nil, nil
	}
	chains, err := forwardChains(e, s)
	if len(chains) == 0 {
		return nil, err
	}
	paths := []string{object.SysctlPath(bridgeCalls[true]), object.SysctlPath(bridgeCalls[false])}
	calls, failed := s.NS.ReadSysctls(paths)
	err = errors.Join(err, failed)
	for v4, name := range bridgeCalls {
		if calls[object.SysctlPath(name)] != "1" {
			continue
		}
		between := betweenPorts(e, l, v4)
		for _, c := range chains {
			if slices.ContainsFunc(between, c.drops) {
				texts = append(texts, fmt.Sprintf("%s drops what is forwarded, and %s is 1, so frames between the ports of %s "+
					"may not pass; allow them there: %s", c, name, o.Key().Place(), c.remedyBetween(l.Ifname)))
			}
		}
	}
	slices.Sort(texts)
	return texts, err
}

// betweenPorts is what goes between the ports of a bridge, in the networks of which two links are plugged into it.
func betweenPorts(e *object.Env, bridge link.Link, v4 bool) (list []traffic) {
	plugged := make(map[netip.Prefix]int)
	for _, o := range e.WantedHere(bridge.NS, object.KindLink) {
		port, ok := o.(link.Link)
		far, paired := port.Pair()
		if !ok || !paired || port.Master != bridge.Name {
			continue
		}
		for _, n := range wantedNetworks(e, far.NS) {
			if n.dev == far.Name && n.Addr().Is4() == v4 {
				plugged[n.Prefix]++
			}
		}
	}
	for p, links := range plugged {
		if links > 1 {
			list = append(list, traffic{v4: v4, src: p, dst: p, in: bridge.Ifname, out: bridge.Ifname},
				traffic{v4: v4, src: p, dst: p, in: bridge.Ifname, out: bridge.Ifname, answers: true})
		}
	}
	return list
}
