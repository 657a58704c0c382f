package snapshot

import (
	"fmt"
	"strconv"

	"golang.org/x/sys/unix"
)

// Messages of nf_tables begin with struct nfgenmsg: the family is its first byte.
const nftHeader = 4

// nftLists are what is asked for where there is a table: the message, and where the names of its table and of the
// object are.
var nftLists = []struct {
	what string
	kind uint16
	name uint16 // the attribute that holds the object's name; that of its table is the first
	kin  attrs
}{
	{"chain", unix.NFT_MSG_GETCHAIN, unix.NFTA_CHAIN_NAME, nftChain},
	{"rule", unix.NFT_MSG_GETRULE, unix.NFTA_RULE_CHAIN, nftRule},
	{"set", unix.NFT_MSG_GETSET, unix.NFTA_SET_NAME, nftSet},
	{"object", unix.NFT_MSG_GETOBJ, unix.NFTA_OBJ_NAME, nftObject},
	{"flowtable", unix.NFT_MSG_GETFLOWTABLE, 2, nftFlowtable},
}

func nftKind(kind uint16) uint16 { return unix.NFNL_SUBSYS_NFTABLES<<8 | kind }

// readRuleset reads all of nftables. Where nothing is, that takes one question.
func (s *Section) readRuleset() error {
	c, err := dial(unix.NETLINK_NETFILTER)
	if err != nil {
		return err
	}
	defer c.close()
	if s.lists["nft table"], err = c.dump(nftKind(unix.NFT_MSG_GETTABLE), make([]byte, nftHeader)); err != nil {
		return fmt.Errorf("read the tables of nftables: %w", err)
	}
	if len(s.lists["nft table"]) == 0 {
		return nil
	}
	for _, l := range nftLists {
		if s.lists["nft "+l.what], err = c.dump(nftKind(l.kind), make([]byte, nftHeader)); err != nil {
			return fmt.Errorf("read the %ss of nftables: %w", l.what, err)
		}
	}
	for _, m := range s.lists["nft set"] {
		body := append([]byte{m.body[0]}, make([]byte, nftHeader-1)...)
		body = appendText(body, unix.NFTA_SET_ELEM_LIST_TABLE, find(m.body[nftHeader:], unix.NFTA_SET_TABLE))
		body = appendText(body, unix.NFTA_SET_ELEM_LIST_SET, find(m.body[nftHeader:], unix.NFTA_SET_NAME))
		list, err := c.dump(nftKind(unix.NFT_MSG_GETSETELEM), body)
		if err != nil {
			return fmt.Errorf("read the elements of a set of nftables: %w", err)
		}
		s.elements = append(s.elements, list...)
	}
	return nil
}

func appendText(b []byte, kind uint16, value []byte) []byte {
	b = native.AppendUint16(native.AppendUint16(b, uint16(4+len(value))), kind)
	b = append(b, value...)
	return append(b, make([]byte, align(len(value))-len(value))...)
}

var nftFamilies = map[byte]string{1: "inet", 2: "ip", 3: "arp", 5: "netdev", 7: "bridge", 10: "ip6"}

// rulesetLines tell of nftables. The rules of a chain are numbered: their order matters.
func (p *printer) rulesetLines() {
	for _, m := range p.s.lists["nft table"] {
		p.begin("nft table " + nftFamilies[m.body[0]] + " " + text(find(m.body[nftHeader:], unix.NFTA_TABLE_NAME)))
		p.tree(nftTable, m.body[nftHeader:])
		p.end()
	}
	for _, l := range nftLists {
		count := make(map[string]int)
		for _, m := range p.s.lists["nft "+l.what] {
			b := m.body[nftHeader:]
			head := "nft " + l.what + " " + nftFamilies[m.body[0]] + " " + text(find(b, 1)) + " " + text(find(b, l.name))
			if l.what == "rule" {
				count[head]++
				head += " " + strconv.Itoa(count[head])
			}
			p.begin(head + ":")
			p.tree(l.kin, b)
			p.end()
		}
	}
	for _, m := range p.s.elements {
		b := m.body[nftHeader:]
		head := "nft element " + nftFamilies[m.body[0]] + " " + text(find(b, unix.NFTA_SET_ELEM_LIST_TABLE)) + " " +
			text(find(b, unix.NFTA_SET_ELEM_LIST_SET)) + ":"
		for _, element := range each(find(b, unix.NFTA_SET_ELEM_LIST_ELEMENTS)) {
			p.begin(head)
			p.tree(nftElement, element)
			p.end()
		}
	}
}

// expression writes one of a rule: its name, and its attributes by their numbers.
func expression(p *printer, b []byte) {
	name := text(find(b, unix.NFTA_EXPR_NAME))
	p.out = append(append(p.out, name...), '{')
	for kind, value := range each(find(b, unix.NFTA_EXPR_DATA)) {
		if _, skip := leftOutOfExpressions[name][kind]; !skip {
			p.out = strconv.AppendUint(append(p.out, " #"...), uint64(kind), 10)
			p.out = append(p.out, ' ')
			hexadecimal(p, value)
		}
	}
	p.out = append(p.out, " }"...)
}
