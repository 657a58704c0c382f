package reconcile

import (
	"fmt"

	"github.com/plumbnet/plumb/pkg/kind"
)

// warn says what no plan can mend: an `out` that names no interface, and other tools' chains that drop what the
// topology wants forwarded. A warning that can't be found out is one itself.
func (r *run) warn() {
	for _, o := range r.want {
		n, ok := o.(kind.NAT)
		if !ok {
			continue
		}
		s := r.env.Sections[n.NS]
		if s == nil {
			continue // a namespace yet to be made holds nothing that we did not plan
		}
		if err := r.warnNAT(s, n); err != nil {
			r.warnOnce(fmt.Sprintf("nat %s: %v", n.Key().Place(), err))
		}
	}
}

func (r *run) warnNAT(s *kind.Section, n kind.NAT) error {
	v4 := n.Subnet.Addr().Is4()
	if n.Out != "" && !s.Has(n.Out) && !r.env.Wanted(kind.LinkKey(n.NS, n.Out)) {
		text := fmt.Sprintf("nat %s: there is no interface %s", n.Key().Place(), n.Out)
		if dev := kind.DefaultDev(s, v4); dev != "" {
			text += fmt.Sprintf("; the default route leaves by %s", dev)
		}
		r.warnOnce(text)
	}
	chains, err := kind.DroppingChains(r.env, s)
	if err != nil {
		return err
	}
	for _, c := range chains {
		if c.Sees(v4) {
			r.warnOnce(dropText(c, n, v4))
		}
	}
	return nil
}

func dropText(c kind.DroppingChain, n kind.NAT, v4 bool) string {
	family := "ip6"
	if v4 {
		family = "ip"
	}
	rule := fmt.Sprintf("nft insert rule %s %s %s %s %%s %s accept", c.Family, c.Table, c.Chain, family, n.Subnet)
	return fmt.Sprintf("table %s %s, chain %s drops what is forwarded, so packets of %s may not pass; allow them there: %s; %s",
		c.Family, c.Table, c.Chain, n.Subnet, fmt.Sprintf(rule, "saddr"), fmt.Sprintf(rule, "daddr"))
}
