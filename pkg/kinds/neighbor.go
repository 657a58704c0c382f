package kinds

import (
	"errors"
	"iter"
	"net/netip"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/plumbnet/plumb/pkg/kernel"
	"github.com/plumbnet/plumb/pkg/link"
	"github.com/plumbnet/plumb/pkg/object"
	"github.com/plumbnet/plumb/pkg/plan"
)

// KindNeighbor is a static entry of a neighbour table: where on a link an address is (ip-neighbour(8)).
const KindNeighbor = "neighbor"

// Neighbor is the wanted or live state of an entry that stays until somebody removes it.
type Neighbor struct {
	NS, Dev string
	Address netip.Addr
	MAC     object.MAC `plan:"mac"`
	// Router says that the neighbour of IPv6 is a router. No file wants it, but a rollback does.
	Router bool  `plan:"router"`
	Proto  uint8 `plan:"proto,quiet"`

	// falls says that it is another's, and that the kernel is about to take it.
	falls bool
	// bare says that others have no IPv4 address on its link that stays.
	bare bool
}

// Key implements [plan.Object].
func (n Neighbor) Key() plan.Key {
	return plan.Key{NS: n.NS, Kind: KindNeighbor, Name: n.Dev + " " + n.Address.String()}
}

// Needs implements [plan.Object].
func (n Neighbor) Needs() []plan.Key { return []plan.Key{object.LinkNeed(n.NS, n.Dev)} }

// Describe implements [plan.Object].
func (n Neighbor) Describe() string { return "at " + n.MAC.String() }

// On implements [plan.Dependent].
func (n Neighbor) On() []plan.Key {
	k := n.Needs()
	if n.falls && n.Address.Is6() {
		k = append(k, offOnAll(n.NS))
	}
	return k
}

// After implements [plan.Dependent]: the kernel empties the table of a link that goes down, if for a moment, gets
// another MAC, or has arp switched, that of IPv6 where the MTU is too small for it, and that of IPv4 with the last
// address of IPv4 (net/ipv4/fib_frontend.c: fib_disable_ip).
func (n Neighbor) After(old, now plan.Object, w plan.World) (plan.Object, bool) {
	if old.Key() == offOnAll(n.NS) {
		return n, !cuts6(old, now)
	}
	if a, ok := old.(Address); ok && now == nil && n.Address.Is4() && a.Prefix.Addr().Is4() {
		known := w.Object(object.LinkKey(n.NS, n.Dev)) != nil // else others may have addresses on it
		return n, hasIPv4(w, n.NS, n.Dev) || !known && !n.bare
	}
	if now == nil {
		return n, old.Key() != object.LinkKey(n.NS, n.Dev) && old.Key() != object.NamespaceKey(n.NS)
	}
	was, changes := old.(link.Link)
	is, stays := now.(link.Link)
	if !changes || !stays {
		return n, true
	}
	return n, is.Up && !is.Restarted(was) && was.MAC == is.MAC && !is.SwitchesARP(was) &&
		(n.Address.Is4() || is.CarriesIPv6())
}

var neighborDump = object.NewDump("neighbours", unix.RTM_GETNEIGH, unix.RTM_NEWNEIGH,
	func(family int) nl.NetlinkRequestData { return &neighborHead{family: uint8(family)} },
	func(b []byte) bool { return len(b) >= sizeofNdMsg && b[8]&unix.NUD_PERMANENT != 0 })

// neighborHead is struct ndmsg of linux/neighbour.h.
type neighborHead struct {
	family uint8
	index  int32
	flags  uint8
}

// ndaProtocol is NDA_PROTOCOL of linux/neighbour.h, which package unix lacks.
const ndaProtocol = 12

// sizeofNdMsg is the length of struct ndmsg.
const sizeofNdMsg = 12

// Len implements [nl.NetlinkRequestData].
func (*neighborHead) Len() int { return sizeofNdMsg }

// Serialize implements [nl.NetlinkRequestData].
func (h *neighborHead) Serialize() []byte {
	b := []byte{h.family, 0, 0, 0}
	b = append(b, nl.Uint32Attr(uint32(h.index))...)
	return append(b, unix.NUD_PERMANENT, 0, h.flags, 0)
}

// askNeighbors asks where there are neighbours of the topology's, or may be, and where it may take those of others.
func askNeighbors(e *object.Env, s *object.Section) []*object.Dump {
	if len(e.WantedHere(s.NS.Name, KindNeighbor)) > 0 || e.Record.Mentions(s.NS.Name, KindNeighbor) ||
		e.ChangesGiven(s.NS.Name) || len(switchesOf6(e, s)) > 0 || e.Record.Mentions(s.NS.Name, KindAddress) {
		return []*object.Dump{neighborDump}
	}
	return nil
}

// readNeighbors streams the static entries of a section. What was learned makes room for them.
func readNeighbors(e *object.Env, s *object.Section) iter.Seq[object.Live] {
	return func(yield func(object.Live) bool) {
		for _, m := range s.Messages(neighborDump) {
			n, l, ok := parseNeighbor(s, m)
			if !ok {
				continue
			}
			n.falls = s.IsFalling(n.Key(), l.Index)
			n.bare = n.falls && isBare(e, s, l)
			live := object.Live{
				Object: n, Links: []*object.LiveLink{l}, Proto: n.Proto, ByHand: n.Proto == 0, Falls: n.falls,
			}
			if !yield(live) {
				return
			}
		}
	}
}

// parseNeighbor reads a message about a neighbour on a link that is there.
func parseNeighbor(s *object.Section, m []byte) (n Neighbor, l *object.LiveLink, ok bool) {
	l = s.At(int(kernel.U32At(m[4:], 0)))
	t := kernel.Attrs(m[sizeofNdMsg:])
	lladdr := t.Get(unix.NDA_LLADDR)
	if l == nil || len(lladdr) != len(object.MAC{}) {
		return n, l, false
	}
	return Neighbor{
		NS: s.NS.Name, Dev: l.Known, Address: t.Addr(unix.NDA_DST), MAC: object.MAC(lladdr),
		Router: m[10]&unix.NTF_ROUTER != 0, Proto: t.U8(ndaProtocol),
	}, l, true
}

func putNeighbors(e *object.Env, changes []plan.Change) error {
	for _, c := range changes {
		n, ok := c.New.(Neighbor)
		if !ok {
			return object.WrongType(KindNeighbor, c.New)
		}
		if err := n.write(e, "set", unix.RTM_NEWNEIGH, unix.NLM_F_CREATE|unix.NLM_F_REPLACE); err != nil {
			return err
		}
	}
	return nil
}

func delNeighbors(e *object.Env, objects []plan.Object) error {
	for _, o := range objects {
		n, ok := o.(Neighbor)
		if !ok {
			return object.WrongType(KindNeighbor, o)
		}
		err := object.IgnoreGone(n.write(e, "delete", unix.RTM_DELNEIGH, 0))
		if err != nil && !errors.Is(err, object.ErrNoLink) {
			return err
		}
	}
	return nil
}

func (n Neighbor) write(e *object.Env, verb string, proto, flags int) error {
	s, index, err := e.LinkOf(n.NS, n.Dev)
	if err != nil {
		return err
	}
	head := &neighborHead{family: kernel.Family(n.Address), index: int32(index)}
	if n.Router {
		head.flags = unix.NTF_ROUTER
	}
	m := kernel.NewMessage(proto, flags, head)
	m.Addr(unix.NDA_DST, n.Address)
	m.Add(unix.NDA_LLADDR, append([]byte(nil), n.MAC[:]...))
	m.Add(ndaProtocol, []byte{n.Proto})
	return s.NS.Write(verb+" neighbour "+n.Address.String()+" "+object.LinkKey(n.NS, n.Dev).Place(), m.NetlinkRequest)
}
