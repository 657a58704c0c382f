package watch

import (
	"encoding/binary"
	"fmt"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/plumbnet/plumb/pkg/kernel"
)

// nftables hears of changes of rulesets. The kernel tells what a transaction has changed, and at the end who made it.
type nftables struct {
	*kernel.Listener
	tables map[int][]string // that the transaction has changed, by the number of the namespace
}

// tableAttribute is that of the table's name in each message of linux/netfilter/nf_tables.h, whatever it is about.
const tableAttribute = unix.NFTA_TABLE_NAME

const sizeofNfgenmsg = 4 // struct nfgenmsg, linux/netfilter/nfnetlink.h

var nftFamilies = map[uint8]string{
	unix.NFPROTO_INET: "inet", unix.NFPROTO_IPV4: "ip", unix.NFPROTO_IPV6: "ip6", unix.NFPROTO_ARP: "arp",
	unix.NFPROTO_NETDEV: "netdev", unix.NFPROTO_BRIDGE: "bridge",
}

// hearRules receives what nf_tables tells.
func (w *Watcher) hearRules(l *nftables) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	err := l.Receive(batch, func(n kernel.Notice) {
		places := w.places.heard[n.Number]
		if len(places) == 0 || n.Type>>8 != unix.NFNL_SUBSYS_NFTABLES {
			return
		}
		attrs := kernel.Attrs(behind(n.Data, sizeofNfgenmsg))
		if n.Type&0xff != unix.NFT_MSG_NEWGEN {
			l.note(n.Number, family(n.Data), attrs)
			return
		}
		by := ruler(attrs)
		for _, p := range places {
			for _, table := range l.tables[n.Number] {
				w.queue.add(Event{Section: p.section, What: table, By: by})
			}
		}
		delete(l.tables, n.Number)
	})
	if err != nil { // the end of a transaction may be lost
		clear(l.tables)
	}
	return w.unlessOverrun(err)
}

// note keeps in mind which table is changed. No more than can be told is kept.
func (l *nftables) note(number int, family uint8, attrs kernel.Attrs) {
	table := fmt.Sprintf("nftables table %s %s", nftFamilies[family], attrs.Text(tableAttribute))
	if have := l.tables[number]; len(have) <= most && !slices.Contains(have, table) {
		l.tables[number] = append(have, table)
	}
}

// ruler names the process that has made a transaction.
func ruler(attrs kernel.Attrs) string {
	pid := attrs.Get(unix.NFTA_GEN_PROC_PID)
	if len(pid) != 4 {
		return ""
	}
	return fmt.Sprintf("pid %d (%s)", binary.BigEndian.Uint32(pid), attrs.Text(unix.NFTA_GEN_PROC_NAME))
}
