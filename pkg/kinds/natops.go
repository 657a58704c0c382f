package kinds

import (
	"cmp"
	"errors"
	"fmt"
	"iter"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/google/nftables"
	"github.com/google/nftables/userdata"
	"golang.org/x/sys/unix"

	"github.com/plumbnet/plumb/pkg/kernel"
	"github.com/plumbnet/plumb/pkg/object"
	"github.com/plumbnet/plumb/pkg/plan"
)

// natChain is the one chain of the table. It is no keyword of nft's.
const natChain = "masquerade-out"

// NATTable is the name of a topology's table in the inet family of every section.
func NATTable(topology string) string { return "plumb-" + topology }

// liveTable is the topology's table in a section, once it is known.
type liveTable struct {
	known   bool
	kept    bool // see keepNAT
	entries []object.Live
}

// fetchNAT reads the table, where somebody has ever written an nftables rule.
func fetchNAT(e *object.Env, s *object.Section, _ func(func() error) error) error {
	table := object.In[liveTable](s)
	if table.known { // and so is what is wanted, by now
		if table.kept {
			return nil
		}
		table.kept = true
		return keepNAT(e, s, table.entries)
	}
	untouched, err := s.NS.NFTUntouched()
	switch {
	case untouched, unsupported(err) && len(e.WantedHere(s.NS.Name, KindNAT)) == 0:
		err = nil // a kernel without nf_tables has no table of ours either
	case err == nil:
		table.entries, err = readNAT(e, s)
	}
	table.known = err == nil
	return err
}

// listNAT streams the table's rules, and what else is in it.
func listNAT(_ *object.Env, s *object.Section) iter.Seq[object.Live] {
	return slices.Values(object.In[liveTable](s).entries)
}

// unsupported says whether an error is that of a kernel which lacks what was asked for.
func unsupported(err error) bool {
	return errors.Is(err, unix.EPROTONOSUPPORT) || errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.EINVAL)
}

func readNAT(e *object.Env, s *object.Section) (live []object.Live, err error) {
	c, err := s.NS.NFT()
	if err != nil {
		return nil, err
	}
	defer c.CloseLasting() //nolint:errcheck // only read
	err = kernel.Snapshot(c, func() (err error) {
		live, err = readTable(e, c, s)
		return err
	})
	return live, err
}

func readTable(e *object.Env, c *nftables.Conn, s *object.Section) (live []object.Live, err error) {
	t, err := findTable(c, NATTable(e.Topology))
	if t == nil {
		return nil, err
	}
	table := NAT{NS: s.NS.Name, Entry: "table inet " + t.Name}
	odd := ""
	if t.Flags != 0 {
		odd = fmt.Sprintf("in a table with flags %d: ", t.Flags)
	}
	chains, err := c.ListChainsOfTableFamily(nftables.TableFamilyINet)
	if err != nil {
		return nil, fmt.Errorf("nftables: list chains: %w", err)
	}
	for _, chain := range chains {
		if chain.Table.Name != t.Name {
			continue
		}
		rules, err := c.GetRules(t, chain)
		if err != nil {
			return nil, fmt.Errorf("nftables: list rules: %w", err)
		}
		live = append(live, readChain(s.NS.Name, odd, chain, rules)...)
	}
	others, err := otherMembers(c, t)
	if err != nil {
		return nil, err
	}
	for _, o := range others {
		live = append(live, object.Live{Object: NAT{NS: s.NS.Name, Entry: o}, ByHand: true})
	}
	if len(live) == 0 {
		loose := len(e.WantedHere(s.NS.Name, KindNAT)) > 0 && !e.Wanted(table.Key())
		live = append(live, object.Live{Object: table, Why: "empty", Loose: loose})
	}
	return live, nil
}

func readChain(ns, odd string, chain *nftables.Chain, rules []*nftables.Rule) (list []object.Live) {
	if text := chainText(chain); text != "" {
		odd += "in a chain with " + text + ": "
	}
	at := make(map[string]int) // where each entry is in the list
	for _, r := range rules {
		text := ruleText(r.Exprs)
		comment, _ := userdata.GetString(r.UserData, userdata.TypeComment)
		i, again := at[comment]
		if again {
			text = strings.TrimPrefix(list[i].Object.(NAT).Rule, odd) + betweenRules + text
		}
		n, declared := parseEntry(ns, comment, text)
		n.Rule = odd + text
		switch {
		case again:
			list[i].Object = n
			continue
		case declared:
			at[comment] = len(list)
		default:
			n.Entry = unlikeIn(list, "rule "+text)
		}
		list = append(list, object.Live{Object: n, ByHand: !declared})
	}
	if len(rules) == 0 && chain.Name != natChain {
		list = append(list, object.Live{Object: NAT{NS: ns, Entry: "chain " + chain.Name}, ByHand: true})
	}
	return list
}

// unlikeIn is the name of a rule made by hand, and another one when a rule of the list has that.
func unlikeIn(list []object.Live, name string) string {
	for slices.ContainsFunc(list, func(l object.Live) bool { return l.Object.(NAT).Entry == name }) {
		name += " again"
	}
	return name
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
func putNAT(e *object.Env, changes []plan.Change) error {
	s, err := e.Section(changes[0].Key().NS)
	if err != nil {
		return err
	}
	if err := writeTable(e, s); err != nil {
		return err
	}
	var gone, came []NAT
	for _, c := range changes {
		if n, ok := c.Old.(NAT); ok {
			gone = append(gone, n)
		}
		if n, ok := c.New.(NAT); ok {
			came = append(came, n)
		}
	}
	forgetFlows(e, s, gone, came)
	return nil
}

// delNAT takes entries out of the table, and the table away with the last.
func delNAT(e *object.Env, objects []plan.Object) error {
	s, err := e.Section(objects[0].Key().NS)
	if err != nil {
		return nil // the namespace is gone, and its tables
	}
	live, err := readNAT(e, s)
	if err != nil {
		return err
	}
	still := slices.ContainsFunc(live, func(h object.Live) bool {
		return slices.ContainsFunc(objects, func(o plan.Object) bool { return o.Key() == h.Key() })
	})
	if still { // else what was put has replaced the table
		if err := writeTable(e, s); err != nil {
			return err
		}
	}
	var gone []NAT
	for _, o := range objects {
		if n, ok := o.(NAT); ok {
			gone = append(gone, n)
		}
	}
	forgetFlows(e, s, gone, nil)
	return nil
}

// writeTries bounds how often a transaction is tried again because somebody else's came between.
const writeTries = 5

func writeTable(e *object.Env, s *object.Section) error {
	entries := wantedNAT(e, s)
	if n, ok := foundNAT(entries); ok {
		return s.NS.WriteNFTImage(NATTable(e.Topology), n.found)
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
		if err := buildTable(c, NATTable(e.Topology), entries); err != nil {
			return err
		}
		err = s.NS.Do(what, func() error { return c.FlushWithGenID(gen.ID) })
		if !errors.Is(err, unix.ERESTART) {
			return err
		}
	}
	return fmt.Errorf("%s: %w", what, kernel.ErrMoving)
}

// findTable finds a table of the family inet; nil where there is none.
func findTable(c *nftables.Conn, name string) (*nftables.Table, error) {
	tables, err := c.ListTablesOfFamily(nftables.TableFamilyINet)
	if err != nil {
		return nil, fmt.Errorf("nftables: list tables: %w", err)
	}
	if i := slices.IndexFunc(tables, func(t *nftables.Table) bool { return t.Name == name }); i >= 0 {
		return tables[i], nil
	}
	return nil, nil
}

// buildTable fills a transaction that replaces the table whole. One that is not there is not deleted: after a
// transaction that deletes something, the kernel takes 10 ms and more to close the socket.
func buildTable(c *nftables.Conn, name string, entries []NAT) error {
	t := &nftables.Table{Name: name, Family: nftables.TableFamilyINet}
	there, err := findTable(c, name)
	if err != nil {
		return err
	}
	if there != nil {
		c.DelTable(t)
	}
	if len(entries) == 0 {
		return nil
	}
	accept := nftables.ChainPolicyAccept
	c.AddTable(t)
	chain := c.AddChain(&nftables.Chain{
		Name: natChain, Table: t, Type: nftables.ChainTypeNAT, Hooknum: nftables.ChainHookPostrouting,
		Priority: nftables.ChainPriorityNATSource, Policy: &accept,
	})
	for _, n := range entries {
		for _, exprs := range n.encode() {
			c.AddRule(&nftables.Rule{Table: t, Chain: chain, Exprs: exprs,
				UserData: userdata.AppendString(nil, userdata.TypeComment, n.Entry)})
		}
	}
	return nil
}

// parseEntry is the reverse of [Masquerade], from an entry's words and its rule's: the interfaces that hold the subnet
// and the networks are only in the rules. Ok is false for the words of no entry.
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
	if len(word) == 4 {
		out = word[3]
	}
	except, within := parseRules(subnet, rule)
	return Masquerade(ns, subnet, out, except, within...), true
}

// parseRules finds the interfaces that are excepted in an entry's rules, and the networks.
func parseRules(subnet netip.Prefix, text string) (except []string, within []netip.Prefix) {
	for rule := range strings.SplitSeq(text, betweenRules) {
		word := strings.Fields(rule)
		alone := strings.HasSuffix(rule, " return")
		for i := range len(word) - 2 {
			name, err := strconv.Unquote(word[i+2])
			switch {
			case alone && word[i] == "daddr":
				p, _ := netip.ParsePrefix(word[i+1]) // what is none overlaps nothing
				within = append(within, p)
			case alone || word[i+1] != "!=":
			case word[i] == "oifname" && err == nil:
				except = append(except, name)
			case word[i] == "daddr" && word[i+2] == subnet.String():
				within = append(within, subnet)
			}
		}
	}
	return except, within
}
