package watch

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/plumbnet/plumb/pkg/kernel"
)

// groups are those of rtnetlink that are listened to. Neighbours are not among them: the kernel learns them and forgets
// them all the time.
var groups = []int{
	unix.RTNLGRP_LINK, unix.RTNLGRP_IPV4_IFADDR, unix.RTNLGRP_IPV6_IFADDR, unix.RTNLGRP_IPV4_ROUTE,
	unix.RTNLGRP_IPV6_ROUTE, unix.RTNLGRP_IPV4_RULE, unix.RTNLGRP_IPV6_RULE, unix.RTNLGRP_IPV4_NETCONF,
	unix.RTNLGRP_IPV6_NETCONF, unix.RTNLGRP_NEXTHOP, unix.RTNLGRP_BRVLAN, unix.RTNLGRP_NSID,
}

// batch is how much is received from one source before the others have their turn.
const batch = 64

// hearLinks receives what rtnetlink tells.
func (w *Watcher) hearLinks(l *kernel.Listener) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	askers := make(map[asker]string)
	err := l.Receive(batch, func(n kernel.Notice) {
		if n.Type == unix.RTM_NEWNSID || n.Type == unix.RTM_DELNSID {
			w.hearNumber(n)
			return
		}
		w.hearChange(n, askers)
	})
	if errors.Is(err, kernel.ErrOverrun) {
		w.numberHost() // that it has got one may be what went unheard
	}
	return w.unlessOverrun(err)
}

// asker is who has asked for a change. It often is the one that asks for the next, and is looked for once.
type asker struct {
	port   uint32
	number int
}

// hearChange tells of a change of what a namespace has.
func (w *Watcher) hearChange(n kernel.Notice, askers map[asker]string) {
	places := w.places.heard[n.Number]
	if len(places) == 0 {
		return
	}
	what := words(n)
	if what == "" {
		return
	}
	who := asker{n.Port, n.Number}
	by, known := askers[who]
	if !known {
		by = owner(n.Port, places[0].id)
		askers[who] = by
	}
	for _, p := range places {
		w.queue.add(Event{Section: p.section, What: what, By: by})
	}
}

// unlessOverrun tells of an overrun, which is no reason to begin anew. Other errors are.
func (w *Watcher) unlessOverrun(err error) error {
	if errors.Is(err, kernel.ErrOverrun) {
		w.lose(err.Error())
		return nil
	}
	return err
}

// hearNumber notices that the host's namespace has got a number in itself, and that a namespace that is followed has
// ended. Another may have got the number of that by now.
func (w *Watcher) hearNumber(n kernel.Notice) {
	switch {
	case !slices.Contains(w.places.heard[n.Number], w.places.all[0]): // a number in another namespace
	case n.Type == unix.RTM_NEWNSID:
		w.numberHost()
	default:
		for _, p := range slices.Clone(w.places.heard[kernel.NSIDIn(n.Data)]) {
			if p != w.places.all[0] {
				w.refind(p)
			}
		}
	}
}

// numberHost sees whether the host's namespace has a number by now. What was told by that before is lost.
func (w *Watcher) numberHost() {
	if news, err := w.places.numberHost(); news || err != nil {
		w.queue.add(Event{What: "the number of the host's namespace"})
	}
}

// words says what a message of rtnetlink is about; nothing for one that tells of no change.
func words(n kernel.Notice) (what string) {
	deleted := n.Type&3 == 1 // RTM_NEWLINK is 16 and RTM_DELLINK 17, and so with all
	switch b := n.Data; n.Type &^ 1 {
	case unix.RTM_NEWLINK:
		what = "link " + kernel.Attrs(behind(b, unix.SizeofIfInfomsg)).Text(unix.IFLA_IFNAME)
		if family(b) == unix.AF_BRIDGE { // of a port of a bridge, which is no port any more when that is deleted
			return what + " as a bridge port"
		}
	case unix.RTM_NEWADDR:
		what = addressWords(b)
	case unix.RTM_NEWROUTE:
		if len(b) < unix.SizeofRtMsg || binary.NativeEndian.Uint32(b[8:])&unix.RTM_F_CLONED != 0 {
			return ""
		}
		what = routeWords(b)
	case unix.RTM_NEWRULE:
		priority := kernel.Attrs(behind(b, unix.SizeofRtMsg)).U32(unix.FRA_PRIORITY)
		what = inFamily(b, fmt.Sprintf("rule %d", priority))
	case unix.RTM_NEWNETCONF:
		if deleted { // with its link
			return ""
		}
		return netconfWords(b)
	case unix.RTM_NEWNEXTHOP:
		what = fmt.Sprintf("nexthop %d", kernel.Attrs(behind(b, sizeofNhmsg)).U32(unix.NHA_ID))
	case unix.RTM_NEWVLAN:
		return "bridge VLANs"
	default: // the buckets of a nexthop, which follow the traffic
		return ""
	}
	if deleted {
		what += " deleted"
	}
	return what
}

const sizeofNhmsg = 8 // struct nhmsg, linux/nexthop.h

func addressWords(b []byte) string {
	attrs := kernel.Attrs(behind(b, unix.SizeofIfAddrmsg))
	addr := attrs.Addr(unix.IFA_LOCAL)
	if !addr.IsValid() {
		addr = attrs.Addr(unix.IFA_ADDRESS)
	}
	bits := 0
	if len(b) > 1 {
		bits = int(b[1])
	}
	what := "address " + netip.PrefixFrom(addr, bits).String()
	if label := attrs.Text(unix.IFA_LABEL); label != "" { // IPv6 has none
		what += " on " + label
	}
	return what
}

func routeWords(b []byte) string {
	attrs := kernel.Attrs(behind(b, unix.SizeofRtMsg))
	what := inFamily(b, "route default")
	if dst := attrs.Addr(unix.RTA_DST); dst.IsValid() {
		what = "route " + netip.PrefixFrom(dst, int(b[1])).String()
	}
	if table := attrs.U32(unix.RTA_TABLE); table != unix.RT_TABLE_MAIN && table != unix.RT_TABLE_LOCAL {
		what += " in table " + strconv.FormatUint(uint64(table), 10)
	}
	return what
}

// Of linux/netconf.h: the size of struct netconfmsg, with padding, and the attribute with the link's index, in which
// two numbers stand for all links and for those to come.
const (
	sizeofNetconfmsg       = 4
	netconfaIfindex        = 1
	netconfaIfindexAll     = -1
	netconfaIfindexDefault = -2
)

// netconfWords: the kernel tells which link has got other parameters by its index alone.
func netconfWords(b []byte) string {
	which := "a link"
	switch int32(kernel.Attrs(behind(b, sizeofNetconfmsg)).U32(netconfaIfindex)) {
	case netconfaIfindexAll:
		which = "all"
	case netconfaIfindexDefault:
		which = "default"
	}
	if family(b) == unix.AF_INET6 {
		return "sysctls in net/ipv6/conf of " + which
	}
	return "sysctls in net/ipv4/conf of " + which
}

// inFamily marks words that don't tell IPv4 from IPv6.
func inFamily(b []byte, what string) string {
	if family(b) == unix.AF_INET6 {
		return "IPv6 " + what
	}
	return what
}

// family is the address family of a message, which is the first byte of each.
func family(b []byte) uint8 { return kernel.U8(b) }

// behind is what follows the fixed head of a message.
func behind(b []byte, head int) []byte { return b[min(head, len(b)):] }
