package kinds

import (
	"fmt"

	"github.com/google/nftables"

	"github.com/plumbnet/plumb/pkg/kernel"
	"github.com/plumbnet/plumb/pkg/object"
	"github.com/plumbnet/plumb/pkg/plan"
)

// droppingChains lists the chains of other tools that drop what is forwarded, unless a rule of theirs accepts it: no
// rule of ours can overrule them. Each is written as nft(8) does: "table ip filter, chain FORWARD".
func droppingChains(e *object.Env, s *object.Section) ([]droppingChain, error) {
	c, err := s.NS.NFT()
	if err != nil {
		return nil, err
	}
	defer c.CloseLasting() //nolint:errcheck // only read
	var found []droppingChain
	err = kernel.Snapshot(c, func() error {
		found = nil
		chains, err := c.ListChains()
		if err != nil {
			return fmt.Errorf("nftables: list chains: %w", err)
		}
		for _, ch := range chains {
			forwards := ch.Hooknum != nil && *ch.Hooknum == *nftables.ChainHookForward
			drops := ch.Policy != nil && *ch.Policy == nftables.ChainPolicyDrop
			if family, ok := families[ch.Table.Family]; ok && forwards && drops && ch.Table.Name != NATTable(e.Topology) {
				found = append(found, droppingChain{family, ch.Table.Name, ch.Name})
			}
		}
		return nil
	})
	return found, err
}

// droppingChain is a base chain of the forward hook whose policy is drop.
type droppingChain struct{ family, table, chain string }

// sees says whether packets of a family pass the chain.
func (d droppingChain) sees(v4 bool) bool {
	return d.family == "inet" || v4 && d.family == "ip" || !v4 && d.family == "ip6"
}

var families = map[nftables.TableFamily]string{
	nftables.TableFamilyINet: "inet", nftables.TableFamilyIPv4: "ip", nftables.TableFamilyIPv6: "ip6",
}

// warnNAT tells of an `out` that names no interface, and of other tools' chains that drop what the topology wants
// forwarded.
func warnNAT(e *object.Env, o plan.Object) (texts []string, err error) {
	n, ok := o.(NAT)
	s := e.Sections[n.NS]
	if !ok || s == nil {
		return nil, nil // a namespace yet to be made holds nothing that we did not plan
	}
	v4 := n.Subnet.Addr().Is4()
	if n.Out != "" && s.Known(n.Out) == 0 && !e.Wanted(object.LinkKey(n.NS, n.Out)) {
		text := fmt.Sprintf("nat %s: there is no interface %s", n.Key().Place(), n.Out)
		if dev := object.DefaultDev(s, v4); dev != "" {
			text += fmt.Sprintf("; the default route leaves by %s", dev)
		}
		texts = append(texts, text)
	}
	chains, err := droppingChains(e, s)
	for _, c := range chains {
		if c.sees(v4) {
			texts = append(texts, c.text(n, v4))
		}
	}
	return texts, err
}

func (d droppingChain) text(n NAT, v4 bool) string {
	family := "ip6"
	if v4 {
		family = "ip"
	}
	rule := fmt.Sprintf("nft insert rule %s %s %s %s %%s %s accept", d.family, d.table, d.chain, family, n.Subnet)
	return fmt.Sprintf("table %s %s, chain %s drops what is forwarded, so packets of %s may not pass; "+
		"allow them there: %s; %s",
		d.family, d.table, d.chain, n.Subnet, fmt.Sprintf(rule, "saddr"), fmt.Sprintf(rule, "daddr"))
}
