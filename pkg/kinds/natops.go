package kind

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/google/nftables"
	"github.com/google/nftables/userdata"
	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"

	"github.com/plumbnet/plumb/pkg/kernel"
	"github.com/plumbnet/plumb/pkg/plan"
)

// natChain is the one chain of the table. It is no keyword of nft's.
const natChain = "masquerade-out"

// NATTable is the name of a topology's table in the inet family of every section.
func NATTable(topology string) string { return "plumb-" + topology }

// listNAT reads the topology's table in a section: an object for each rule.
func listNAT(e *Env, s *Section) ([]plan.Have, error) {
	wanted := len(e.wantIn[section{s.NS.Name, KindNAT}].objects) > 0
	if s.untouched || unsupported(s.noNFT) && !wanted {
		return nil, nil // a kernel without nf_tables has no table of ours either
	}
	if s.noNFT != nil {
		return nil, s.noNFT
	}
	return e.readNAT(s)
}

// unsupported says whether an error is that of a kernel which lacks what was asked for.
func unsupported(err error) bool {
	return errors.Is(err, unix.EPROTONOSUPPORT) || errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.EINVAL)
}

func (e *Env) readNAT(s *Section) (have []plan.Have, err error) {
	c, err := s.NS.NFT()
	if err != nil {
		return nil, err
	}
	defer c.CloseLasting() //nolint:errcheck // only read
	err = kernel.Snapshot(c, func() (err error) {
		have, err = e.readTable(c, s)
		return err
	})
	return have, err
}

func (e *Env) readTable(c *nftables.Conn, s *Section) ([]plan.Have, error) {
	tables, err := c.ListTablesOfFamily(nftables.TableFamilyINet)
	if err != nil {
		return nil, fmt.Errorf("nftables: list tables: %w", err)
	}
	at := slices.IndexFunc(tables, func(t *nftables.Table) bool { return t.Name == NATTable(e.Topology) })
	if at < 0 {
		return nil, nil
	}
	t := tables[at]
	table := NAT{NS: s.NS.Name, Entry: "table inet " + t.Name}
	odd := ""
	if t.Flags != 0 {
		odd = fmt.Sprintf("in a table with flags %d: ", t.Flags)
	}
	chains, err := c.ListChainsOfTableFamily(nftables.TableFamilyINet)
	if err != nil {
		return nil, fmt.Errorf("nftables: list chains: %w", err)
	}
	var have []plan.Have
	for _, chain := range chains {
		if chain.Table.Name != t.Name {
			continue
		}
		rules, err := c.GetRules(t, chain)
		if err != nil {
			return nil, fmt.Errorf("nftables: list rules: %w", err)
		}
		have = append(have, readChain(s.NS.Name, odd, chain, rules)...)
	}
	others, err := otherMembers(c, t)
	if err != nil {
		return nil, err
	}
	for _, o := range others {
		have = append(have, plan.Have{Object: NAT{NS: s.NS.Name, Entry: o}, Why: "made by hand"})
	}
	if len(have) == 0 && len(e.wantIn[section{s.NS.Name, KindNAT}].objects) == 0 {
		have = append(have, plan.Have{Object: table, Why: "empty"})
	}
	return have, nil
}

func readChain(ns, odd string, chain *nftables.Chain, rules []*nftables.Rule) []plan.Have {
	if text := chainText(chain); text != "" {
		odd += "in a chain with " + text + ": "
	}
	var have []plan.Have
	seen := make(map[string]bool)
	for _, r := range rules {
		text := ruleText(r.Exprs)
		h := plan.Have{}
		comment, _ := userdata.GetString(r.UserData, userdata.TypeComment)
		n, declared := parseEntry(ns, comment, text)
		if !declared {
			n.Entry, h.Why = "rule "+text, "made by hand"
		}
		n.Rule = odd + text
		for seen[n.Entry] {
			n.Entry, h.Why = n.Entry+" again", "made by hand"
		}
		seen[n.Entry] = true
		h.Object = n
		have = append(have, h)
	}
	if len(rules) == 0 && chain.Name != natChain {
		have = append(have, plan.Have{Object: NAT{NS: ns, Entry: "chain " + chain.Name}, Why: "made by hand"})
	}
	return have
}

// otherMembers lists what else stands in the table: sets, maps, named objects.
func otherMembers(c *nftables.Conn, t *nftables.Table) ([]string, error) {
	var words []string
	sets, err := c.GetSets(t)
	if err != nil {
		return nil, fmt.Errorf("nftables: list sets: %w", err)
	}
	for _, s := range sets {
		words = append(words, "set "+s.Name)
	}
	objects, err := c.GetNamedObjects(t)
	if err != nil {
		return nil, fmt.Errorf("nftables: list objects: %w", err)
	}
	for _, o := range objects {
		if named, ok := o.(*nftables.NamedObj); ok {
			words = append(words, "object "+named.Name)
		}
	}
	return words, nil
}

// putNAT makes the table of a section as it is wanted, in one transaction.
func putNAT(e *Env, changes []plan.Change) error {
	s, err := e.section(changes[0].Key().NS)
	if err != nil {
		return err
	}
	if err := e.writeTable(s); err != nil {
		return err
	}
	for _, c := range changes {
		if c.Old != nil {
			e.forgetFlows(s, c.Old)
		}
	}
	return nil
}

// delNAT takes entries out of the table, and the table away with the last.
func delNAT(e *Env, objects []plan.Object) error {
	s, err := e.section(objects[0].Key().NS)
	if err != nil {
		return nil // the namespace is gone, and its tables
	}
	live, err := e.readNAT(s)
	if err != nil {
		return err
	}
	still := slices.ContainsFunc(live, func(h plan.Have) bool {
		return slices.ContainsFunc(objects, func(o plan.Object) bool { return o.Key() == h.Object.Key() })
	})
	if !still {
		return nil
	}
	if err := e.writeTable(s); err != nil {
		return err
	}
	for _, o := range objects {
		e.forgetFlows(s, o)
	}
	return nil
}

// writeTries bounds how often a transaction is tried again because somebody else's came between.
const writeTries = 5

func (e *Env) writeTable(s *Section) error {
	var entries []NAT
	for _, o := range e.wantIn[section{s.NS.Name, KindNAT}].objects {
		if n, ok := o.(NAT); ok {
			entries = append(entries, n)
		}
	}
	slices.SortFunc(entries, func(a, b NAT) int { return cmp.Compare(a.Entry, b.Entry) })
	c, err := s.NS.NFT()
	if err != nil {
		return err
	}
	defer c.CloseLasting() //nolint:errcheck // the transaction has been answered
	what := fmt.Sprintf("write table inet %s with %s", NATTable(e.Topology), plan.Count(len(entries), "rule"))
	for range writeTries {
		gen, err := c.GetGen()
		if err != nil {
			return fmt.Errorf("nftables: read the generation: %w", err)
		}
		buildTable(c, NATTable(e.Topology), entries)
		err = s.NS.Do(what, func() error { return c.FlushWithGenID(gen.ID) })
		if !errors.Is(err, unix.ERESTART) {
			return err
		}
	}
	return fmt.Errorf("%s: %w", what, kernel.ErrMoving)
}

// buildTable fills a transaction that replaces the table whole.
func buildTable(c *nftables.Conn, name string, entries []NAT) {
	t := &nftables.Table{Name: name, Family: nftables.TableFamilyINet}
	c.AddTable(t) // so that there is one to delete
	c.DelTable(t)
	if len(entries) == 0 {
		return
	}
	accept := nftables.ChainPolicyAccept
	c.AddTable(t)
	chain := c.AddChain(&nftables.Chain{
		Name: natChain, Table: t, Type: nftables.ChainTypeNAT, Hooknum: nftables.ChainHookPostrouting,
		Priority: nftables.ChainPriorityNATSource, Policy: &accept,
	})
	for _, n := range entries {
		c.AddRule(&nftables.Rule{Table: t, Chain: chain, Exprs: n.encode(),
			UserData: userdata.AppendString(nil, userdata.TypeComment, n.Entry)})
	}
}

// forgetFlows drops the connections that a rule which went or changed has translated: they would go on as before. A
// kernel without connection tracking over netlink has none to be told of.
func (e *Env) forgetFlows(s *Section, o plan.Object) {
	n, ok := o.(NAT)
	if !ok {
		return
	}
	subnet := n.Subnet
	if !subnet.IsValid() {
		return // a rule made by hand: its connections are not ours
	}
	family := netlink.InetFamily(familyOf(subnet.Addr()))
	err := s.NS.Do("forget translated connections of "+subnet.String(), func() error {
		fd, err := s.NS.FD()
		if err != nil {
			return err
		}
		h, err := netlink.NewHandleAt(netns.NsHandle(fd), unix.NETLINK_NETFILTER)
		if err != nil {
			return err
		}
		defer h.Close() //nolint:errcheck // it has been answered
		_, err = h.ConntrackDeleteFilters(netlink.ConntrackTable, family, translated{subnet})
		return err
	})
	if err != nil && !unsupported(err) {
		e.Warn(fmt.Sprintf("nat %s: %v", n.Key().Place(), err))
	}
}

// parseEntry is the reverse of [Masquerade], from an entry's words and its rule's: the interfaces that hold the subnet
// are only in the rule. Ok is false for the words of no entry.
func parseEntry(ns, entry, rule string) (n NAT, ok bool) {
	word := strings.Fields(entry)
	if len(word) != 2 && (len(word) != 4 || word[2] != "out") || word[0] != "masquerade" {
		return NAT{NS: ns}, false
	}
	subnet, err := netip.ParsePrefix(word[1])
	if err != nil {
		return NAT{NS: ns}, false
	}
	var out string
	var except []string
	if len(word) == 4 {
		out = word[3]
	}
	rest := strings.Fields(rule)
	for i := range len(rest) - 2 {
		if name, err := strconv.Unquote(rest[i+2]); err == nil && rest[i] == "oifname" && rest[i+1] == "!=" {
			except = append(except, name)
		}
	}
	return Masquerade(ns, subnet, out, except), true
}

// translated matches connections that come from a subnet and whose answers go elsewhere: their source was translated.
type translated struct{ subnet netip.Prefix }

// MatchConntrackFlow implements [netlink.CustomConntrackFilter].
func (t translated) MatchConntrackFlow(f *netlink.ConntrackFlow) bool {
	src, ok := netip.AddrFromSlice(f.Forward.SrcIP)
	return ok && t.subnet.Contains(src.Unmap()) && !f.Forward.SrcIP.Equal(f.Reverse.DstIP)
}
