package kinds

import (
	"fmt"
	"slices"
	"strings"

	"github.com/google/nftables"

	"github.com/plumbnet/plumb/pkg/kernel"
	"github.com/plumbnet/plumb/pkg/object"
	"github.com/plumbnet/plumb/pkg/plan"
)

// takesForwarding tells who on the host needs the forwarding that a change switches off: guests that came later, which
// found it on.
func takesForwarding(e *object.Env, c plan.Change) ([]string, error) {
	old, ok := c.Old.(Sysctl)
	s := e.Sections[""]
	if !ok || old.NS != "" || s == nil || old.Name != object.Forwarding4 && old.Name != object.Forwarding6 {
		return nil, nil
	}
	value := ""
	if now, ok := c.New.(Sysctl); ok {
		value = now.Value
	} else {
		claim, _ := e.Record.Claim(old.Key())
		value, _ = original(e, s, old.Key(), claim)
	}
	if !object.IsOn(old.Value) || value == "" || object.IsOn(value) {
		return nil, nil
	}
	v4 := old.Name == object.Forwarding4
	needy := guestBridges(s, v4)
	tables, err := natTables(s, v4)
	if needy = append(needy, tables...); len(needy) == 0 {
		return nil, err
	}
	return []string{fmt.Sprintf("sysctl %s goes to %s, and others on this host seem to need it: %s; "+
		"if they do, set it again: sysctl -w %s=1", old.Name, value, strings.Join(needy, ", "), old.Name)}, err
}

// guestBridges lists the bridges of others that have ports and addresses, and were made after the first link of the
// topology: the host may route what is plugged into them.
func guestBridges(s *object.Section, v4 bool) (names []string) {
	first := 0
	for _, l := range s.Links {
		if l.Class == plan.Ours && (first == 0 || l.Index < first) {
			first = l.Index
		}
	}
	for _, l := range s.Links {
		_, _, _, stamped := object.ParseAlias(l.Alias)
		ported := func(port object.LiveLink) bool { return port.Master == l.Index }
		addressed := func(a object.LiveAddress) bool {
			return a.Index == l.Index && a.Prefix.Addr().Is4() == v4 && !a.Prefix.Addr().IsLinkLocalUnicast()
		}
		if l.Type == "bridge" && l.Class != plan.Ours && !stamped && l.Index > first &&
			slices.ContainsFunc(s.Links, ported) && slices.ContainsFunc(s.Addresses(), addressed) {
			names = append(names, "bridge "+l.Name)
		}
	}
	return names
}

// natTables lists the tables of others that translate the source of packets: mostly of such as are forwarded.
func natTables(s *object.Section, v4 bool) (names []string, err error) {
	untouched, err := s.NS.NFTUntouched()
	if err == nil && !untouched {
		names, err = nftNATTables(s, v4)
	}
	if unsupported(err) {
		err = nil
	}
	if err != nil {
		return nil, err
	}
	legacy, err := s.NS.LegacyTables(v4)
	if slices.Contains(legacy, "nat") {
		command := "ip6tables-legacy"
		if v4 {
			command = "iptables-legacy"
		}
		names = append(names, "table nat of "+command)
	}
	return names, err
}

func nftNATTables(s *object.Section, v4 bool) (names []string, err error) {
	c, err := s.NS.NFT()
	if err != nil {
		return nil, err
	}
	defer c.CloseLasting() //nolint:errcheck // only read
	err = kernel.Snapshot(c, func() error {
		names = nil
		chains, err := c.ListChains()
		if err != nil {
			return fmt.Errorf("nftables: list chains: %w", err)
		}
		for _, ch := range chains {
			family := families[ch.Table.Family]
			if !(forwardChain{family: family}).sees(v4) || ch.Type != nftables.ChainTypeNAT || ch.Hooknum == nil ||
				*ch.Hooknum != *nftables.ChainHookPostrouting || strings.HasPrefix(ch.Table.Name, NATTable("")) {
				continue
			}
			rules, err := c.GetRules(ch.Table, ch)
			if err != nil {
				return fmt.Errorf("nftables: list rules: %w", err)
			}
			if name := "table " + family + " " + ch.Table.Name; len(rules) > 0 && !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
		return nil
	})
	return names, err
}
