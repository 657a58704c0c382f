package kind

import (
	"fmt"

	"github.com/google/nftables"

	"github.com/plumbnet/plumb/pkg/kernel"
)

// DroppingChains lists the chains of other tools that drop what is forwarded, unless a rule of theirs accepts it: no
// rule of ours can overrule them. Each is written as nft(8) does: "table ip filter, chain FORWARD".
func DroppingChains(e *Env, s *Section) ([]DroppingChain, error) {
	c, err := s.NS.NFT()
	if err != nil {
		return nil, err
	}
	defer c.CloseLasting() //nolint:errcheck // only read
	var found []DroppingChain
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
				found = append(found, DroppingChain{family, ch.Table.Name, ch.Name})
			}
		}
		return nil
	})
	return found, err
}

// DroppingChain is a base chain of the forward hook whose policy is drop.
type DroppingChain struct{ Family, Table, Chain string }

// Sees says whether packets of a family pass the chain.
func (d DroppingChain) Sees(v4 bool) bool {
	return d.Family == "inet" || v4 && d.Family == "ip" || !v4 && d.Family == "ip6"
}

var families = map[nftables.TableFamily]string{
	nftables.TableFamilyINet: "inet", nftables.TableFamilyIPv4: "ip", nftables.TableFamilyIPv6: "ip6",
}
