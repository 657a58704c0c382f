package link

import (
	"fmt"
	"math"

	"golang.org/x/sys/unix"

	"github.com/plumbnet/plumb/pkg/file"
	"github.com/plumbnet/plumb/pkg/kernel"
	"github.com/plumbnet/plumb/pkg/object"
	"github.com/plumbnet/plumb/pkg/plan"
)

// linkBase has the keys of every link that plumb makes.
type linkBase struct {
	MTU uint32     `file:"mtu,least=68,most=65535" doc:"largest packet, in bytes; of a cable, on both ends"`
	MAC object.MAC `file:"mac" also:"hwaddr|lladdr|mac-address|macaddress|hw-address" doc:"Ethernet address; left out, derived from the names"`
	Up  bool       `file:"up" also:"enabled; down|shutdown=up: false" doc:"whether the link is up; one that is down has no IPv6, and routes do not lead over it"`
	// What is left out of the others is as the kernel makes a link of the type.
	TxQLen    Setting[uint32] `file:"txqueuelen" doc:"packets that wait to be sent; left out, 1000 for most types"`
	ARP       Setting[bool]   `file:"arp" doc:"ask for neighbours, and answer; left out, as the type has it"`
	Multicast Setting[bool]   `file:"multicast" doc:"send and receive to groups; left out, as the type has it"`
	// Dynamic is a key of lo too.
	Dynamic bool `file:"dynamic" doc:"others add addresses and routes here, as a DHCP client does: they are left alone"`
}

func newLinkBase() any { return &linkBase{MTU: object.DefaultMTU, Up: true} }

// Setting is a value of a link that has another default for each type.
type Setting[T bool | uint32] struct{ plan.Opt[T] }

// Parse implements [file.Parser].
func (s *Setting[T]) Parse(name, text string) error {
	var err error
	switch v := any(&s.V).(type) {
	case *bool:
		*v, err = file.ParseBool(name, text)
	case *uint32:
		var n int64
		n, err = file.ParseNumber(name, text, 0, maxTxQLen)
		*v = uint32(n)
	}
	s.Set = err == nil
	return err
}

func (s Setting[T]) String() string { return fmt.Sprint(s.V) }

// Text implements [file.Described].
func (s *Setting[T]) Text() file.Text {
	if _, ok := any(s.V).(bool); ok {
		return file.Text{Words: "true or false", Types: []string{"boolean", "string"}}
	}
	return file.Text{Words: fmt.Sprint("whole number from 0 to ", maxTxQLen), Types: []string{"integer", "string"}}
}

// or is the value, or else what the type has.
func (s Setting[T]) or(other T) T {
	if s.Set {
		return s.V
	}
	return other
}

// defaultTxQLen is DEFAULT_TX_QUEUE_LEN of linux/netdevice.h. More than maxTxQLen newer kernels refuse (measured on
// Debian's 6.1.192 and 6.12.117), and older ones have no room for where the queue is made in one piece.
const (
	defaultTxQLen = 1000
	maxTxQLen     = math.MaxInt16
)

// fresh has what the kernel makes a link of the type with.
func (l Link) fresh() Link { return typeOf(l.Type).fresh(l.Spec) }

func (t *Type) fresh(s Spec) Link {
	f := Link{Type: t.Name, NoARP: !t.asks(s), NoMulticast: t.NoMulticast || t.IP, TxQLen: t.TxQLen}
	if f.TxQLen == 0 {
		f.TxQLen = defaultTxQLen
	}
	return f
}

// common fills in what links of all types have in common.
func (l *Link) common(of *object.Iface) {
	base, ok := of.Base.(*linkBase)
	if !ok {
		base = new(linkBase)
	}
	f := l.fresh()
	l.TxQLen = base.TxQLen.or(f.TxQLen)
	l.NoARP, l.NoMulticast = !base.ARP.or(!f.NoARP), !base.Multicast.or(!f.NoMulticast)
	if !l.Up {
		l.Idle = plan.Some(true)
	}
}

// flags are those that differ from another link's, as struct ifinfomsg has them.
func (l Link) flags(from Link) (flags, mask uint32) {
	if l.NoARP != from.NoARP {
		flags, mask = kernel.Bit(l.NoARP)*unix.IFF_NOARP, unix.IFF_NOARP
	}
	if l.NoMulticast != from.NoMulticast {
		flags, mask = flags|kernel.Bit(!l.NoMulticast)*unix.IFF_MULTICAST, mask|unix.IFF_MULTICAST
	}
	return flags, mask
}
